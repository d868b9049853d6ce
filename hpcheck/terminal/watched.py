"""Runs under way as their records tell: how much is done, and how much may be done by now, since a record grows at evaluations alone."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hpcheck.runs.records import Standing, standing
from hpcheck.runs.spec import RunSpec, Spec


@dataclass
class Watched:
    """One of the runs that a step makes together, and where its record grows; once that has ended it is not read again.

    `name` says which of them it is. `had` is the work that an earlier command did of it, in examples. `began` and `heard` are seconds of
    the clock: when the run began, at the earliest, and when its work was last heard to have grown.
    """

    step: str
    name: str
    spec: Spec
    record: Path
    last: Standing = field(default_factory=Standing)
    had: float = 0.0
    began: float = 0.0
    heard: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.had = done(self.spec, self.standing())

    @property
    def work(self) -> float:
        """All of it that is heard to be done, in examples."""
        return done(self.spec, self.last)

    @property
    def title(self) -> str:
        return f"{self.step} {self.name}: {self.spec.label}" if self.name else f"{self.step}: {self.spec.label}"

    def standing(self) -> Standing:
        if self.last.status:
            return self.last
        if not self.record.exists():
            self.began = time.monotonic()
            return self.last
        before, self.last, now = self.work, standing(self.record), time.monotonic()
        if self.work < before:  # begun anew, since nothing was left to go on from
            self.had, self.began = self.work, now
        if self.work != before:
            self.heard = now
        return self.last

    def by_now(self) -> float:
        """The work that may be done by now: on at the pace of before, but not beyond the next evaluation, which is not heard of yet."""
        if self.last.status or self.work <= self.had:
            return self.work
        pace = (self.work - self.had) / max(self.heard - self.began, 1e-3)
        return min(self.work + pace * (time.monotonic() - self.heard), following(self.spec, self.work))

    def left(self) -> float | None:
        """The seconds that may be left; None where no pace is known, or nothing is left."""
        by_now, of = self.by_now(), amount(self.spec)
        if self.last.status or by_now <= self.had:
            return None
        return (time.monotonic() - self.began) / (by_now - self.had) * (of - by_now)


@dataclass(frozen=True)
class Amounts:
    """Work of several runs, in examples: heard of, done by now as it seems, in all, and done by an earlier command."""

    heard: float
    by_now: float
    of: float
    had: float


def amounts(runs: Iterable[Watched]) -> Amounts:
    """The work of these runs together."""
    every = list(runs)
    heard, by_now, had = sum(run.work for run in every), sum(run.by_now() for run in every), sum(run.had for run in every)
    return Amounts(heard, by_now, sum(amount(run.spec) for run in every), had)


def amount(spec: Spec) -> int:
    """How much work a run is, in examples."""
    return spec.examples if isinstance(spec, RunSpec) else 1


def done(spec: Spec, found: Standing) -> float:
    """How much of that is done: all of it once the run has ended, by divergence too."""
    if found.status:
        return amount(spec)
    first, each = (spec.at_step, spec.total_batch_size) if isinstance(spec, RunSpec) else (0, 1)
    return min(amount(spec), max(0.0, found.row.get("step", 0.0) - first) * each)


def following(spec: Spec, work: float) -> float:
    """How much is done at the evaluation after the one at which `work` was done."""
    if not isinstance(spec, RunSpec):
        return amount(spec)
    at = ((step - spec.at_step) * spec.total_batch_size for step in spec.evaluate_after)
    return min((one for one in at if one > work), default=amount(spec))
