"""A run whose loss is no number before any update, whose loss raises, or whose outputs no automatic metric fits."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpcheck.engine.objectives import InOwnUnit, r2
from hpcheck.engine.pool import worker
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec
from tests.support.engine_runs import RUN, computed

SHORT = replace(RUN, steps=8, evaluate_after=(0, 4, 8), eval_size=None)
SOURCE = """import numpy as np
import torch
from torch import nn
def values(far=0.0):
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    y = (x[:, 0] + 0.1 * x[:, 1]) * (1 + far) + far
    return (x[50:], y[50:]), (x[:50], y[:50])
class Broken(nn.Linear):
    def forward(self, x):
        return torch.log(super().forward(x) - 100)
def broken(shape, outputs):
    return Broken(3, outputs)
def two(shape, outputs):
    return nn.Linear(3, 2)
def one(shape, outputs):
    return nn.Linear(3, 1)
def nan(outputs, y):
    return ((outputs[:, 0] - y) ** 2).mean() * float("nan")
def gauss(outputs, y):
    return (outputs[:, 1] + 0.5 * ((y - outputs[:, 0]) / outputs[:, 1].exp()) ** 2).mean()
def absolute(outputs, y):
    return (outputs[:, 0] - y).abs().mean()
def raises(outputs, y):
    labels = {}
    return labels["no such"]
def raises_in_torch(outputs, y):
    return (outputs @ outputs).mean()
class NoWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, outputs):
        return outputs.mean()
    @staticmethod
    def backward(ctx, slope):
        raise RuntimeError("no way back")
def no_way_back(outputs, y):
    return NoWayBack.apply(outputs)
def rmse(outputs, y):
    return (outputs.flatten() - y).square().mean().sqrt()
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "firsts", raising=False)
    Path("firsts.py").write_text(SOURCE)
    worker.of_this_process.cache_clear()


def on_values(model: str = "one", loss: str = "auto", batch: int = 48, **data: object) -> RunSpec:
    own = loss if loss == "auto" else f"firsts:{loss}"
    return replace(SHORT, data=DataSpec("firsts:values", loss=own, **data), model=PartSpec(f"firsts:{model}"), total_batch_size=batch)


@pytest.mark.parametrize("batch", [48, 100])  # of few examples the training loss is evaluated before the first update too
@pytest.mark.parametrize(
    ("model", "loss", "what"),
    [
        ("broken", "auto", "100% of model firsts:broken's outputs are NaN"),
        ("one", "nan", "the outputs are finite, so loss firsts:nan makes it"),
    ],
)
def test_nan_before_the_first_update_is_no_lr_too_large(tmp_path: Path, model: str, loss: str, what: str, batch: int) -> None:
    with pytest.raises(UsersCodeError) as caught:
        computed(on_values(model, loss, batch), tmp_path)
    said = str(caught.value)
    assert said.startswith("the loss is NaN before the first update, so no learning rate is at fault: look at the model")
    assert what in said
    assert "\n" not in said


def test_nan_after_the_first_update_stays_a_divergence(tmp_path: Path) -> None:
    steep = replace(on_values(), lr=replace(SHORT.lr, points=((0, 1e30), (8, 1e30))))
    assert computed(steep, tmp_path).status == "diverged"


def test_outputs_that_no_automatic_metric_fits_are_judged_by_the_loss(tmp_path: Path) -> None:
    record = computed(replace(on_values("two", "gauss"), finally_on=("val",)), tmp_path)
    assert record.result["judged_by"] == "loss"
    assert [row["metric"] for row in record.rows] == [-row["val_loss"] for row in record.rows]
    assert record.result["val"]["metric"] == -record.result["val"]["loss"]


def test_a_metric_that_fits_beside_a_loss_of_ones_own_stays(tmp_path: Path) -> None:
    record = computed(on_values("one", "absolute"), tmp_path)
    assert "judged_by" not in record.result
    assert record.rows[-1]["metric"] != -record.rows[-1]["val_loss"]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("raises", "firsts.py:25: loss firsts:raises raised KeyError: 'no such'"),
        ("raises_in_torch", "firsts.py:27: loss firsts:raises_in_torch raised RuntimeError: "),
        ("no_way_back", "firsts.py:34: loss firsts:no_way_back raised RuntimeError: no way back"),
    ],
)
def test_a_loss_that_raises_is_one_line_with_its_file_and_line(tmp_path: Path, loss: str, said: str) -> None:
    with pytest.raises(UsersCodeError) as caught:
        computed(on_values("one", loss), tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_standardized_targets_train_at_an_ordinary_lr_and_own_metrics_keep_their_unit(tmp_path: Path) -> None:
    far = {"options": (("far", 3e5),)}
    assert computed(on_values(**far), tmp_path).rows[-1]["val_loss"] > 1e9
    near = computed(on_values(**far, targets="standardize"), tmp_path)
    assert near.status == "finished"
    assert near.rows[-1]["val_loss"] < 3  # in units of the targets' variance
    in_unit = computed(on_values(**far, targets="standardize", metric="firsts:rmse", metric_is="lower"), tmp_path)
    for row in in_unit.rows:
        assert row["metric"] == pytest.approx(3e5 * math.sqrt(row["val_loss"]), rel=0.1)  # the values' deviation is about 3e5


def test_outputs_that_are_not_one_for_each_target_stay_standardized() -> None:
    seen = []

    def metric(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append((outputs, targets))
        return r2(outputs[:, :1], targets)

    in_unit = InOwnUnit(metric, torch.tensor(100.0), torch.tensor(2.0))
    targets = torch.tensor([0.0, 1.0])
    in_unit(torch.zeros(2, 2), targets)
    in_unit(torch.zeros(2, 1), targets)
    assert seen[0][1].tolist() == [0.0, 1.0]
    assert (seen[1][0].flatten().tolist(), seen[1][1].tolist()) == ([100.0, 100.0], [100.0, 102.0])
