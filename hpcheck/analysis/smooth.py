"""Robust local regression on unequally spaced raw values, and the noise of one raw value about the trend.

Local lines with tricube weights and Tukey's biweight (Cleveland 1979); each point takes the widest neighbourhood that agrees with all the
narrower ones within their confidence intervals (intersection of confidence intervals: Goldenshluger and Nemirovski 1997), so that a steep
start and a long flat stretch are both followed. The noise comes from second differences (Gasser, Sroka and Jennen-Steinmetz 1986), which
do not see the trend.
"""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.curve import FloatArray

FEWEST_POINTS = 5  # ours: below five finite values there is no noise to speak of (three second differences)
NARROWEST, WIDENING = 5, 1.4  # ours: points in the narrowest neighbourhood, and the growth from one to the next
AGREEMENT = 2.0  # ours: half-width, in standard errors, of the intervals that must keep a point in common
OUTLIER = 6.0  # Cleveland 1979 uses six median absolute deviations; here as many noise levels
REWEIGHTINGS = 2
MAD_TO_SD = 1.4826
LOCAL, LOCAL_PRIOR = 11, 6  # ours: second differences in a local noise level, and how many the curve's own level counts for


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
    """The trend of `y` over `x`, which must not decrease. NaN and inf in `y` are left out, and NaN in the fit."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    fit, error, local = (np.full(len(y), np.nan) for _ in range(3))
    if finite.sum() < FEWEST_POINTS:
        fit[finite] = y[finite]
        return Smoothed(fit, np.nan, error, local)
    order = np.argsort(x[finite], kind="stable")
    at, values = x[finite][order], y[finite][order]  # (F,), (F,)
    sigma, sigmas = noise_levels(at, values)
    fitted, errors = _reweighted(at, values, sigmas)
    back = np.flatnonzero(finite)[order]
    fit[back], error[back], local[back] = fitted, errors, sigmas
    return Smoothed(fit, sigma, error, local)


def noise_levels(x: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
    """Standard deviation of one raw value: over the curve, and near each point (F,). All values finite, F >= 3."""
    left, right = np.diff(x)[:-1], np.diff(x)[1:]
    share = np.divide(right, left + right, out=np.full(len(left), 0.5), where=left + right > 0)
    line = share * y[:-2] + (1 - share) * y[2:]
    residual = np.abs(y[1:-1] - line) / np.sqrt(1 + share**2 + (1 - share) ** 2)  # (F-2,)
    whole = _spread(residual)
    near = np.abs(np.arange(len(y))[:, None] - np.arange(1, len(y) - 1)[None, :])  # (F, F-2)
    nearest = np.argsort(near, axis=1, kind="stable")[:, :LOCAL]
    local = MAD_TO_SD * np.median(residual[nearest], axis=1)  # (F,)
    return whole, np.sqrt((LOCAL * local**2 + LOCAL_PRIOR * whole**2) / (LOCAL + LOCAL_PRIOR))


def _spread(residual: FloatArray) -> float:
    """Robust standard deviation of absolute residuals; their mean where more than half of them are 0 (quantised values)."""
    middle = float(np.median(residual))
    return MAD_TO_SD * middle if middle > 0 else float(np.mean(residual)) * np.sqrt(np.pi / 2)


def _reweighted(x: FloatArray, y: FloatArray, sigmas: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Adaptive local lines, refitted without the outliers. A constant curve fits itself with no error."""
    if not sigmas.any():
        return y.copy(), np.zeros(len(y))
    centre = _running_median(y)
    for _ in range(1 + REWEIGHTINGS):
        away = np.abs(y - centre) / (OUTLIER * sigmas)
        kept = np.maximum((1 - np.minimum(away, 1.0) ** 2) ** 2, 1e-6)  # (F,) Tukey's biweight, never quite 0
        centre, error = _widest_agreeing(x, y, sigmas, kept)
    return centre, error


def _running_median(y: FloatArray, width: int = 5) -> FloatArray:
    """Median of `width` neighbours, fewer at the ends: a monotone stretch keeps its values, a spike does not."""
    half = width // 2
    return np.array([np.median(y[max(0, i - min(half, len(y) - 1 - i, i)) : i + min(half, len(y) - 1 - i, i) + 1]) for i in range(len(y))])


def _widest_agreeing(x: FloatArray, y: FloatArray, sigmas: FloatArray, kept: FloatArray) -> tuple[FloatArray, FloatArray]:
    distance = np.abs(x[:, None] - x[None, :])  # (F, F)
    ordered = np.sort(distance, axis=1)
    low, high = np.full(len(y), -np.inf), np.full(len(y), np.inf)
    going = np.ones(len(y), dtype=bool)
    fit, error = y.copy(), sigmas.copy()
    size = float(NARROWEST)
    while going.any():
        count = min(int(size), len(y))
        line, deviation = _local_lines(x, y, sigmas, kept, distance, ordered[:, count - 1])
        low, high = np.maximum(low, line - AGREEMENT * deviation), np.minimum(high, line + AGREEMENT * deviation)
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
    weight = np.maximum(1 - (distance / width) ** 3, 0.0) ** 3 * kept[None, :]  # (F, F)
    offset = (x[None, :] - x[:, None]) / width
    s0, s1, s2 = weight.sum(1), (weight * offset).sum(1), (weight * offset**2).sum(1)
    spread = s0 * s2 - s1**2
    flat = spread <= 1e-9 * s0 * s2
    spread, s1, s2 = np.where(flat, s0, spread), np.where(flat, 0.0, s1), np.where(flat, 1.0, s2)
    rows = weight * (s2[:, None] - s1[:, None] * offset) / spread[:, None]  # (F, F) the fit is rows @ y
    return rows @ y, np.sqrt((rows**2) @ sigmas**2)
