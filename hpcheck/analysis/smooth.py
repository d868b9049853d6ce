"""Robust local regression on unequally spaced raw values, and the noise of one raw value about the trend.

Local lines with tricube weights and Tukey's biweight (Cleveland 1979); each point takes the widest neighbourhood that agrees with all the
narrower ones within their confidence intervals (intersection of confidence intervals: Goldenshluger and Nemirovski 1997), so that a steep
start and a long flat stretch are both followed. The noise comes from second differences (Gasser, Sroka and Jennen-Steinmetz 1986), which
do not see the trend.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.curve import FloatArray, IntArray, is_value
from hpcheck.analysis.distributions import kendall
from hpcheck.analysis.memory import once

FEWEST_POINTS = 5  # ours: below five finite values there is no noise to speak of (three second differences)
NARROWEST, WIDENING = 5, 1.4  # ours: points in the narrowest neighbourhood, and the growth from one to the next
AGREEMENT = 1.6  # ours: half-width, in standard errors, of the intervals that must keep a point in common
AT_LENGTH = 20  # ours: the length at which they hold; for more points they grow as sqrt(log n), as the largest of n errors does
RAW_AGREEMENT = 3.0  # ours: ... and in noise levels, of the raw value's own interval: a steep start keeps its values
OUT_OF_SIGHT = 2.0  # ours: noise levels by which the trend may lie beyond all the raw values around it
END, A_SIXTEENTH, LONGEST_END = 3, 16, 5  # ours: as many last values, a sixteenth of all, place the trend's end ...
SHORT, END_OF_SHORT = 15, 2  # ours: ... and two in curves shorter than this (both chosen by the error at the end of generated curves)
SPIKE = 6.0  # ours, after Cleveland 1979's six deviations: a value this many noise levels beyond both its sides has no weight
SIDE = 5  # ours: values on each side that a spike is held against, three in a short curve
CROWDED = 0.35  # ours: where more of the neighbours than this stand out, that is the noise there and none of them is a spike
MAD_TO_SD = 1.4826
LOCAL, LOCAL_PRIOR = 11, 5  # ours: second differences in a local noise level, and how many the curve's own level counts for, in logs
LARGER_NOISIER = 0.01  # ours: the chance below which Kendall's test says that large losses are noisier
LEAST_SIZE = 0.03  # ours: ... and the smallest of their sizes, as a share of the range (the quiet tail of the paper's DenseNet)
LEAST_LOCAL = 0.1  # ours: share of the curve's noise that a local level is at least
MOST_POINTS = 400  # ours: longer curves are read through the medians of at most so many blocks


@dataclass(frozen=True)
class Smoothed:
    """A trend and the noise about it; arrays are (E,).

    `fit` is NaN where the raw value is NaN or inf. With fewer than five finite values `fit` is the raw values, and `noise` and
    `standard_error` are NaN: nothing can be said about noise. `noise` is the robust standard deviation of one raw value about the trend,
    over the curve; `local_noise` the same near each point.
    """

    fit: FloatArray
    noise: float
    standard_error: FloatArray
    local_noise: FloatArray


def smooth(x: FloatArray, y: FloatArray) -> Smoothed:
    """The trend of `y` over `x`. NaN and inf in either are left out, and NaN in the fit. The arrays returned are not to be written to."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return once(("smooth", x.tobytes(), y.tobytes()), lambda: _smoothed(x, y))


def smooth_parts(x: FloatArray, y: FloatArray, parts: tuple[int, ...]) -> Smoothed:
    """The trend of each part by itself, `parts` being their first places: no line is drawn across an lr that steps down, and each part has
    its own noise. The noise over the curve is the median of these."""
    if len(parts) == 1:
        return smooth(x, y)
    bounds = (*parts, len(x))
    each = [smooth(x[first:until], y[first:until]) for first, until in zip(parts, bounds[1:], strict=True)]
    fit, error, local = (np.concatenate([getattr(one, name) for one in each]) for name in ("fit", "standard_error", "local_noise"))
    return Smoothed(fit, float(np.median(local)), error, local)


