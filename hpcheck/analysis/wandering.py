"""How far values go by chance that follow each other, as those of a moving average do: further than each lies from the next."""

import numpy as np

from hpcheck.analysis.curve import FloatArray
from hpcheck.analysis.smooth import noise_levels, spread

WANDERS, NEAREST_WANDERED = 20, 2  # ours: values wander over this share of a curve (its inverse), and so many values at the least
FEWEST_WANDERED = 16  # ours: ... in a curve of at least so many (11 lost 8 of 480 divergences of development curves, 16 none)
FEWEST_FOLLOWING, APART = 40, 4  # ours: values of a curve in which it can be told whether they follow each other, by those so far apart
FOLLOW = (1.5, 3.0)  # ours: ... which lie this many times as far off a line as neighbours do: independent ones 1, a walk 2, a bend 16
# Ours: what such values span by chance is this many of a walk's steps, times the root of their number, and this many times what they wander
# (both chosen on moving averages of noise and on collapses, as benchmarks.reading.noise_sweeps makes them)
WALKED, WANDERED = 1.8, 14.0


def wandering(x: FloatArray, y: FloatArray) -> float:
    """How far one raw value lies from its neighbours by chance, or from those a twentieth of the curve away, two values at the least, where
    that is further: values that follow each other, as those of a moving average do, wander further than one does from the next. All finite,
    F >= 3."""
    near = noise_levels(x, y, local=False)[0]
    return max(near, _far(y)) if len(y) >= FEWEST_WANDERED else near


def only_wanders(y: FloatArray) -> bool:
    """Whether values that follow each other span no more than such values do by chance, as noise does under a long moving average. What
    falls or collapses spans more than a walk of such steps would. All finite."""
    if not _follow(y):
        return False
    walk = WALKED * np.sqrt(3.0) * _off_line(y, 1) * np.sqrt(len(y))  # a walk's values lie sqrt(1/3) of its steps off the line
    return bool(np.ptp(y) < min(walk, WANDERED * _far(y)))


def _follow(y: FloatArray) -> bool:
    """Whether values four apart lie off the line between theirs twice as far as neighbours do, as in a random walk; in noise of the usual
    kind they lie as far, and where they bend sixteen times."""
    return len(y) >= FEWEST_FOLLOWING and FOLLOW[0] * _off_line(y, 1) < _off_line(y, APART) < FOLLOW[1] * _off_line(y, 1)


def _far(y: FloatArray) -> float:
    return _off_line(y, max(len(y) // WANDERS, NEAREST_WANDERED))


def _off_line(y: FloatArray, lag: int) -> float:
    """How far values lie off the line between those `lag` before and after, scaled to the deviation of one independent value."""
    return spread(np.abs(y[lag:-lag] - (y[: -2 * lag] + y[2 * lag :]) / 2) / np.sqrt(1.5))
