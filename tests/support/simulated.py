"""A stand-in for the engine in tests of steps: runs whose best settings are known, computed in a few lines instead of trained.

The loss falls with the distance lr/(1-momentum) travelled, towards a floor that depends on weight decay, and a run diverges a little after
lr/(1-momentum) exceeds a limit.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpcheck.config import parse
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import values
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec, run_id
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked, Decide, Facts, replay

START = math.log(10)


@dataclass
class World:
    """What is true of the simulated network: its runs follow from this."""

    fastest: float = 4.0  # lr/(1-momentum) above which a run diverges
    best_weight_decay: float = 1e-3
    needed: float = 60.0  # distance in which the loss falls by a factor e
    noise: float = 0.01
    seconds_an_example: float = 1e-4
    seconds_a_step: float = 2e-3
    records: dict[str, RunRecord] = field(default_factory=dict)

    def find(self, spec: Spec) -> RunRecord | None:
        return self.records.get(run_id(spec, "simulated"))

    def execute(self, spec: Spec) -> None:
        record = self.timed(spec) if isinstance(spec, TimingSpec) else self.trained(spec)
        self.records[record.run_id] = record

    def timed(self, spec: TimingSpec) -> RunRecord:
        sizes = [{"size": size, "samples": [self.seconds_a_step + size * self.seconds_an_example] * 3} for size in spec.batch_sizes]
        return RunRecord(run_id(spec, "simulated"), spec, (), "finished", {"sizes": sizes})

    def trained(self, spec: RunSpec) -> RunRecord:
        count = spec.steps - spec.at_step
        lr, momentum = values(spec.lr, count), values(spec.momentum, count)
        speed = lr / (1 - momentum)
        before = self.travelled(spec)
        distance = before + np.cumsum(np.minimum(speed, self.fastest))
        too_fast = np.flatnonzero(speed > self.fastest)
        end = count if len(too_fast) == 0 else min(count, int(too_fast[0]) + 5)
        decay = spec.weight_decay or 1e-7
        floor = 0.3 + 0.1 * abs(math.log10(decay / self.best_weight_decay))
        random = np.random.default_rng([spec.seed, 1])
        rows = []
        for done in spec.evaluate_after:
            step = done - spec.at_step
            if step > end:
                break
            at = before if step == 0 else distance[step - 1]
            loss = floor + (START - floor) * math.exp(-at / self.needed) + random.normal(0, self.noise)
            now = max(step - 1, 0)
            metric = 1 - 0.2 * loss
            rows.append(row(done, lr[now], momentum[now], loss, metric))
        diverged = end < count
        if diverged:
            rows.append(row(spec.at_step + end, lr[end - 1], momentum[end - 1], math.nan, 0.1))
        return RunRecord(
            run_id(spec, "simulated"), spec, tuple(rows), "diverged" if diverged else "finished", self.finally_(spec, rows[-1])
        )

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        """The figures of the splits that a full training is measured on at its end."""
        figures = {"loss": last["val_loss"], "metric": last["metric"], "examples": 1000}
        return dict.fromkeys(spec.finally_on, figures) if math.isfinite(last["val_loss"]) else {}

    def travelled(self, spec: RunSpec) -> float:
        """The distance that a run's ancestors covered."""
        if spec.parent is None:
            return 0.0
        parent = self.records[spec.parent].run
        count = parent.steps - parent.at_step
        speed = values(parent.lr, count) / (1 - values(parent.momentum, count))
        return self.travelled(parent) + float(np.minimum(speed, self.fastest).sum())


def row(step: int, lr: float, momentum: float, loss: float, metric: float) -> dict[str, float]:
    return {
        "step": step,
        "lr": float(lr),
        "momentum": float(momentum),
        "train_loss": loss,
        "val_loss": loss,
        "metric": metric,
        "seconds": 0.01 * step,
    }


def asked(*overrides: str) -> Asked:
    """A small checklist: 10,000 examples, 10 epochs; nothing is trained in full before `train` unless `overrides` say so."""
    given = ("confirm.trainings=0", *overrides)
    return Asked(parse("data: digits\nmodel: mlp\nbudget: {epochs: 10}\n", "test", given), Facts(10_000, 1_000))


def read(world: World, decide: Decide, question: Asked, settings: Settings) -> Reading:
    """Drive a step to its reading, executing whatever it asks for."""
    for _ in range(60):
        outcome = replay(decide, question, settings, world.find)
        if isinstance(outcome, Reading):
            return outcome
        for spec in outcome.specs:
            world.execute(spec)
    raise AssertionError("the step never stops asking")