def _smoothed(x: FloatArray, y: FloatArray) -> Smoothed:
    finite = is_value(x) & is_value(y)
    fit, error, local, noise = *(np.full(len(y), np.nan) for _ in range(3)), np.nan
    if finite.sum() < FEWEST_POINTS:
        fit[finite] = y[finite]
    else:
        order = np.flatnonzero(finite)[np.argsort(x[finite], kind="stable")]
        at, values = x[order], y[order]  # (F,), (F,)
        noise, fit[order], error[order], local[order] = _through_blocks(at, values) if len(at) > MOST_POINTS else _smooth(at, values)
    for array in (fit, error, local):
        array.flags.writeable = False
    return Smoothed(fit, noise, error, local)


def _smooth(x: FloatArray, y: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Noise, trend, standard errors and local noise of finite values in order, (F,) each but the first."""
    noise, sigmas, kept = noise_levels(x, y)
    if noise == 0:
        return 0.0, y.copy(), np.zeros(len(y)), sigmas
    fit, error = _widest_agreeing(x, y, sigmas, kept)
    fit, error = _on_its_end(_within_sight(fit, y, sigmas), error, y, sigmas, kept)
    return noise, fit, error, sigmas


def _on_its_end(fit: FloatArray, error: FloatArray, y: FloatArray, sigmas: FloatArray, kept: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The trend's last two points moved by what the last values lie off it on average, and their errors with that of the average.

    A line that has one side only to go by runs on past the bend of a curve that flattens, and falls short of one that steepens.
    """
    count = END_OF_SHORT if len(y) < SHORT else min(max(END, len(y) // A_SIXTEENTH), LONGEST_END)
    off = (y - fit)[-count:][kept[-count:] > 0.5]
    if len(off) == 0:
        return fit, error
    moved, moved_error = fit.copy(), error.copy()
    moved[-2:] += off.mean()
    moved_error[-2:] = np.hypot(error[-2:], sigmas[-2:] / np.sqrt(len(off)))
    return moved, moved_error


def _within_sight(fit: FloatArray, y: FloatArray, sigmas: FloatArray) -> FloatArray:
    """The trend held within the raw values of each point's narrowest neighbourhood, and a margin of their noise.

    A line through a cliff would otherwise leave the curve behind it: 2.3, 0.25, 0.16, 0.16 was once read as falling to -1.8.
    """
    reach = NARROWEST // 2
    padded = np.pad(y, reach, mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, NARROWEST)  # (F, NARROWEST)
    margin = OUT_OF_SIGHT * sigmas
    return np.clip(fit, near.min(axis=1) - margin, near.max(axis=1) + margin)


def _through_blocks(x: FloatArray, y: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """The same for a long curve: the trend of its blocks' medians, interpolated; the noise is that of a raw value."""
    noise = noise_levels(x, y, local=False)[0]
    blocks = np.array_split(np.arange(len(x)), MOST_POINTS)
    middle = np.array([np.median(x[block]) for block in blocks])
    level = np.array([np.median(y[block]) for block in blocks])
    block_noise, fit, error, sigmas = _smooth(middle, level)
    scale = noise / block_noise if block_noise > 0 else 1.0
    return noise, np.interp(x, middle, fit), np.interp(x, middle, error), scale * np.interp(x, middle, sigmas)


def noise_levels(x: FloatArray, y: FloatArray, local: bool = True) -> tuple[float, FloatArray, FloatArray]:
    """Standard deviation of one raw value over the curve and near each point (F,), and the weight (F,) of each, 0 for a spike.

    All values finite, F >= 3. Without `local`, the level near each point is that over the curve.
    """
    noise = _level(x, y)
    kept = _spike_weights(y, noise)
    if (kept < 1).any() and (kept > 0.5).sum() >= FEWEST_POINTS:
        noise = _level(x[kept > 0.5], y[kept > 0.5])
        kept = _spike_weights(y, noise)
    if not local or noise == 0:
        return noise, np.full(len(y), noise), kept
    calm = np.flatnonzero(kept > 0.5) if (kept > 0.5).sum() >= FEWEST_POINTS else np.arange(len(y))
    residual = _second_differences(x[calm], y[calm])  # (C-2,)
    away = np.abs(np.arange(len(y))[:, None] - calm[None, 1:-1])  # (F, C-2)
    nearest = np.argsort(away, axis=1, kind="stable")[:, :LOCAL]
    sigmas = _near(residual, nearest, noise)
    size = _in_proportion(y, calm[1:-1], residual)
    if size is not None:
        relative = residual / size[calm[1:-1]]
        sigmas = np.minimum(sigmas, size * _near(relative, nearest, spread(relative)))
    return noise, sigmas, kept


def _near(residual: FloatArray, nearest: IntArray, usual: float) -> FloatArray:
    """The noise near each point, (F,), from its nearest residuals and, counting for a few of them, the usual noise."""
    near = np.maximum(MAD_TO_SD * np.median(residual[nearest], axis=1), LEAST_LOCAL * usual)
    return np.asarray(np.exp((LOCAL * np.log(near) + LOCAL_PRIOR * np.log(usual)) / (LOCAL + LOCAL_PRIOR)))


def _in_proportion(y: FloatArray, at: IntArray, residual: FloatArray) -> FloatArray | None:
    """The level of the loss above its lowest, (F,), where large losses are clearly the noisier ones; None where they are not.

    A loss that falls from 12 to 0.4 has a quiet tail: under one noise level for all of it the trend would ignore what the tail says.
    """
    reach = NARROWEST // 2
    level = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(y, reach, mode="edge"), NARROWEST), axis=1)
    size = level - level.min() + LEAST_SIZE * np.ptp(level)  # above its lowest: a loss has no zero that means anything
    if len(at) < FEWEST_POINTS or np.ptp(level) == 0:
        return None
    return size if kendall(level[at], residual)[1] < LARGER_NOISIER else None


def _level(x: FloatArray, y: FloatArray) -> float:
    """The noise by second differences, or by third ones where these see less: in a short curve the second still see its bends."""
    second = spread(_second_differences(x, y))
    if len(y) < 2 * FEWEST_POINTS - 2:
        return second
    return min(second, spread(np.abs(np.diff(y, 3)) / np.sqrt(20.0)))


def _second_differences(x: FloatArray, y: FloatArray) -> FloatArray:
    """Distance of each inner value from the line through its neighbours, scaled to the deviation of one value; (F-2,)."""
    left, right = np.diff(x)[:-1], np.diff(x)[1:]
    share = np.divide(right, left + right, out=np.full(len(left), 0.5), where=left + right > 0)
    line = share * y[:-2] + (1 - share) * y[2:]
    return np.asarray(np.abs(y[1:-1] - line) / np.sqrt(1 + share**2 + (1 - share) ** 2))


def spread(residual: FloatArray) -> float:
    """Robust standard deviation of absolute residuals; their mean where more than half of them are 0 (quantised values)."""
    middle = _middle(np.sort(residual))
    return MAD_TO_SD * middle if middle > 0 else float(np.mean(residual)) * float(np.sqrt(np.pi / 2))


def _spike_weights(y: FloatArray, noise: float) -> FloatArray:
    """Tukey's biweight of how far each value lies beyond both its sides, (F,); the first has one only and keeps its."""
    weight = np.ones(len(y))
    if noise == 0 or len(y) < FEWEST_POINTS:
        return weight
    side = SIDE if len(y) >= 4 * SIDE else 3
    before = _medians_before(y, side)[1:-1]
    after = _medians_before(y[::-1], side)[::-1][1:-1]
    inner = y[1:-1]
    beyond = np.maximum(np.maximum(inner - np.maximum(before, after), np.minimum(before, after) - inner), 0.0)
    weight[1:-1] = (1 - np.minimum(beyond / (SPIKE * noise), 1.0) ** 2) ** 2
    going_on = (y[-2], y[-3], 2 * y[-2] - y[-3])  # the last value has one side only: held against where the two before it point
    off = max(float(y[-1]) - max(going_on), min(going_on) - float(y[-1]), 0.0)
    weight[-1] = (1 - min(off / (SPIKE * noise), 1.0) ** 2) ** 2
    crowd = np.convolve(weight < 0.5, np.ones(LOCAL) / LOCAL, mode="same") if len(y) >= LOCAL else np.zeros(len(y))
    weight[crowd > CROWDED] = 1.0
    return weight


def _medians_before(y: FloatArray, side: int) -> FloatArray:
    """The median of up to `side` values before each one, (F,); the first has none, and gets itself. F > side."""
    whole = np.sort(np.lib.stride_tricks.sliding_window_view(y[:-1], side), axis=1)[:, side // 2]  # (F - side,), side being odd
    return np.concatenate([y[:1], [_middle(sorted(y[:i].tolist())) for i in range(1, side)], whole])


def _middle(ordered: Sequence[float] | FloatArray) -> float:
    """The median of values in order, which `np.median` would take ten times as long for."""
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else float((ordered[half - 1] + ordered[half]) / 2)


def _widest_agreeing(x: FloatArray, y: FloatArray, sigmas: FloatArray, kept: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Local lines, each over the widest neighbourhood that agrees with the narrower ones and with its own raw value."""
    kept = np.maximum(kept, 1e-9)
    distance = np.abs(x[:, None] - x[None, :])  # (F, F)
    ordered = np.sort(distance, axis=1)
    many = max(1.0, np.log(len(y)) / np.log(AT_LENGTH)) ** 0.5  # more points, more chances to disagree by chance
    own = np.where(kept > 0.5, many * RAW_AGREEMENT * sigmas, np.inf)  # a spike binds nothing
    own[-1] = np.inf  # one last value is no evidence of a turn
    low, high = y - own, y + own
    going = np.ones(len(y), dtype=bool)
    fit, error = y.copy(), sigmas.copy()
    size = float(NARROWEST)
    while going.any():
        count = min(int(size), len(y))
        line, deviation = _local_lines(x, y, sigmas, kept, distance, ordered[:, count - 1])
        low, high = np.maximum(low, line - many * AGREEMENT * deviation), np.minimum(high, line + many * AGREEMENT * deviation)
        going &= low <= high
        fit, error = np.where(going, line, fit), np.where(going, deviation, error)
        if count == len(y):
            break
        size *= WIDENING
    return fit, error


def _local_lines(
    x: FloatArray, y: FloatArray, sigmas: FloatArray, kept: FloatArray, distance: FloatArray, reach: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weighted lines through each point's neighbourhood, evaluated at the point: values and standard errors, (F,) each."""
    width = np.maximum(reach * 1.05, 1e-300)[:, None]
    weight = (1 - (np.minimum(distance, width) / width) ** 3) ** 3 * kept[None, :]  # (F, F) tricube
    offset = np.clip(x[None, :] - x[:, None], -width, width) / width  # beyond the width the weight is 0
    s0, s1, s2 = weight.sum(1), (weight * offset).sum(1), (weight * offset**2).sum(1)
    spread = s0 * s2 - s1**2
    flat = spread <= 1e-9 * s0 * s2
    spread, s1, s2 = np.where(flat, s0, spread), np.where(flat, 0.0, s1), np.where(flat, 1.0, s2)
    rows = weight * (s2[:, None] - s1[:, None] * offset) / spread[:, None]  # (F, F) the fit is rows @ y
    return rows @ y, np.sqrt((rows**2) @ sigmas**2)
