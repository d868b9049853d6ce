"""What a step of a task costs beside the same step of arrays (issue: at most 1.10 times, LeNet at batch 128).

python -m benchmarks task --threads 1 --clock cpu
"""

import argparse
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import loops
from benchmarks.rounds import CLOCKS, interleaved, shown
from hpcheck.engine import arrays
from hpcheck.engine.batches import BatchStream
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.malloc import keep_freed_memory
from hpcheck.engine.tasks import training as tasks
from hpcheck.engine.tasks.load import OfTask
from hpcheck.engine.training import Training
from hpcheck.optimizers.groups import set_hyper
from hpcheck.plugins import find
from hpcheck.runs.spec import DataSpec, PartSpec

STEPS = 10  # of an arm in a round


class InOrder:
    """The batches of an array run, without end."""

    def __init__(self, stream: BatchStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self.stream.batch(step) for step in count())


class Mnist:
    """LeNet on MNIST as a task: from the arrays' own batches, or from a DataLoader over tensors."""

    def __init__(self, *, root: str, loader: str) -> None:
        self.data, self.loader = worker.on_device(loops.subject("lenet", Path(root)).data, "cpu")[0], loader

    def build(self) -> nn.Module:
        model: nn.Module = find.load("models", "lenet")(self.data.prepared.input_shape, 10)
        return model.to(memory_format=torch.channels_last)

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, Any]:
        if self.loader == "arrays":
            return InOrder(BatchStream(self.data, batch_size, seed, "none")), []
        x, y = self.data.normalised(self.data.train_x), self.data.train_y
        return DataLoader(TensorDataset(x, y), batch_size, shuffle=True), []

    def training_step(self, model: nn.Module, batch: Any) -> Tensor:
        x, y = batch
        return F.cross_entropy(model(x), y)

    def validation_step(self, model: nn.Module, batch: Any) -> dict[str, Any]:
        raise NotImplementedError


def steps_of(training: Training) -> Callable[[], None]:
    """So many updates, going on where the last ones ended."""
    numbers = count()
    training.model.train()

    def steps() -> None:
        for _ in range(STEPS):
            set_hyper(training.optimizer, 1e-3, 0.9, 1e-4)
            training.update(next(numbers))

    return steps


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks task", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu, with --threads 1, on a machine that others use")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    what = loops.subject("lenet", given.data)
    spec = loops.spec_of(what, 1)
    trainings: dict[str, Training] = {"arrays": arrays.prepare(spec, worker.on_device(spec.data, "cpu")[0])}
    for loader in ("arrays", "loader"):
        options = (("loader", loader), ("root", str(given.data)))
        task = OfTask(DataSpec("task", task="task"), PartSpec(f"{__name__}:Mnist", options), (), torch.device("cpu"))
        name = {"arrays": "task, the arrays' batches", "loader": "task, a DataLoader over tensors"}[loader]
        trainings[name] = tasks.prepare(spec, task)
    timed = interleaved({name: steps_of(training) for name, training in trainings.items()}, given.rounds, clock=given.clock)
    shown(f"a step of a task: lenet, batch 128, {STEPS} steps a round, {given.threads} threads", timed, "arrays", given.out)
