"""What a constant answer loses, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from hpcheck.data.arrays import Arrays, Raw
from hpcheck.data.constant import constant_answers

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
    assert constant_answers(raw(targets, targets), "auto").loss == pytest.approx(loss)


def test_validation_targets_count_where_they_are_given() -> None:
    assert constant_answers(raw(np.array([0, 1, 0, 1]), CLASSES), "cross_entropy").loss == pytest.approx(QUARTERS)


def test_targets_that_are_held_out_count_or_those_of_the_test_split_where_it_validates() -> None:
    even, skewed = np.arange(400) % 4, np.repeat([0, 0, 0, 1], 100)
    given = Raw(raw(even).train, None, raw(skewed).train)
    assert constant_answers(given, "auto", 0.25).loss == pytest.approx(math.log(4))  # the classes in proportion
    assert constant_answers(given, "auto", validate_on="test").loss == pytest.approx(QUARTERS)
    few = raw(np.array([*range(4)] * 10, dtype=np.int64))
    assert constant_answers(few, "auto", 0.5, limit=8).loss == pytest.approx(math.log(4))


def test_the_accuracy_is_the_share_of_the_commonest_class_whatever_the_loss() -> None:
    assert constant_answers(raw(CLASSES, CLASSES), "auto").accuracy == constant_answers(raw(CLASSES, CLASSES), "own:loss").accuracy == 0.75
    values = np.array([1.0, 3.0], np.float32)
    assert constant_answers(raw(values, values), "auto").accuracy == math.inf


def test_of_another_loss_nothing_is_known() -> None:
    values = np.array([1.0, 3.0], np.float32)
    assert constant_answers(raw(CLASSES, CLASSES), "own:loss").loss == math.inf
    assert constant_answers(raw(values, values), "cross_entropy").loss == math.inf
