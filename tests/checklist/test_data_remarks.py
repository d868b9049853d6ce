"""What is remarked of data before a search, and that it is silent of data with nothing to remark."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpcheck import config as configs
from hpcheck.checklist.data_facts import with_metric
from hpcheck.checklist.data_remarks import remarks
from hpcheck.checklist.run import Checklist
from hpcheck.data.arrays import Arrays, Raw
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec
from hpcheck.steps.confirm_words import metric_name
from hpcheck.steps.contest import full_training
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Facts
from hpcheck.terminal.progress import Progress
from tests.support.engine_runs import computed

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 4)).astype(np.float32)
CLASSES = np.arange(600) % 3
VALUES = X[:, 0] + 0.1 * X[:, 1]


def said(y: np.ndarray, held_out: slice = slice(0, 200), x: np.ndarray = X, trained: slice = slice(200, 600), **spec: str) -> list[str]:
    raw = Raw(Arrays(x[trained], y[trained]), Arrays(x[held_out], y[held_out]))
    return list(remarks(raw, DataSpec("own:load", **spec)))


@pytest.mark.parametrize("y", [CLASSES, VALUES, np.stack([VALUES, -VALUES], axis=1)])
def test_there_is_nothing_to_say_of_plain_data(y: np.ndarray) -> None:
    assert said(y) == []


def test_integer_one_hot_rows_are_named_and_dense_targets_are_not() -> None:
    (line,) = said(np.eye(3, dtype=np.int64)[CLASSES])
    assert line == "data: integer targets (3,) are one-hot rows and are read as 3 targets each; give class numbers, y.argmax(1)"
    assert said(np.stack([CLASSES % 2, CLASSES % 2, 1 - CLASSES % 2], axis=1)) == []


def test_targets_that_are_classes_as_floats_are_named_unless_the_loss_is_ones_own() -> None:
    binary = (CLASSES % 2).astype(np.float32)
    assert "give integers, y.astype(int)" in said(binary)[0]
    assert "give class numbers, y.argmax(1)" in said(np.eye(3, dtype=np.float32)[CLASSES])[0]
    assert said(binary, loss="own:bce") == []


def test_labels_from_1_are_named() -> None:
    assert said(CLASSES + 1) == ["data: the classes are counted from 1, so the network has an output that no example needs; subtract 1"]


def test_classes_that_one_split_lacks_are_named() -> None:
    by_class = np.sort(CLASSES)
    lines = said(by_class)
    assert lines == [
        "data: classes 1, 2 of training are in no validation example; shuffle before you split",
        "data: class 0 of validation is in no training example, so nothing can learn it",
    ]


@pytest.mark.parametrize(("validated", "share"), [(slice(200, 400), "100%"), (slice(100, 300), "50%")])
def test_validation_rows_that_are_in_training_are_counted(validated: slice, share: str) -> None:
    (line,) = said(CLASSES, validated)
    assert line.startswith(f"data: {share} of the validation rows are in training too")


def test_doubles_within_data_that_hpcheck_splits_are_found_and_large_data_are_sampled() -> None:
    twice = Raw(Arrays(np.concatenate([X, X]), np.concatenate([CLASSES, CLASSES])))
    assert any("of the validation rows are in training too" in line for line in remarks(twice, DataSpec("own:load")))
    wide = np.repeat(X, 40_000, axis=1)  # 640 kB a row: about a hundred of them are compared
    (line,) = said(CLASSES, slice(200, 400), wide)
    assert line.startswith("data: at least ")


@pytest.mark.parametrize(("mean", "deviation"), [(3e5, 2e5), (0, 50), (2020, 1), (0, 0.001)])
def test_values_far_from_unit_scale_are_named_and_standardizing_answers_it(mean: float, deviation: float) -> None:
    y = (VALUES / VALUES.std() * deviation + mean).astype(np.float32)
    (line,) = said(y)
    assert "standardize the targets (data.targets: standardize), or scale them in your loader" in line
    (instead,) = said(y, targets="standardize")
    assert "a network's output y stands for y * " in instead


def test_of_several_targets_the_worst_is_named() -> None:
    (line,) = said(np.stack([VALUES, 1000 * VALUES], axis=1))
    assert line.startswith("data: target 1 has mean ")


LOADER = """import numpy as np
from torch import nn
def load():
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    return (x[50:], 1e6 * x[50:, 0]), (x[:50], 1e6 * x[:50, 0])
def two(shape, outputs):
    return nn.Linear(3, 2)
def gauss(outputs, y):
    return (outputs[:, 1] + 0.5 * ((y - outputs[:, 0]) / outputs[:, 1].exp()) ** 2).mean()
"""


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "far_data", raising=False)
    Path("far_data.py").write_text(LOADER)
    Path("c.yaml").write_text("data: {name: 'far_data:load', loss: 'far_data:gauss'}\nmodel: 'far_data:two'\n")
    return Path("c.yaml")


def test_a_command_says_its_remarks_once(own_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Checklist(configs.load(own_data, []), Progress(quiet=False)) as checklist:
        checklist.write()
    assert capsys.readouterr().err.count("standardize the targets") == 1


def test_records_tell_whether_an_automatic_metric_fits(own_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configs.load(own_data, ["data.targets=standardize"])
    with Checklist(config, Progress(quiet=False)) as checklist:
        assert checklist.asked.facts.metric_fits
        spec = full_training(checklist.asked, replace(start_settings(config), max_lr=0.1, min_lr=0.01), 0)
        checklist.runs.records.mkdir(exist_ok=True)
        computed(replace(spec, steps=2, evaluate_after=(0, 2), lr=constant(0.01), momentum=constant(0.9)), checklist.runs.records)
        checklist._note_metric()
        checklist._note_metric()
        assert metric_name(checklist.asked) == "minus the loss"
        again = with_metric(config, Facts(150, 50), checklist.runs.records)
        assert not again.metric_fits
    assert capsys.readouterr().err.count("no automatic metric fits the outputs, so runs are judged by the loss") == 1
