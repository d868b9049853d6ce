"""`data.targets: standardize`: values of mean 0 and deviation 1 over what is trained on; without it nothing is another run."""

from dataclasses import replace

import numpy as np
import pytest

from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.constant import constant_answers
from hpcheck.data.prepare import prepare
from hpcheck.runs.spec import computed, run_id
from tests.support.engine_runs import RUN

Y = np.array([[1e5, 7.0], [3e5, 7.0], [5e5, 7.0], [7e5, 7.0]], np.float32)
X = np.zeros((4, 2), np.float32)
RAW = Raw(Arrays(X, Y), Arrays(X[:2], Y[:2]), Arrays(X[2:], Y[2:]))


def test_all_splits_are_in_the_units_of_training() -> None:
    found = prepare(RAW, targets="standardize")
    assert found.targets is not None
    assert found.targets.mean.tolist() == [4e5, 7.0]
    assert found.targets.deviation.tolist() == pytest.approx([np.sqrt(5) * 1e5, 1.0])  # a target that never varies is only shifted
    assert found.train.y[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert found.train.y[:, 0].std() == pytest.approx(1)
    assert found.test is not None
    for arrays, given in ((found.val, Y[:2]), (found.test, Y[2:])):
        assert arrays.y * found.targets.deviation + found.targets.mean == pytest.approx(given)
    assert found.train.y.dtype == np.float32


def test_without_it_targets_are_as_they_came() -> None:
    found = prepare(RAW)
    assert found.targets is None
    assert (found.train.y == Y).all()


def test_a_constant_answer_loses_in_the_same_units() -> None:
    assert constant_answers(RAW, "auto", standardize=True).loss == pytest.approx(0.1)  # (1e5 / deviation)^2 = 0.2, and 0, on average
    assert constant_answers(RAW, "auto").loss == pytest.approx(5e9)


def test_classes_are_refused() -> None:
    classes = Raw(Arrays(X, np.array([0, 1, 0, 1])), Arrays(X, np.array([0, 1, 0, 1])))
    with pytest.raises(DataError, match=r"data\.targets: is standardize, but the targets are classes; leave it out"):
        prepare(classes, targets="standardize")


def test_the_default_leaves_old_ids_as_they_are() -> None:
    assert "targets" not in computed(RUN)["data"]
    assert run_id(RUN, "fingerprint") == "2a6e76181466f2a9"
    assert run_id(replace(RUN, data=replace(RUN.data, targets="standardize")), "fingerprint") != "2a6e76181466f2a9"
