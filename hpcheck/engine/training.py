"""What the loop trains: the protocol (update, evaluate, state), how far a run has come, and where its results go."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from hpcheck.engine.distributed.team import Share
from hpcheck.engine.divergence import Levels
from hpcheck.engine.snapshots import put, save_snapshot
from hpcheck.plugins import find
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec

STEP_SEED = 1_000_003  # seeds of runs lie this far apart, so that their steps' seeds do not meet


@dataclass
class Training(ABC):
    """All that changes while a run goes on, and the few things that the loop asks of it.

    Arrays with a module (`engine/arrays.py`) are the fast implementation, a task of the user's own (`engine/tasks/training.py`) the general
    one. What they compute at a step is a function of (seed, step) and of the state before it, so that a run can go on anywhere.
    """

    spec: RunSpec
    model: nn.Module
    optimizer: torch.optim.Optimizer
    share: Share  # this process's part of each batch
    levels: Levels  # of the training loss, by which divergence is judged

    judged_by_loss = False  # whether the metric is minus the loss, since no other one fits

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it is computed."""

    @abstractmethod
    def update(self, step: int) -> Tensor:
        """Make update number `step`, counted from 0; the training loss of its batch, still on the device."""

    @abstractmethod
    def evaluate(self, step: int) -> tuple[float, float]:
        """Validation loss and metric after `step` updates, on what the rows of a record are measured on."""

    @abstractmethod
    def first_loss(self) -> float:
        """The loss of the first `levels.batches` batches before any update."""

    @abstractmethod
    def final_figures(self) -> dict[str, Any]:
        """Loss and metric of each whole split that the spec names, and where it asks for them the outcomes of each example."""

    @abstractmethod
    def at_size(self, size: int) -> "Training":
        """The same model and optimizer fed with batches of another size."""

    def has_batches_of(self, size: int) -> bool:
        """Whether the data give batches of this size."""
        return True

    def apart(self) -> "Training":
        """The same without the other processes, where there are any."""
        return self

    @abstractmethod
    def refuse_not_a_number(self, *losses: float) -> None:
        """Raise `UsersCodeError` where a loss at the initial weights is NaN: no lr, however small, would make it a number."""

    def state(self) -> dict[str, Any]:
        """All that the next updates depend on, beside (seed, step): tensors and plain values."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def put(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Raises `ValueError` where it is another model's or optimizer's."""
        put(state, self.model, self.optimizer)


@dataclass
class HowFar:
    """How far a run has come, beside its weights and optimizer. Order of data, augmentation and dropout are functions of (seed, step)."""

    done: int  # updates so far
    best: float = -math.inf  # metric, turned so that higher is better
    stretch: list[Tensor] = field(default_factory=list)  # training losses since the last row, still on the device
    eval_seconds: float = 0.0  # evaluating and saving
    started: float = field(default_factory=time.perf_counter)  # as if it had all been one process

    @property
    def train_seconds(self) -> float:
        return time.perf_counter() - self.started - self.eval_seconds


@dataclass
class Run:
    """A run under way: its state, how far it has come, and where its record and its weights go."""

    training: Training
    record: RecordWriter
    snapshots: Path  # the folder of weights and records
    at: HowFar

    def save_weights(self, name: str) -> None:
        """Weights, optimizer and levels as `name` in the folder; of several processes the first one writes."""
        training = self.training
        if training.share.is_first:
            save_snapshot(self.snapshots / name, training.state(), self.at.done, training.levels)


def draws_random_numbers(model: nn.Module, spec: RunSpec) -> bool:
    """Whether a training step may draw random numbers: only of hpcheck's own networks is it known that none but dropout does."""
    return not find.is_hpchecks_network(spec.model.name) or any(isinstance(module, _DropoutNd) for module in model.modules())
