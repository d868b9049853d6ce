"""What the best answer loses that looks at no input: what a network must do better than to have learnt something."""

import math

import numpy as np
from numpy.typing import NDArray

from hpcheck.data.arrays import IGNORED, Arrays, Raw
from hpcheck.data.prepare import split, task_and_outputs, units_of


def constant_loss(
    raw: Raw, loss: str, val_fraction: float = 0.1, validate_on: str = "held-out", limit: int | None = None, standardize: bool = False
) -> float:
    """Loss of the best constant answer on the targets that are validated on: the entropy of the classes' or tokens' shares in nats, the
    variance of values, mean over their K. inf for a loss of the user's own. `standardize`: of values standardized over those trained on.

    Targets may be (N,) classes, (N, T) tokens, or (N,) or (N, K) values.
    """
    parts = {name: Arrays(arrays.y, arrays.y) for name, arrays in raw.splits().items()}  # so that no example is copied
    train, val = split(Raw(parts["train"], parts.get("val"), parts.get("test")), val_fraction, validate_on, limit)
    targets = val.y
    task, _ = task_and_outputs(raw)
    if loss not in ("auto", {"regression": "mse"}.get(task, "cross_entropy")):
        return math.inf
    if standardize:
        targets = units_of(train.y, task).standardized(val).y
    return float(targets.astype(np.float64).var(axis=0).mean()) if task == "regression" else _entropy(targets[targets != IGNORED])


def _entropy(classes: NDArray[np.generic]) -> float:
    """
    >>> round(_entropy(np.array([0, 0, 0, 1])), 4)
    0.5623
    """
    counts = np.bincount(classes.ravel().astype(np.int64, copy=False))  # no sort: every command asks, of all tokens there are
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
