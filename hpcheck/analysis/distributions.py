"""Student's t, F, Tukey's studentized range, ranks, Kendall's tau, without the 0.7 s that `scipy.stats` takes to import."""

from functools import cache

import numpy as np
from scipy.special import fdtrc, gammaln, ndtr, stdtr, stdtrit

from hpcheck.analysis.curve import FloatArray

NODES = 96  # ours: of each of the two integrals; within 1e-5 of scipy's figures for 2 to 20 candidates (a test)
REACH = 8.0  # standard deviations that the integral over normals spans
BLOCK = 1000  # rows compared at once: a curve of 10,000 points needs no 100 million signs in memory


def student_sf(t: float, freedom: float) -> float:
    """P(T > t) of Student's t with `freedom` degrees of freedom."""
    return float(stdtr(freedom, -t))


def student_quantile(probability: float, freedom: float) -> float:
    """The t that is exceeded with 1 - `probability`."""
    return float(stdtrit(freedom, probability))


def f_sf(ratio: float, above: float, below: float) -> float:
    """P(F > ratio) with so many degrees of freedom above and below the line."""
    return float(fdtrc(above, below, ratio))


def studentized_range_sf(q: float, among: int, freedom: float) -> float:
    """P(Q > q): the range of `among` normals over a standard deviation estimated with `freedom` degrees of freedom (Tukey 1949).

    P(range < w) = k * integral of phi(z) (Phi(z) - Phi(z - w))^(k-1) dz, and w = q s is averaged over s = chi / sqrt(freedom).
    """
    scales, weights = _scales(freedom)
    z, step = np.linspace(-REACH, REACH, 2 * NODES + 1, retstep=True)
    phi = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    inside = (ndtr(z) - ndtr(z - q * scales[:, None])) ** (among - 1)  # (S, Z)
    below = among * (inside * phi).sum(axis=1) * step
    return float(np.clip(1 - weights @ below, 0, 1))


@cache
def _scales(freedom: float) -> tuple[FloatArray, FloatArray]:
    """Values of s = chi / sqrt(freedom), and their weights: s itself is 1 where the degrees of freedom are infinite."""
    if not np.isfinite(freedom):
        return np.ones(1), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    spread = np.log1p(6 / np.sqrt(2 * freedom))
    log_s = -4 * spread + (nodes + 1) / 2 * 5.5 * spread  # few degrees of freedom: a long way down
    s = np.exp(log_s)
    half = freedom / 2
    log_density = half * np.log(half) - gammaln(half) + np.log(2) + freedom * log_s - half * s**2  # of log s
    mass = weights * np.exp(log_density)
    return s, mass / mass.sum()


def ranks(values: FloatArray) -> FloatArray:
    """The place of each value, from 1; equal ones share the mean of theirs."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[at], float)


def kendall(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Kendall's tau-b, and the one-sided probability of one as large by chance: normal approximation with ties (Kendall 1970).

    (NaN, NaN) with fewer than two points, or where x or y is constant.
    """
    x, y, count = np.asarray(x, float), np.asarray(y, float), len(x)
    tied_x, tied_y = _ties(x), _ties(y)
    pairs = count * (count - 1) / 2
    if count < 2 or tied_x[0] == pairs or tied_y[0] == pairs:
        return float("nan"), float("nan")
    agreeing = 0.0
    for begin in range(0, count, BLOCK):
        block = slice(begin, begin + BLOCK)
        agreeing += float((np.sign(x[block, None] - x) * np.sign(y[block, None] - y)).sum())
    agreeing /= 2
    tau = agreeing / np.sqrt((pairs - tied_x[0]) * (pairs - tied_y[0]))
    variance = (count * (count - 1) * (2 * count + 5) - tied_x[1] - tied_y[1]) / 18 + 2 * tied_x[0] * tied_y[0] / (count * (count - 1))
    if count > 2:
        variance += tied_x[2] * tied_y[2] / (9 * count * (count - 1) * (count - 2))
    return float(tau), float(ndtr(-agreeing / np.sqrt(variance)))


def _ties(values: FloatArray) -> tuple[float, float, float]:
    """Over the groups of equal values, t of them each: sums of t(t-1)/2, t(t-1)(2t+5), t(t-1)(t-2)."""
    counts = np.unique(values, return_counts=True)[1].astype(float)
    pairs = counts * (counts - 1)
    return float(pairs.sum() / 2), float((pairs * (2 * counts + 5)).sum()), float((pairs * (counts - 2)).sum())
