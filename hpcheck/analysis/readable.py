"""What every reading of one curve starts from: its trend, its levels, and where it stops being sound because it diverges."""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.curve import Curve, FloatArray, IntArray, is_value
from hpcheck.analysis.distributions import f_sf, ranks
from hpcheck.analysis.divergence import Divergence, find_divergence, start_level
from hpcheck.analysis.smooth import MAD_TO_SD, Smoothed, smooth_parts
from hpcheck.analysis.wandering import only_wanders

FEWEST_TO_READ = 8  # ours: fewer evaluations than this are not read
LEFT_START = 5.5  # ours: standard errors between two places of the trend before it goes anywhere (chosen in benchmarks/reading) ...
LEFT_AT_LENGTH = 20  # ours: ... in a curve of this length; in a longer one, with more places to choose from, sqrt(log n) as many
LEARNT = 6.0  # ours: ... and below the start before the loss has been learnt from: a number for noise is worse than an abstention
IN_ORDER = 0.005  # ours: the chance of an order like the values' in noise, below which a curve goes somewhere whatever its noise level
STEPS_DOWN = 1.5  # ours: an lr that falls at once by more than this factor begins a new part of the curve ...
FEWEST_IN_PART, CONSTANT = 5, 1.05  # ours: ... where it is constant, within this factor, for so many evaluations on both sides
STARTS_APART = 3.0  # ours: deviations of the other values by which a first value above all of them is no accident


@dataclass(frozen=True)
class Sound:
    """A curve up to where it diverges: `index` (S,) its finite evaluations there, `trend` (S,) their smoothed loss, `x` (S,) their steps,
    `lr` (S,) their lrs, where one is missing the one before.

    `parts` are the first evaluations of its parts, 0 first: where the lr steps down, the loss drops and its noise changes.
    `start` is the loss before training showed, `lowest` where in (S,) the trend is smallest, `learnt` whether the loss fell from its start
    by more than its noise, `moved` whether the trend goes anywhere at all.
    """

    curve: Curve
    index: IntArray
    x: FloatArray
    lr: FloatArray
    raw: FloatArray
    trend: Smoothed
    divergence: Divergence | None
    start: float
    lowest: int
    learnt: bool
    moved: bool
    parts: tuple[int, ...] = (0,)

    @property
    def enough(self) -> bool:
        return len(self.x) >= FEWEST_TO_READ

    @property
    def noise(self) -> float:
        return self.trend.noise

    @property
    def descent(self) -> float:
        """From the start to the minimum; at least 0."""
        return max(0.0, self.start - float(self.trend.fit[self.lowest])) if len(self.x) else 0.0


def sound(curve: Curve) -> Sound:
    """Where the curve can be read: the finite evaluations before any divergence."""
    divergence = find_divergence(curve)
    until = len(curve) if divergence is None else divergence.onset
    index = np.flatnonzero(is_value(curve.val_loss[:until]) & is_value(curve.step[:until]))
    x, raw, lr = curve.step[index], curve.val_loss[index], filled(curve.lr)[index]
    parts = steps_down(lr)
    trend = smooth_parts(x, raw, parts)
    if len(index) == 0:
        return Sound(curve, index, x, lr, raw, trend, divergence, np.nan, 0, False, False)
    start = max(float(trend.fit[0]), start_level(raw) - 2 * float(np.nan_to_num(trend.noise)))
    lowest = int(np.argmin(trend.fit))
    wanders = len(parts) == 1 and only_wanders(raw)  # what steps down with the lr does not
    learnt = _learnt(trend, lowest) and not wanders
    moved = (_moved(trend) or _in_order(raw) or _starts_apart(raw)) and not wanders
    return Sound(curve, index, x, lr, raw, trend, divergence, start, lowest, learnt, moved, parts)


def steps_down(lr: FloatArray) -> tuple[int, ...]:
    """0, and each evaluation at which a constant lr steps down to another constant one.

    >>> steps_down(np.repeat([0.1, 0.01, 0.001], 6))
    (0, 6, 12)
    >>> steps_down(np.linspace(0.1, 0.01, 18))
    (0,)
    """
    found = [0]
    for at in range(FEWEST_IN_PART, len(lr) - FEWEST_IN_PART + 1):
        before, after = lr[at - FEWEST_IN_PART : at], lr[at : at + FEWEST_IN_PART]
        constant = all(side.max() / CONSTANT <= side.min() for side in (before, after))
        if constant and before[-1] > STEPS_DOWN * after[0]:
            found.append(at)
    return tuple(found)


def filled(values: FloatArray) -> FloatArray:
    """NaN and inf replaced by the finite value before, or at the beginning by the first finite one; all NaN stays so."""
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) == 0:
        return np.full(len(values), np.nan)
    before = np.searchsorted(finite, np.arange(len(values)), side="right") - 1
    return values[finite[np.maximum(before, 0)]]


def apart(trend: Smoothed, i: int, j: int) -> float:
    """Standard errors by which the trend at j lies above that at i; 0 where neither is known, inf where there is no noise at all."""
    difference = float(trend.fit[j] - trend.fit[i])
    error = float(np.hypot(trend.standard_error[i], trend.standard_error[j]))
    if not np.isfinite(error) or difference == 0:
        return 0.0
    return difference / error if error > 0 else float(np.copysign(np.inf, difference))


def _learnt(trend: Smoothed, lowest: int) -> bool:
    return apart(trend, lowest, 0) > LEARNT


def _moved(trend: Smoothed) -> bool:
    many = max(1.0, np.log(len(trend.fit)) / np.log(LEFT_AT_LENGTH)) ** 0.5
    return bool(apart(trend, int(np.argmin(trend.fit)), int(np.argmax(trend.fit))) > many * LEFT_START)


def _starts_apart(raw: FloatArray) -> bool:
    """Whether the first value lies above all others, of seven or more, by more than their spread lets chance do."""
    if len(raw) < FEWEST_TO_READ:
        return False
    rest = raw[1:]
    spread = MAD_TO_SD * float(np.median(np.abs(rest - np.median(rest))))
    return bool(raw[0] - rest.max() > STARTS_APART * spread > 0)


def _in_order(raw: FloatArray) -> bool:
    """Whether the values come in an order that noise would not: the ranks of at least eight on a parabola and a logarithm of their places,
    by an F test (Conover and Iman 1981). It needs no noise level, which a short steep curve does not give."""
    count = len(raw)
    if count < FEWEST_TO_READ or np.ptp(raw) == 0:
        return False
    place, placed = np.arange(1, count + 1) / count, ranks(raw)
    for shape in ((place, place**2), (place, np.log(place))):
        columns = np.column_stack([np.ones(count), *shape])
        left = float(((placed - columns @ np.linalg.lstsq(columns, placed)[0]) ** 2).sum())
        free = count - columns.shape[1]
        explained = (float(((placed - placed.mean()) ** 2).sum()) - left) / len(shape)
        if f_sf(explained / max(left / free, 1e-12), len(shape), free) < IN_ORDER:
            return True
    return False
