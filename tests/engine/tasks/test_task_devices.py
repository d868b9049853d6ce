"""A task over several devices: what two processes compute with their shares of each batch is what one computes with all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from hpcheck.engine.distributed import team
from hpcheck.engine.pool import worker
from hpcheck.engine.tasks.batches import Epochs
from hpcheck.engine.tasks.cut import Cut
from hpcheck.engine.tasks.load import Loaders, Task
from hpcheck.engine.tasks.shared import average_gradients, joined, shared_out
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs import records
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec
from tests.support.engine_runs import RUN, weights
from tests.support.ranks import together
from tests.support.task_runs import identity

HERE = "tests.engine.tasks.test_task_devices"


def examples(count: int, first: int) -> list[dict[str, Any]]:
    """Points of two kinds; each as many numbers as it likes, at most six."""
    draw = torch.Generator().manual_seed(first)
    made = []
    for number in range(count):
        x = torch.randn(int(torch.randint(2, 7, (1,), generator=draw)), generator=draw)
        made.append({"x": x + number % 2, "y": number % 2})
    return made


def collate(found: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    x = nn.utils.rnn.pad_sequence([one["x"] for one in found], batch_first=True)
    return {"x": nn.functional.pad(x, (0, 6 - x.shape[1])), "y": torch.tensor([one["y"] for one in found])}


class Unequal:
    """101 examples: an epoch of batches of 16 ends with one of 5, and shares are of 8 and 8, then 2 and 3."""

    metric = "accuracy"

    def __init__(self, *, batchnorm: bool = False) -> None:
        self.batchnorm = batchnorm

    def build(self) -> nn.Module:
        # a bias before BatchNorm has no gradient but rounding, which AdamW makes steps of
        norm = nn.BatchNorm1d(8) if self.batchnorm else nn.Identity()
        model = nn.Sequential(nn.Linear(6, 8, bias=not self.batchnorm), norm, nn.ReLU(), nn.Linear(8, 2))
        model.register_parameter("unused", nn.Parameter(torch.ones(3)))
        return model

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        train = DataLoader(examples(101, 0), batch_size, shuffle=True, collate_fn=collate)
        return train, DataLoader(examples(40, 1), 20, collate_fn=collate)

    def training_step(self, model: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    def before_update(self, model: nn.Module) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)

    def validation_step(self, model: nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        outputs = model(batch["x"])
        right = (outputs.argmax(1) == batch["y"]).float()
        return {"loss": nn.functional.cross_entropy(outputs, batch["y"]), "metric": right.mean(), "scores": right}


def spec(**options: Any) -> RunSpec:
    return replace(
        RUN,
        data=DataSpec(f"{HERE}:Unequal", task="task", metric="accuracy"),
        model=PartSpec(f"{HERE}:Unequal", tuple(options.items())),
        optimizer=PartSpec("adamw"),
        total_batch_size=16,
        steps=30,
        evaluate_after=(0, 10, 30),
        finally_on=("val",),
        keep="last",
    )


SPECS = {"plain": spec(), "batchnorm": spec(batchnorm=True)}


def compute(specs: Iterable[tuple[str, RunSpec]], folder: Path) -> None:
    """In each process."""
    for name, one in specs:
        worker.work(one, name, folder, "cpu", 1)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of one process and of two."""
    alone, both = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("both")
    named = [(identity(one), one) for one in SPECS.values()]
    torch.set_num_threads(1)
    compute(named, alone)
    together(2, both, compute, named, both)
    return alone, both


