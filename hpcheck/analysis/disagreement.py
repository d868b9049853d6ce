"""Loss and metric that disagree over the same stretch of one curve (Smith 2018, 4.2, Fig. 6, and 5.2, Fig. 13b)."""

import numpy as np

from hpcheck.analysis.chance import smallest_step
from hpcheck.analysis.clue import DISAGREE, Clue, clue
from hpcheck.analysis.readable import Sound, apart
from hpcheck.analysis.smooth import Smoothed, smooth

DISAGREES = 5.0  # ours: standard errors by which each must have moved (chosen in benchmarks/reading)
FEWEST_STEPS = 2.5  # ours: ... and a metric these many of its smallest steps: one example that changes its mind is no disagreement


def disagreement_clues(sound: Sound) -> tuple[Clue, ...]:
    """The stretch from the best of one to the end, where the other went the opposite way by more than its error."""
    cost = sound.curve.metric_cost
    if cost is None or not sound.enough:
        return ()
    metric = smooth(sound.x, cost[sound.index])
    if not np.isfinite(metric.fit).all():
        return ()
    last = len(sound.x) - 1
    if np.ptp(metric.fit) <= FEWEST_STEPS * smallest_step(cost[sound.index]):
        return ()
    low_loss, low_cost = sound.lowest, int(np.argmin(metric.fit))
    if _opposite(sound.trend, metric, low_loss, last):
        return (_clue(sound, "loss-rises-metric-improves", low_loss),)
    if _opposite(metric, sound.trend, low_cost, last):
        return (_clue(sound, "loss-falls-metric-worsens", low_cost),)
    return ()


def _opposite(rises: Smoothed, falls: Smoothed, first: int, last: int) -> bool:
    return apart(rises, first, last) > DISAGREES and apart(falls, last, first) > DISAGREES


def _clue(sound: Sound, form: str, first: int) -> Clue:
    moved = abs(float(sound.trend.fit[-1] - sound.trend.fit[first]))
    strength = moved / sound.noise if sound.noise > 0 else np.inf
    return clue(sound.curve, DISAGREE, form, int(sound.index[first]), int(sound.index[-1]), strength)
