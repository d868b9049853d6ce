"""Divergence: NaN, a rise that is sharp against the lr range, or a loss that ends above its start (Smith 2018, 3.3, Fig. 4a).

What counts is the level that the loss never goes below again, so that a spike which recovers (a batch, BatchNorm's running averages) is
not divergence.
"""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.curve import Curve, FloatArray, IntArray, is_value
from hpcheck.analysis.memory import once
from hpcheck.analysis.smooth import smooth
from hpcheck.analysis.wandering import only_wanders, wandering

SHARP_SPAN = 0.12  # ours: a rise is sharp when it happens within this share of the curve (chosen in benchmarks/reading)
SHARP_RISE = 0.4  # ours: ... and is at least this share of the whole descent (chosen there)
SHARP_SHARE = 0.5  # ours: ... and this share of all that the loss rises by: a rise that is spread out evenly is gradual, however high
SHARP_NOISE = 6.0  # ours: ... and this many noise levels
BEFORE, FEWEST_BEFORE = (
    11,
    4,
)  # ours: ... of the curve, and of the values just before it, where there are that many: noise may grow with the lr
CONTINUED_FACTOR = 1.0  # ours: ... or all of the loss in a run that goes on from another: what it had fallen by before is not in the curve
# ours: a loss that ends SHARP_NOISE noise levels above its start has ended above it ...
ABOVE_SPAN = 0.33  # ... which is divergence where the rise took at most this share of the curve, or nothing had been learnt
ONSET = 0.1  # ours: divergence begins where this share of the sharp rise has been climbed


@dataclass(frozen=True)
class Divergence:
    """`onset`: the first evaluation, of all, that is not to be read; `form`: not-finite, sharp-rise or above-start."""

    onset: int
    form: str
    strength: float


def find_divergence(curve: Curve) -> Divergence | None:
    """Where the curve diverges for good; None where it does not.

    A NaN or inf that is followed by finite losses is passed over; one from which no finite loss returns is divergence, as is
    `curve.diverged`. An empty curve diverges only where the engine said so.
    """
    return once(("divergence", curve.key), lambda: _divergence(curve))


def _divergence(curve: Curve) -> Divergence | None:
    finite = np.flatnonzero(is_value(curve.val_loss))
    if len(finite) == 0:
        return Divergence(0, "not-finite", np.inf) if len(curve) or curve.diverged else None
    raw, x = curve.val_loss[finite], curve.step[finite]
    ended = len(curve) - 1 > finite[-1] or curve.diverged
    least = CONTINUED_FACTOR if curve.continued else 0.0
    wanders = not ended and only_wanders(raw)
    rise = _sharp_rise(x, raw, ended, least) if len(raw) >= 3 and not wanders else None
    if rise is None and len(raw) >= 8 and not wanders and not _improves(curve, finite):
        rise = _above_start(x, raw, wandering(x, raw), least)
    if rise is not None:
        at, form, strength = rise
        return Divergence(int(finite[at]), "not-finite" if ended else form, np.inf if ended else strength)
    return Divergence(int(finite[-1]) + 1, "not-finite", np.inf) if ended else None


def level_for_good(raw: FloatArray, ended: bool = False) -> FloatArray:
    """The level that the loss never goes below again, after medians of three so that one low value does not hide a rise; (F,)."""
    padded = np.concatenate([raw[:1], raw, raw[-1:]])
    medians = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    if ended:
        medians[-1] = raw[-1]
    else:
        medians[-1] = min(raw[-1], medians[-2]) if len(raw) > 1 else raw[-1]
    return np.minimum.accumulate(medians[::-1])[::-1]


def start_level(raw: FloatArray) -> float:
    """The loss before training showed: the first value, or the median of the first three where that is higher."""
    return float(max(raw[0], np.median(raw[:3])))


def _sharp_rise(x: FloatArray, raw: FloatArray, ended: bool, least: float) -> tuple[int, str, float] | None:
    found = _sharpest(x, raw, ended, least, wandering(x, raw))
    if found is None:
        return None
    before = slice(max(0, found[0] - BEFORE), found[0])
    noise = wandering(x[before], raw[before]) if before.stop - before.start >= FEWEST_BEFORE else 0.0
    return found if noise <= wandering(x, raw) else _sharpest(x, raw, ended, least, noise)


def _sharpest(x: FloatArray, raw: FloatArray, ended: bool, least: float, noise: float) -> tuple[int, str, float] | None:
    level = level_for_good(raw, ended)
    start, lowest = start_level(raw), float(level.min())
    needed = max(SHARP_RISE * max(start - lowest, 0.0), SHARP_NOISE * noise, least * abs(lowest))
    needed = max(needed, SHARP_SHARE * float(level[-1] - lowest))
    reach = np.searchsorted(x, x + SHARP_SPAN * (x[-1] - x[0]), side="right") - 1
    reach = np.minimum(np.maximum(reach, np.arange(len(x)) + 1), len(x) - 1)
    rises = level[reach] - level
    sharpest = int(np.argmax(rises))
    if not rises[sharpest] > needed:
        return None
    first = int(np.flatnonzero(rises > needed)[0])
    climbed = np.flatnonzero(level > level[first] + max(ONSET * (level[reach[first]] - level[first]), 2 * noise))
    return int(climbed[0]), "sharp-rise", float(rises[sharpest] / noise) if noise > 0 else np.inf


def _above_start(x: FloatArray, raw: FloatArray, noise: float, least: float) -> tuple[int, str, float] | None:
    """A loss that ends above its start; a long gradual rise that gets there from a minimum is overfitting (Fig. 7a)."""
    level = level_for_good(raw)
    start = start_level(raw)
    above = np.flatnonzero(level > start + max(SHARP_NOISE * noise, least * abs(start)))
    if len(above) == 0:
        return None
    learnt = start - float(level.min()) > SHARP_NOISE * noise
    at_minimum = np.flatnonzero(level <= level.min() + 2 * noise)[-1]
    if learnt and x[above[0]] - x[at_minimum] > ABOVE_SPAN * (x[-1] - x[0]):
        return None
    return int(above[0]), "above-start", float((level[-1] - start) / noise) if noise > 0 else np.inf


def _improves(curve: Curve, finite: IntArray) -> bool:
    """Whether the training loss still falls over the second half, or the metric ends better than it began: then it learns, and a
    validation loss above its start is overfitting."""
    cost = curve.metric_cost
    if cost is not None and float(np.median(cost[finite[-3:]])) < float(np.median(cost[finite[:3]])):
        return True
    if curve.train_loss is None:
        return False
    half = finite[len(finite) // 2 :]
    fit = smooth(curve.step[half], curve.train_loss[half]).fit
    fit = fit[np.isfinite(fit)]
    return bool(len(fit) >= 3 and fit[-1] < fit[0])
