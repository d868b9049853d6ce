"""A simulated network that answers each run that a step asks for, so that steps can be replayed before anything is trained.

Its validation loss falls with the distance, sum of lr/(1-momentum), that a run has travelled, towards a floor that depends on weight decay
and batch size; a run diverges a little after lr/(1-momentum) exceeds a limit.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import values_at
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec, run_id

START = math.log(10)  # the loss of a guess among ten classes
LEAST = 0.01  # the least loss that there is
NEAREST_ONE = 0.01  # 1-momentum counts as this much at the least: at a momentum of 1 the distance would have no end
NO_DECAY = 1e-7  # a weight decay of 0 does as well as this one
AFTER_LIMIT = 5  # updates from the first one beyond the limit until a run diverges
FINEST = 20_000  # ours: steps of a run that are looked at, evenly, where it has more: a plan costs no more for a million iterations
SAMPLES = 3  # measurements of the time of an update
NOBODYS_DATA = "simulated"  # stands for the fingerprint of the data


@dataclass
class World:
    """What is true of the simulated network: its runs follow from this. `records` holds all that were asked for, in order."""

    fastest: float = 4.0  # lr/(1-momentum) above which a run diverges
    best_weight_decay: float = 1e-3
    worse_by_decade: float = 0.1  # what the floor rises by for each power of ten between a weight decay and the best one
    better_by_doubling: float = 0.0  # what the floor falls by for each doubling of the batch size beyond `usual_batch_size`
    usual_batch_size: int = 128
    floor: float = 0.3  # the loss that a run falls towards with the best weight decay and the usual batch size
    needed: float = 60.0  # distance in which the loss falls by a factor e
    noise: float = 0.01  # standard deviation of an evaluation of the loss
    metric_by_loss: float = 0.2  # what the metric falls by for each unit of the loss, from 1
    seconds_an_example: float = 1e-4
    seconds_a_step: float = 2e-3
    records: dict[str, RunRecord] = field(default_factory=dict, init=False)
    _by_spec: dict[Spec, RunRecord] = field(default_factory=dict, init=False)

    def answer(self, spec: Spec) -> RunRecord:
        """The record of a run, made where there is none yet: a look-up that knows every run."""
        return self.find(spec) or self.execute(spec)

    def find(self, spec: Spec) -> RunRecord | None:
        """The record of a run that was made."""
        return self._by_spec.get(spec)

    def execute(self, spec: Spec) -> RunRecord:
        """Make a run."""
        record = self.timed(spec) if isinstance(spec, TimingSpec) else self.trained(spec)
        self.records[record.run_id] = self._by_spec[spec] = record
        return record

    def timed(self, spec: TimingSpec) -> RunRecord:
        """A measurement of step times: a constant and a part in proportion to the batch size."""
        seconds = {size: self.seconds_a_step + size * self.seconds_an_example for size in spec.batch_sizes}
        sizes = [{"size": size, "samples": [took] * SAMPLES} for size, took in seconds.items()]
        examples = sum(spec.batch_sizes) * spec.rounds * spec.steps_a_round
        return RunRecord(run_id(spec, NOBODYS_DATA), spec, (), "finished", {"sizes": sizes, "examples": examples})

    def trained(self, spec: RunSpec) -> RunRecord:
        """A training: its evaluations up to its end, or up to where it diverged."""
        count = spec.steps - spec.at_step
        each, lr, momentum, speed = looked_at(spec)
        before = self.travelled(spec)
        distance = before + each * np.cumsum(np.minimum(speed, self.fastest))
        too_fast = np.flatnonzero(speed > self.fastest)
        end = count if len(too_fast) == 0 else min(count, each * int(too_fast[0]) + AFTER_LIMIT)
        random, floor, rows = np.random.default_rng([spec.seed, 1]), self.falls_to(spec), []
        for done in spec.evaluate_after:
            step = done - spec.at_step
            if step > end:
                break
            travelled = before if step == 0 else distance[(step - 1) // each]
            loss = floor + (START - floor) * math.exp(-travelled / self.needed) + random.normal(0, self.noise)
            now = max(step - 1, 0) // each
            rows.append(row(done, lr[now], momentum[now], loss, 1 - self.metric_by_loss * loss))
        diverged = end < count
        if diverged:
            now = (end - 1) // each
            rows.append(row(spec.at_step + end, lr[now], momentum[now], math.nan, 0.1))
        status = "diverged" if diverged else "finished"
        return RunRecord(run_id(spec, NOBODYS_DATA), spec, tuple(rows), status, self.finally_(spec, rows[-1]))

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        """The figures of the splits that a full training is measured on at its end."""
        figures = {"loss": last["val_loss"], "metric": last["metric"], "examples": 1000}
        return dict.fromkeys(spec.finally_on, figures) if math.isfinite(last["val_loss"]) else {}

    def falls_to(self, spec: RunSpec) -> float:
        """The loss that a run falls towards."""
        away = abs(math.log10((spec.weight_decay or NO_DECAY) / self.best_weight_decay))
        doublings = math.log2(spec.total_batch_size / self.usual_batch_size)
        return max(self.floor + self.worse_by_decade * away - self.better_by_doubling * doublings, LEAST)

    def travelled(self, spec: RunSpec) -> float:
        """The distance that a run's ancestors covered."""
        if spec.parent is None:
            return 0.0
        parent = self.records[spec.parent].run
        each, _, _, speed = looked_at(parent)
        return self.travelled(parent) + each * float(np.minimum(speed, self.fastest).sum())


def looked_at(spec: RunSpec) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Every so many steps of a run, and its lr, its momentum and lr/(1-momentum) at each of those, (T,)."""
    count = spec.steps - spec.at_step
    each = max(1, count // FINEST)
    steps = np.arange(0, count, each)
    lr, momentum = values_at(spec.lr, steps), values_at(spec.momentum, steps)
    return each, lr, momentum, lr / np.maximum(1 - momentum, NEAREST_ONE)


def row(step: int, lr: float, momentum: float, loss: float, metric: float) -> dict[str, float]:
    """One evaluation as a record has it."""
    return {
        "step": step,
        "lr": float(lr),
        "momentum": float(momentum),
        "train_loss": loss,
        "val_loss": loss,
        "metric": metric,
        "seconds": 0.01 * step,
    }
