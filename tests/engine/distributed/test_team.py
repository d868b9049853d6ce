"""One run over several processes: what one process computes with its batch in as many parts."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hpcheck.engine import arrays
from hpcheck.engine.batches import BatchStream
from hpcheck.engine.distributed import team
from hpcheck.engine.pool import worker
from hpcheck.engine.training import Training
from hpcheck.errors import InputError
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import PartSpec, Spec, TimingSpec, freeze
from tests.support.engine_runs import DIGITS, RUN, weights
from tests.support.ranks import together

FIFTY = replace(RUN, steps=50, evaluate_after=(0, 10, 25, 50), finally_on=("val", "test"), keep="last")
RESNET = PartSpec("resnet_cifar", freeze({"depth": 8, "widths": [4, 8, 16]}))
BATCHNORM = replace(FIFTY, model=RESNET, bn_splits=2, lr=constant(0.05), momentum=constant(0.9))
DROPOUT = replace(FIFTY, model=PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5})), bn_splits=2)


TWELVE: Any = {"steps": 12, "evaluate_after": (5, 12)}
SPECS = {
    "no batchnorm": FIFTY,
    "batchnorm of each device": BATCHNORM,
    "batchnorm synchronised": replace(BATCHNORM, bn_splits=1, **TWELVE),
    "four parts on two devices": replace(BATCHNORM, bn_splits=4, **TWELVE),
    "unequal parts, augmented": replace(BATCHNORM, **TWELVE, total_batch_size=51, data=replace(DIGITS, augment="mirror-crop")),
    "dropout, to be continued": DROPOUT,
    "dropout, continued": replace(DROPOUT, parent=identify(DROPOUT), at_step=50, steps=60, evaluate_after=(60,)),
    "diverges": replace(FIFTY, lr=constant(8.0), momentum=constant(0.0), steps=200, evaluate_after=(200,)),
    "diverges, by batches of 4": replace(FIFTY, total_batch_size=4, lr=constant(8.0), momentum=constant(0.0), evaluate_after=(8, 50)),
}


TIMING = TimingSpec(DIGITS, RESNET, PartSpec("sgd"), (2, 16, 64), rounds=2, bn_splits=2, devices=2)


def compute(specs: Iterable[Spec], folder: Path) -> None:
    """In each process."""
    for spec in specs:
        worker.work(spec, identify(spec), folder, "cpu", 1)


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have computed everything."""
    folder = tmp_path_factory.mktemp("both")
    together(2, folder, compute, [*SPECS.values(), TIMING], folder)
    return folder


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    torch.set_num_threads(1)
    compute(SPECS.values(), folder)
    return folder


def record_in(folder: Path, spec: Spec) -> RunRecord:
    found = records.read(folder / f"{identify(spec)}.jsonl")
    assert found is not None
    return found


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Over all trained weights; running averages of BatchNorm are each device's own."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a if "running" not in name and "tracked" not in name)


@pytest.mark.parametrize("name", SPECS)
def test_two_processes_compute_what_one_does_with_its_batch_in_parts(by_two: Path, by_one: Path, name: str) -> None:
    both, one = record_in(by_two, SPECS[name]), record_in(by_one, SPECS[name])
    assert both.status == one.status == ("diverged" if name.startswith("diverges") else "finished")
    for column in ("step", "lr", "momentum", "train_loss", "val_loss", "metric"):
        assert both.column(column) == pytest.approx(one.column(column), rel=1e-5, abs=1e-6, nan_ok=True), column
    assert both.result["first_loss"] == pytest.approx(one.result["first_loss"], rel=1e-5)
    if both.diverged:
        return
    difference = largest_difference(weights(by_two, both), weights(by_one, one))
    print(f"{name}: {difference:.1e}")
    assert difference < 1e-6
    if SPECS[name].bn_splits == 2:
        assert difference == 0  # the same sums in the same order
    for split in ("val", "test"):
        assert both.result[split] == pytest.approx(one.result[split], rel=1e-5)


def test_only_the_first_process_writes_and_the_record_says_how_many_there_were(by_two: Path, by_one: Path) -> None:
    names = sorted([*(path.name for path in by_one.iterdir()), f"{identify(TIMING)}.jsonl"])
    assert sorted(path.name for path in by_two.iterdir() if "meeting" not in path.name) == names
    record = record_in(by_two, FIFTY)
    assert record.environment["devices"] == 2
    assert "devices" not in record_in(by_one, FIFTY).environment
    seconds = record.result["train_seconds"] + record.result["eval_seconds"]
    assert records.seconds_spent(record) == pytest.approx(2 * seconds)


def test_steps_are_timed_together_at_every_size_that_can_be_shared_out(by_two: Path) -> None:
    record = record_in(by_two, TIMING)
    assert [entry["size"] for entry in record.result["sizes"]] == [2, 16, 64]
    assert record.result["too_large"] == []


def test_a_size_is_timed_with_all_its_examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen, honest = set(), arrays.update

    def update(training: Training, x: torch.Tensor, y: torch.Tensor, seed: int | None = None) -> torch.Tensor:
        seen.add((training.spec.total_batch_size, len(y), training.share.part))
        return honest(training, x, y, seed)

    monkeypatch.setattr(arrays, "update", update)
    spec = replace(TIMING, devices=1, model=RUN.model)
    worker.work(spec, identify(spec), tmp_path, "cpu", 1)
    assert {(size, size, size // 2) for size in spec.batch_sizes} <= seen
    assert all(size == count for size, count, _ in seen)


@pytest.mark.parametrize(("splits", "count"), [(1, 1), (3, 1), (1, 2), (2, 2), (4, 2), (1, 5), (10, 5)])
def test_every_example_is_taken_once_by_one_process(monkeypatch: pytest.MonkeyPatch, splits: int, count: int) -> None:
    stream, taken = BatchStream(worker.on_device(DIGITS, "cpu")[0], 48, 0, "mirror-crop"), []
    monkeypatch.setattr(team, "size", lambda: count)
    for rank in range(count):
        monkeypatch.setattr(team, "rank", lambda rank=rank: rank)
        taken.append(stream.batch(25, team.Share(48, splits).rows))  # of the second epoch
    for part, whole in zip(zip(*taken, strict=True), stream.batch(25), strict=True):
        assert torch.equal(torch.cat(part), whole)


@pytest.mark.parametrize(
    ("batch_size", "splits", "count", "words"),
    [
        (48, 3, 2, "run.bn_splits is 3, but run.devices is 2"),
        (48, 2, 4, "run.bn_splits is 2, but run.devices is 4"),
        (5, 4, 4, "a batch of 5 cannot be cut into 4 parts"),
        (3, 4, 1, "a batch of 3 cannot be cut into 4 parts"),
        (3, 1, 4, "a batch of 3 cannot be cut into 4 parts"),
    ],
)
def test_a_batch_that_cannot_be_shared_out_is_refused(
    monkeypatch: pytest.MonkeyPatch, batch_size: int, splits: int, count: int, words: str
) -> None:
    monkeypatch.setattr(team, "size", lambda: count)
    with pytest.raises(InputError, match=words):
        team.Share(batch_size, splits)
