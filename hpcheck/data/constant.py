"""What the best answers come to that look at no input: what a network must do better than to have learnt something."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcheck.data.arrays import IGNORED, Arrays, Raw
from hpcheck.data.prepare import split, task_and_outputs, units_of


@dataclass(frozen=True)
class Constant:
    """The best answers that look at no input: the lowest loss of one, and the highest accuracy; inf where these are not known."""

    loss: float
    accuracy: float = math.inf


def constant_answers(
    raw: Raw, loss: str, val_fraction: float = 0.1, validate_on: str = "held-out", limit: int | None = None, standardize: bool = False
) -> Constant:
    """Of the targets that are validated on. Loss: the entropy of the classes' or tokens' shares in nats, or the variance of values, mean
    over their K; inf for a loss of the user's own. Accuracy: the largest of the shares. `standardize`: of values standardized over those
    trained on.

    Targets may be (N,) classes, (N, T) tokens, or (N,) or (N, K) values.
    """
    parts = {name: Arrays(arrays.y, arrays.y) for name, arrays in raw.splits().items()}  # so that no example is copied
    train, val = split(Raw(parts["train"], parts.get("val"), parts.get("test")), val_fraction, validate_on, limit)
    targets = val.y
    task, _ = task_and_outputs(raw)
    is_known = loss in ("auto", {"regression": "mse"}.get(task, "cross_entropy"))
    if task != "regression":
        shares = _shares(targets[targets != IGNORED])
        return Constant(_entropy(shares) if is_known else math.inf, float(shares.max(initial=0.0)))
    if standardize:
        targets = units_of(train.y, task).standardized(val).y
    return Constant(float(targets.astype(np.float64).var(axis=0).mean()) if is_known else math.inf)


def _shares(classes: NDArray[np.generic]) -> NDArray[np.float64]:
    """
    >>> _shares(np.array([0, 0, 0, 2]))
    array([0.75, 0.25])
    """
    counts = np.bincount(classes.ravel().astype(np.int64, copy=False))  # no sort: every command asks, of all tokens there are
    shares: NDArray[np.float64] = counts[counts > 0] / max(counts.sum(), 1)
    return shares


def _entropy(shares: NDArray[np.float64]) -> float:
    """
    >>> round(_entropy(np.array([0.75, 0.25])), 4)
    0.5623
    """
    return float(-(shares * np.log(shares)).sum())
