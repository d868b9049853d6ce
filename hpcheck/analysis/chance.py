"""What a metric is worth by chance: the constant answer that a curve keeps returning to, and the binomial error of a share of examples."""

import numpy as np

from hpcheck.analysis.curve import Curve, FloatArray, is_value
from hpcheck.analysis.readable import FEWEST_TO_READ

SAME_SHARE, FEWEST_SAME = 0.5, 4  # ours: the share of evaluations, and how many, that have one value where answers are constant
CHANCE = 4.0  # ours: binomial errors above chance up to which nothing was learnt; a curve has many evaluations to be lucky in
WHOLES = (1.0, 100.0, 1000.0)  # what a share is of: 1, percent, per mille


def smallest_step(values: FloatArray) -> float:
    """The smallest difference between two values that are not the same: one example's share of an accuracy. 0 where all are the same.

    >>> round(smallest_step(np.array([0.25, 0.5, 0.375])), 3), smallest_step(np.array([2.0, 2.0]))
    (0.125, 0.0)
    """
    size = float(np.abs(values).max()) if len(values) else 0.0
    steps = np.diff(np.unique(np.round(values / size, 9))) if size > 0 else np.array([])
    return float(steps.min()) * size if len(steps) else 0.0


def constant_answer(curve: Curve) -> float | None:
    """The metric that the curve keeps returning to, as a constant answer gives it: the value of half of its evaluations.
    None where no value is so frequent."""
    if curve.accuracy is None:
        return None
    values, counts = np.unique(curve.accuracy[is_value(curve.accuracy)], return_counts=True)
    if counts.sum() < FEWEST_TO_READ or counts.max() < max(FEWEST_SAME, SAME_SHARE * counts.sum()):
        return None
    return float(values[np.argmax(counts)])


def above_chance(curve: Curve, level: float, best: float) -> bool:
    """Whether a metric that was `level` before training, and `best` at its best, lies above chance: above the level and above any constant
    answer by more than their binomial errors. The number of examples is read from its smallest step; True for what is no share of 1, 100 or
    1,000."""
    if curve.accuracy is None or not curve.higher_is_better:
        return True
    values = curve.accuracy[is_value(curve.accuracy)]
    constant = constant_answer(curve)
    chance = level if constant is None else max(level, constant)
    whole = next((whole for whole in WHOLES if values.max(initial=0.0) <= whole), None)
    if whole is None or values.min(initial=0.0) < 0:
        return True
    share = float(np.clip(chance / whole, 0.0, 1.0))
    return best > chance + CHANCE * whole * float(np.sqrt(share * (1 - share) * smallest_step(values) / whole))
