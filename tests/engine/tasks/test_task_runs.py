"""What a task's runs are made of: any batches, random data read anew each epoch, own groups, and figures weighted by their counts."""

import math
import random
from collections import namedtuple
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

from hpcheck.engine import checkpoints
from hpcheck.engine.loop import prepare
from hpcheck.engine.tasks.batches import Epochs, examples, holds_another_number, moved, thinned
from hpcheck.engine.tasks.contents import fingerprint
from hpcheck.engine.tasks.evaluation import evaluated
from hpcheck.engine.tasks.load import OfTask, Task
from hpcheck.errors import InputError
from hpcheck.optimizers.groups import set_hyper
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, TimingSpec, freeze
from tests.support.task_runs import computed

CPU, META = torch.device("cpu"), torch.device("meta")
Pair = namedtuple("Pair", "x y")
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(90, 4, generator=GENERATOR)
Y = X @ torch.tensor([1.0, -2.0, 0.5, 0.0])


@dataclass
class Record:
    x: torch.Tensor
    name: str


class Noisy(Dataset):
    """Draws with all three generators, anew each time an example is read."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, row: int) -> tuple[int, float, float, float]:
        return row, random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002


class Counted(IterableDataset):
    """An epoch of so many examples, and nobody says how many."""

    def __iter__(self):
        return iter(range(5))


class Line:
    """Linear regression: the last validation batch is smaller than the others. `test` has 10 rows."""

    metric, metric_is = "mae", "lower"

    def __init__(self, *, whole: bool = False, shifted: float = 0.0) -> None:
        self.shifted = shifted
        if whole:
            self.evaluate = self.of_all

    def build(self) -> nn.Module:
        return nn.Linear(4, 1)

    def loaders(self, batch_size: int, seed: int) -> tuple[DataLoader, ...]:
        y = Y + self.shifted
        parts = [TensorDataset(X[rows], y[rows]) for rows in (slice(60), slice(60, 80), slice(80, None))]
        return DataLoader(parts[0], batch_size, shuffle=True), DataLoader(parts[1], 8), DataLoader(parts[2], 8)

    def training_step(self, model: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        return (model(batch[0])[:, 0] - batch[1]).square().mean()

    def validation_step(self, model: nn.Module, batch: list[torch.Tensor]) -> dict[str, object]:
        error = model(batch[0])[:, 0] - batch[1]
        return {"loss": error.square().mean(), "metric": error.abs().mean(), "count": len(error)}

    def of_all(self, model: nn.Module, loader: object) -> dict[str, object]:
        error = torch.cat([model(x)[:, 0] - y for x, y in loader])
        return {"loss": error.square().mean(), "metric": error.abs().mean()}


class Grouped(Line):
    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.2, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=0.05, momentum=0.5, weight_decay=0.01)


class Averaging(Line):
    """Keeps an average of the weights, and evaluates that."""

    def build(self) -> nn.Module:
        model = super().build()
        self.average = model.weight.detach().clone()
        return model

    def before_update(self, model: nn.Module) -> None:
        self.average = 0.9 * self.average + 0.1 * model.weight.detach()

    def validation_step(self, model: nn.Module, batch: list[torch.Tensor]) -> dict[str, object]:
        error = batch[0] @ self.average[0] - batch[1]
        return {"loss": error.square().mean(), "metric": error.abs().mean(), "count": len(error)}

    def state(self) -> dict[str, torch.Tensor]:
        return {"average": self.average}

    def load_state(self, saved: dict[str, torch.Tensor]) -> None:
        self.average = saved["average"]


def spec_of(kind: str, **changed: object) -> RunSpec:
    name = f"tests.engine.tasks.test_task_runs:{kind}"
    options = changed.pop("options", {})
    spec = RunSpec(
        data=DataSpec(name, metric="mae", metric_is="lower", task="task"),
        model=PartSpec(name, freeze(options)),
        optimizer=PartSpec("sgd"),
        total_batch_size=16,
        steps=40,
        lr=constant(0.0625),
        momentum=constant(0.5),
        weight_decay=0.0,
        evaluate_after=(0, 20, 40),
        finally_on=("val", "test"),
    )
    return replace(spec, **changed)


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_stop", [])
    torch.set_num_threads(1)


def drawn(loader: object, seed: int, steps: range, kept: int = 1) -> list[str]:
    epochs = Epochs("t", loader, seed, kept)
    return [str(epochs.batch(step)) for step in steps]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")])])
def test_random_data_are_read_anew_each_epoch_and_are_the_same_wherever_a_run_goes_on(workers: int) -> None:
    def loader() -> DataLoader:
        return DataLoader(Noisy(), 4, shuffle=True, num_workers=workers, persistent_workers=workers > 0)

    whole = drawn(loader(), 3, range(9))  # three epochs
    assert len(set(whole)) == 9
    assert drawn(loader(), 3, range(9)) == whole
    assert drawn(loader(), 4, range(9)) != whole
    for first in (1, 4, 8):
        torch.manual_seed(first)  # whatever was drawn before
        assert drawn(loader(), 3, range(first, 9)) == whole[first:]
    backwards = Epochs("t", loader(), 3, kept=4)
    assert [str(backwards.batch(step)) for step in (7, 6, 5, 4)] == whole[7:3:-1]


def test_a_generator_of_the_loaders_own_is_set_for_each_epoch() -> None:
    def loader() -> DataLoader:
        return DataLoader(TensorDataset(torch.arange(12)), 4, shuffle=True, generator=torch.Generator().manual_seed(5))

    whole = drawn(loader(), 0, range(9))
    assert drawn(loader(), 0, range(7, 9)) == whole[7:]
    assert drawn(loader(), 1, range(9)) != whole


def test_what_counts_epochs_is_told_of_them() -> None:
    class Told(list):
        seen: list[int] = []  # noqa: RUF012

        def set_epoch(self, epoch: int) -> None:
            self.seen.append(epoch)

    assert drawn(Told(["a", "b"]), 0, range(5)) == ["a", "b", "a", "b", "a"]
    assert Told.seen == [0, 1, 2]


def test_data_without_a_length_are_gone_through_from_the_beginning() -> None:
    assert drawn(DataLoader(Counted(), 2), 0, range(8, 10)) == ["tensor([4])", "tensor([0, 1])"]
    assert examples(DataLoader(Counted(), 2)) is None


def test_a_loader_that_gives_no_batch_is_refused() -> None:
    with pytest.raises(UsersCodeError, match="the training loader gives no batch"):
        drawn(DataLoader(Noisy(), 16, drop_last=True), 0, range(1))


def test_examples_are_those_that_the_sampler_gives() -> None:
    assert examples(DataLoader(Noisy(), 4)) == 12
    assert examples(DataLoader(Noisy(), 4, sampler=WeightedRandomSampler([1.0] * 12, 30))) == 30
    assert examples([1, 2]) is None


@pytest.mark.parametrize(
    "batch",
    [
        {"a": X, "b": {"c": [Y, "text"]}},
        Pair(X, (Y, None)),
        [X, {"ids": Y}],
        Record(X, "name"),
        nn.utils.rnn.pack_sequence([X, X]),
    ],
)
def test_batches_of_any_kind_are_moved_whole(batch: object) -> None:
    assert moved(batch, CPU) is batch
    there = moved(batch, META)
    assert type(there) is type(batch)

    def tensors(value: object) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return [value]
        if isinstance(value, Record):
            return tensors(vars(value))
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
        return [one for part in parts for one in tensors(part)]

    moved_ones = [one for one in tensors(there) if one.device == META]
    assert len(moved_ones) >= 1
    assert len(moved_ones) >= len(tensors(batch)) - 2 * isinstance(batch, nn.utils.rnn.PackedSequence)  # its lengths stay on the CPU


def test_figures_are_means_over_examples_whatever_the_batches() -> None:
    by_batch, at_once = (Task("t", Line(whole=whole)) for whole in (False, True))
    model = by_batch.build(0)
    loader = by_batch.loaders(16, 0).val  # 8, 8 and 4 examples
    found, expected = evaluated(by_batch, model, loader, CPU), evaluated(at_once, model, loader, CPU)
    assert found.count == 20
    assert (found.loss, found.metric) == (pytest.approx(expected.loss), pytest.approx(expected.metric))
    assert model.training


def test_rows_are_measured_on_an_even_part_and_the_end_on_all() -> None:
    loader = DataLoader(TensorDataset(torch.arange(100)), 8, collate_fn=lambda rows: [int(row[0]) for row in rows])
    assert [row for batch in thinned(loader, 5) for row in batch] == [0, 25, 50, 74, 99]
    assert thinned(loader, None) is loader
    assert thinned(loader, 100) is loader
    weighted = DataLoader(TensorDataset(torch.arange(100)), 8, sampler=WeightedRandomSampler([1.0] * 100, 50))
    assert thinned(weighted, 5) is weighted


def test_a_task_trains_and_its_record_has_all_figures(tmp_path: Path) -> None:
    record = computed(spec_of("Line"), tmp_path)
    assert record.rows[-1]["val_loss"] < 0.1 * record.rows[0]["val_loss"]
    assert record.result["val"]["examples"] == 20
    assert record.result["test"]["examples"] == 10
    assert record.result["val"]["loss"] == pytest.approx(record.rows[-1]["val_loss"])
    assert "outcomes" not in record.result


def test_groups_keep_their_ratio_to_the_largest() -> None:
    training = prepare(spec_of("Grouped"), OfTask.of(spec_of("Grouped"), CPU), Path())
    set_hyper(training.optimizer, 1.0, 0.75, 0.5)
    assert [(group["lr"], group["weight_decay"], group["momentum"]) for group in training.optimizer.param_groups] == [
        (0.25, 0.5, 0.75),
        (1.0, 0.0, 0.75),
    ]


def test_what_a_task_keeps_itself_goes_on_with_a_snapshot(tmp_path: Path) -> None:
    whole = spec_of("Averaging")
    expected = computed(whole, tmp_path)
    started = computed(replace(whole, steps=20, evaluate_after=(0, 20), keep="last", finally_on=()), tmp_path)
    rest = computed(replace(whole, parent=started.run_id, at_step=20, evaluate_after=(40,)), tmp_path)
    assert rest.rows[-1]["val_loss"] == expected.rows[-1]["val_loss"]
    assert expected.rows[-1]["val_loss"] != computed(spec_of("Line"), tmp_path).rows[-1]["val_loss"]


def test_the_best_weights_of_a_metric_of_which_less_is_better_are_kept(tmp_path: Path) -> None:
    record = computed(spec_of("Line", keep="best"), tmp_path)
    best = torch.load(tmp_path / f"{record.run_id}.best.pt", weights_only=True)
    assert best["step"] == 40


def test_steps_are_timed_at_sizes_that_the_data_have(tmp_path: Path) -> None:
    spec = spec_of("Line")
    record = computed(TimingSpec(spec.data, spec.model, spec.optimizer, (8, 16), rounds=1), tmp_path)
    assert [one["size"] for one in record.result["sizes"]] == [8, 16]
    assert all(math.isfinite(one["seconds"]) and one["seconds"] > 0 for one in record.result["sizes"])


def test_other_examples_are_other_data_and_the_same_ones_are_not() -> None:
    found = [fingerprint(Task("t", Line(shifted=shifted))) for shifted in (0.0, 0.0, 1.0)]
    assert found[0] == found[1] != found[2]
    assert all(repeats for _, repeats in found)


def test_examples_that_no_seed_repeats_are_told_apart_by_their_sizes_alone() -> None:
    class Unseeded(Line):
        def loaders(self, batch_size: int, seed: int) -> tuple[DataLoader, ...]:
            x = [torch.tensor([random.SystemRandom().random()]) for _ in range(4)]

            class Draws(Dataset):
                def __len__(self) -> int:
                    return 4

                def __getitem__(self, row: int) -> torch.Tensor:
                    return x[row] + random.SystemRandom().random()

            return DataLoader(Draws(), batch_size), DataLoader(Draws(), 2)

    found = [fingerprint(Task("t", Unseeded())) for _ in range(2)]
    assert found[0] == found[1]
    assert not found[0][1]


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ([X, Y], 90),
        ({"x": X, "y": (Y, 3)}, 90),
        ([[X] * 16, torch.zeros(16)], None),  # a list of 16 pictures
        ((X, X[:7]), None),  # nobody knows which
        ("text", None),
        (X[:16], None),
    ],
)
def test_how_many_examples_a_batch_has_is_told_only_where_it_is_plain(batch: object, found: int | None) -> None:
    assert holds_another_number(batch, 16) == found


class OneLeft(Line):
    """An epoch of 60 in batches of 59 has one example left over."""

    def build(self) -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1))


def test_one_example_that_is_left_over_for_batchnorm_is_said_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"BatchNorm has a single value a channel .* give the training loader drop_last=True"):
        computed(spec_of("OneLeft", total_batch_size=59), tmp_path)


def test_step_times_of_a_task_that_reads_a_file_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("width.txt").write_text("4", encoding="utf-8")
    spec = spec_of("ReadsAFile", reads=("width.txt",))
    timing = TimingSpec(spec.data, spec.model, spec.optimizer, (8,), rounds=1, reads=("width.txt",))
    assert computed(timing, tmp_path).result["sizes"][0]["size"] == 8


class ReadsAFile(Line):
    def build(self) -> nn.Module:
        return nn.Linear(int(Path("width.txt").read_text(encoding="utf-8")), 1)


class NoMetric(Line):
    def __getattribute__(self, name: str) -> object:
        if name in ("metric", "metric_is"):
            raise AttributeError(name)
        return super().__getattribute__(name)

    def validation_step(self, model: nn.Module, batch: list[torch.Tensor]) -> dict[str, object]:
        losses = (model(batch[0])[:, 0] - batch[1]).square()
        return {"loss": losses.mean(), "losses": losses}


def test_losses_of_examples_are_scores_where_the_loss_is_the_metric(tmp_path: Path) -> None:
    spec = spec_of("NoMetric", outcomes=True)
    record = computed(replace(spec, data=replace(spec.data, metric="loss")), tmp_path)
    assert record.result["outcomes"]["metric"] == record.result["outcomes"]["loss"]
    assert [row["metric"] for row in record.rows] == [row["val_loss"] for row in record.rows]
