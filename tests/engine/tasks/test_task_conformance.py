"""A task over arrays gives the record of the array path, to the bit on a CPU; so do its continuations and what is resumed of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpcheck.engine import checkpoints
from hpcheck.engine.tasks.training import TaskTraining
from hpcheck.errors import Stopped
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, freeze
from tests.support import engine_runs, task_runs
from tests.support.engine_runs import RUN, curves, same, weights

WHOLE = replace(
    RUN,
    total_batch_size=64,
    steps=50,
    evaluate_after=(0, 7, 25, 50),
    eval_size=None,
    finally_on=("val", "test"),
    keep="best",
    outcomes=True,
)
SMALL_RESNET = {"depth": 8, "widths": [4, 8, 16]}
NETWORKS = {
    "plain": ("mlp", {"hidden": [16]}),
    "dropout": ("mlp", {"hidden": [16], "dropout": 0.5}),
    "batchnorm": ("resnet_cifar", SMALL_RESNET),
}
SHORTER = {"batchnorm": {"steps": 12, "evaluate_after": (0, 5, 12), "lr": constant(0.05), "momentum": constant(0.9)}}


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_stop", [])
    torch.set_num_threads(1)


def of_arrays(name: str, **changed: object) -> RunSpec:
    network, options = NETWORKS[name]
    return replace(WHOLE, model=PartSpec(network, freeze(options)), **{**SHORTER.get(name, {}), **changed})


def of_task(name: str, **changed: object) -> RunSpec:
    network, options = NETWORKS[name]
    task = "tests.support.array_task:Digits"
    data = DataSpec(task, metric="accuracy", task="task")
    return replace(of_arrays(name, **changed), data=data, model=PartSpec(task, freeze({"network": network, **options})))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_task_over_arrays_gives_the_record_and_weights_of_the_arrays(name: str, optimizer: str, tmp_path: Path) -> None:
    changed = {"optimizer": PartSpec(optimizer), **({"lr": constant(0.001)} if optimizer == "adamw" else {})}
    expected = engine_runs.computed(of_arrays(name, **changed), tmp_path)
    found = task_runs.computed(of_task(name, **changed), tmp_path)
    assert found.run_id != expected.run_id
    assert curves(found) == curves(expected)
    for key in ("first_loss", "val", "test", "outcomes"):
        assert found.result[key] == expected.result[key], key
    for which in ("", ".best"):
        assert same(weights(tmp_path, found, which), weights(tmp_path, expected, which))


def test_a_task_at_small_batches_gives_the_same_rows(tmp_path: Path) -> None:
    """The level that divergence is judged by is then of several batches, which arrays evaluate at once."""
    expected = engine_runs.computed(of_arrays("plain", total_batch_size=16), tmp_path)
    found = task_runs.computed(of_task("plain", total_batch_size=16), tmp_path)
    assert curves(found) == curves(expected)
    assert found.result["first_loss"] == pytest.approx(expected.result["first_loss"], rel=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_in_two_parts_is_the_whole_run(name: str, tmp_path: Path) -> None:
    whole = of_task(name, lr=constant(0.0625), momentum=constant(0.875))
    expected = task_runs.computed(whole, tmp_path)
    at = whole.evaluate_after[1]
    first = replace(whole, steps=at, evaluate_after=(0, at), keep="last", finally_on=(), outcomes=False)
    started = task_runs.computed(first, tmp_path)
    later = tuple(step for step in whole.evaluate_after if step > at)
    rest = task_runs.computed(replace(whole, parent=started.run_id, at_step=at, evaluate_after=later), tmp_path)
    assert curves(started, rest) == curves(expected)
    assert same(weights(tmp_path, rest), weights(tmp_path, expected))


@pytest.mark.parametrize(("name", "steps"), [("dropout", (1, 6, 26, 49)), ("batchnorm", (1, 5, 11))])
def test_a_run_stopped_anywhere_goes_on_to_the_same_record(name: str, steps: tuple[int, ...], tmp_path: Path) -> None:
    spec = of_task(name)
    expected = task_runs.computed(spec, tmp_path)
    for step in steps:
        folder = tmp_path / str(step)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            original = TaskTraining.update

            def update(training: TaskTraining, at: int, stop: int = step, original: object = original) -> torch.Tensor:
                if at == stop - 1:
                    checkpoints.ask_to_stop()
                return original(training, at)  # type: ignore[operator]

            patch.setattr(TaskTraining, "update", update)
            with pytest.raises(Stopped):
                task_runs.computed(spec, folder)
        checkpoints._stop.clear()
        resumed = task_runs.computed(spec, folder)
        assert curves(resumed) == curves(expected)
        assert same(weights(folder, resumed), weights(tmp_path, expected))
        assert not list(folder.glob("*.checkpoint"))


def test_a_diverging_task_ends_where_the_arrays_do(tmp_path: Path) -> None:
    steep = {"lr": constant(8.0), "momentum": constant(0.0), "steps": 200, "evaluate_after": (0, 200), "total_batch_size": 64}
    expected, found = engine_runs.computed(of_arrays("plain", **steep), tmp_path), task_runs.computed(of_task("plain", **steep), tmp_path)
    assert found.diverged
    assert curves(found) == curves(expected)


def test_bf16_is_the_arrays_own(tmp_path: Path) -> None:
    half = {"precision": "bf16", "steps": 12, "evaluate_after": (0, 12)}
    expected, found = engine_runs.computed(of_arrays("plain", **half), tmp_path), task_runs.computed(of_task("plain", **half), tmp_path)
    assert curves(found) == curves(expected)
