"""The state of a run under way: what a training step changes, how far it has come, and where its results go."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from hpcheck.engine.batches import BatchStream, Images, OnDevice
from hpcheck.engine.distributed.team import Share
from hpcheck.engine.divergence import Levels
from hpcheck.engine.objectives import Objective
from hpcheck.engine.snapshots import save_snapshot
from hpcheck.plugins import find
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec


@dataclass
class Training:
    """All that changes while a run goes on, and what it needs to go on."""

    spec: RunSpec
    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: BatchStream
    loss: Objective
    metric: Objective
    evaluated_on: tuple[Images, Tensor]  # the fixed validation subset
    forward: nn.Module  # the model as a training step calls it: over several devices it averages the gradients
    share: Share  # this process's part of each batch, and how it is cut for BatchNorm
    levels: Levels  # of the training loss, by which divergence is judged


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
    """A run under way: its state, its data, how far it has come, and where its record and its weights go."""

    training: Training
    data: OnDevice
    record: RecordWriter
    snapshots: Path  # the folder of weights and records
    at: HowFar

    def save_weights(self, name: str) -> None:
        """Weights, optimizer and levels as `name` in the folder; of several processes the first one writes."""
        training = self.training
        if training.share.is_first:
            save_snapshot(self.snapshots / name, training.model, training.optimizer, self.at.done, training.levels)


def draws_random_numbers(model: nn.Module, spec: RunSpec) -> bool:
    """Whether a training step may draw random numbers: only of hpcheck's own networks is it known that none but dropout does."""
    return not find.is_hpchecks_network(spec.model.name) or any(isinstance(module, _DropoutNd) for module in model.modules())