@pytest.mark.parametrize("name", SPECS)
def test_two_processes_come_to_what_one_comes_to(computed: tuple[Path, Path], name: str) -> None:
    one, both = (records.read(folder / f"{identity(SPECS[name])}.jsonl") for folder in computed)
    assert one is not None
    assert both is not None
    assert both.environment["devices"] == 2
    for column in ("step", "train_loss", "val_loss", "metric"):
        assert both.column(column) == pytest.approx(one.column(column), rel=1e-4, abs=1e-5, nan_ok=True), column
    assert both.result["val"] == pytest.approx(one.result["val"], rel=1e-4)
    mine, theirs = (weights(folder, record) for folder, record in zip(computed, (one, both), strict=True))
    assert all(torch.allclose(mine[key], theirs[key], rtol=1e-4, atol=1e-5) for key in mine if "tracked" not in key)


def as_rank(monkeypatch: pytest.MonkeyPatch, rank: int, count: int, told: list[Any]) -> None:
    """This process as one of several; `told` is what the first one said."""
    monkeypatch.setattr(team, "size", lambda: count)
    monkeypatch.setattr(team, "rank", lambda: rank)

    def tell(value: Any) -> Any:
        told.extend(value or [])
        return list(told)

    monkeypatch.setattr(team, "told", tell)


def test_every_example_of_a_batch_is_taken_by_one_process_in_the_order_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = TensorDataset(torch.arange(23))
    alone = Epochs("t", DataLoader(data, 10, shuffle=True), 5)
    whole = [alone.batch(step)[0].tolist() for step in range(3)]
    told: list[Any] = []
    parts = []
    for rank in range(3):
        as_rank(monkeypatch, rank, 3, told)
        loaders = shared_out(Task("t", object()), Loaders(DataLoader(data, 10, shuffle=True), None))
        batches = Epochs("t", loaders.train, 5)
        parts.append([batches.batch(step)[0].tolist() for step in range(3)])
        assert batches.weight(2) == 1.0
    assert [[row for part in parts for row in part[step]] for step in range(3)] == whole


def test_shares_that_are_not_equal_weigh_as_many_examples_as_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, 1, 2, [])
    monkeypatch.setattr(team, "is_first", lambda: True)
    cut = Cut("t", [[1, 2, 3, 4], [5, 6, 7]])
    assert list(cut) == [[3, 4], [6, 7]]
    assert cut.weights == pytest.approx([1.0, 4 / 3])


@pytest.mark.parametrize(
    ("loader", "words"),
    [
        ([torch.zeros(4)], "no DataLoader that makes batches of indexed examples"),
        (DataLoader(TensorDataset(torch.zeros(8)), batch_size=None), "no DataLoader that makes batches of indexed examples"),
        (
            DataLoader(data := TensorDataset(torch.zeros(8)), 4, sampler=DistributedSampler(data, num_replicas=2, rank=0)),
            "has a DistributedSampler; leave it out",
        ),
    ],
)
def test_loaders_that_devices_cannot_share_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, loader: Any, words: str) -> None:
    as_rank(monkeypatch, 0, 2, [])
    with pytest.raises(UsersCodeError, match=words):
        shared_out(Task("t", object()), Loaders(loader, None))


def test_a_task_that_keeps_a_state_is_refused_by_name_on_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, 0, 2, [])
    made = SimpleNamespace(state=dict, load_state=print)
    with pytest.raises(
        UsersCodeError, match=r"task t: its own state\(\) is not shared by the processes of several devices; take run.devices 1"
    ):
        joined(Task("t", made), nn.Linear(1, 1), Loaders([], None))


def test_sparse_gradients_are_refused_by_name_on_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, 0, 2, [])
    words = nn.Embedding(4, 2, sparse=True)
    words(torch.tensor([1])).sum().backward()
    with pytest.raises(UsersCodeError, match="task t: it has sparse gradients, which devices cannot average; take"):
        average_gradients("t", words.parameters())


def test_a_batch_that_is_too_small_for_the_devices_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, 0, 4, [])
    loaders = shared_out(Task("t", object()), Loaders(DataLoader(TensorDataset(torch.zeros(11)), 8), None))
    with pytest.raises(UsersCodeError, match="ends with a batch of 3 examples, and 4 devices share it; give the training loader drop_last"):
        list(loaders.train)
