"""What a constant answer loses, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from hpcheck.data.arrays import Arrays, Raw
from hpcheck.data.constant import constant_loss

CLASSES = np.array([0, 0, 0, 1])
QUARTERS = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))


def raw(y: np.ndarray, val: np.ndarray | None = None) -> Raw:
    def arrays(targets: np.ndarray) -> Arrays:
        x = targets if targets.ndim == 2 and targets.dtype == np.int64 else np.zeros((len(targets), 3), np.float32)
        return Arrays(x, targets)

    return Raw(arrays(y), None if val is None else arrays(val))


@pytest.mark.parametrize(
    ("targets", "loss"),
    [
        (CLASSES, QUARTERS),
        (np.array([0, 1, 2, 3]), math.log(4)),
        (np.array([[0, 0], [0, 1]]), QUARTERS),
        (np.array([[0, 0, -100], [0, 1, -100]]), QUARTERS),
        (np.array([1.0, 3.0], np.float32), 1.0),
        (np.array([[1.0, 10.0], [3.0, 14.0]], np.float32), 2.5),
    ],
)
def test_it_is_the_entropy_of_the_shares_or_the_variance(targets: np.ndarray, loss: float) -> None:
    assert constant_loss(raw(targets, targets), "auto") == pytest.approx(loss)


def test_validation_targets_count_where_they_are_given() -> None:
    assert constant_loss(raw(np.array([0, 1, 0, 1]), CLASSES), "cross_entropy") == pytest.approx(QUARTERS)


def test_targets_that_are_held_out_count_or_those_of_the_test_split_where_it_validates() -> None:
    even, skewed = np.arange(400) % 4, np.repeat([0, 0, 0, 1], 100)
    given = Raw(raw(even).train, None, raw(skewed).train)
    assert constant_loss(given, "auto", 0.25) == pytest.approx(math.log(4))  # the classes in proportion
    assert constant_loss(given, "auto", validate_on="test") == pytest.approx(QUARTERS)
    few = raw(np.array([*range(4)] * 10, dtype=np.int64))
    assert constant_loss(few, "auto", 0.5, limit=8) == pytest.approx(math.log(4))


def test_of_another_loss_nothing_is_known() -> None:
    values = np.array([1.0, 3.0], np.float32)
    assert constant_loss(raw(CLASSES, CLASSES), "own:loss") == math.inf
    assert constant_loss(raw(values, values), "cross_entropy") == math.inf
