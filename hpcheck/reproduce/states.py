"""Where each experiment stands: reproduced, with the figures, or not yet, with what that needs; and whether a table keeps the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from hpcheck.analysis.distributions import kendall
from hpcheck.reproduce import cost
from hpcheck.reproduce.experiments import Experiment, runs
from hpcheck.reproduce.lookup import Found, Kept, circumstances, find
from hpcheck.reproduce.verdicts import Verdict, judge

APART = 0.7  # points: the paper's rows nearer than this lie within their standard deviations, and their order says nothing
FEWEST = 3  # rows
WORDS = {True: "pass", False: "miss", None: "not yet"}


@dataclass(frozen=True)
class State:
    """An experiment with what was found of it, in the order of its configs."""

    experiment: Experiment
    found: tuple[Found, ...]
    verdict: Verdict

    @cached_property
    def seconds_left(self) -> tuple[float, ...]:
        """Core-seconds of what is left to run of each config."""
        return tuple(map(cost.core_seconds, self.found))

    @property
    def core_seconds(self) -> float:
        """Of what is left to run."""
        return sum(self.seconds_left)

    @property
    def word(self) -> str:
        """`pass`, `miss` or `not yet`."""
        return WORDS[self.verdict.agrees]

    @property
    def needs(self) -> str:
        """What it needs to be run, or to be run as often as the paper did; empty where nothing is left."""
        left = [one for one, seconds in zip(self.found, self.seconds_left, strict=True) if seconds > 0]
        if not left:
            return ""
        data = ", ".join(dict.fromkeys(cost.data_needed(one.run) for one in left))
        gpu = ", so a GPU" if self.core_seconds > 3600 * cost.GPU_FROM_HOURS else ""
        return f"{data}; {cost.duration(self.core_seconds)} of one CPU core{gpu}"

    def plain(self) -> dict[str, Any]:
        """For --json."""
        verdict = self.verdict
        told = {"name": self.experiment.name, "what": self.experiment.what, "paper": verdict.paper, "ours": verdict.ours or None}
        told["made_on"] = circumstances(self.found)
        return {**told, "state": self.word, "why": verdict.why, "needs": self.needs or None, "core_seconds_left": round(self.core_seconds)}


def standing(experiment: Experiment, kept: Kept, overrides: Sequence[str] = ()) -> State:
    """Where an experiment stands by the records there are; reads no data and runs nothing."""
    found = tuple(find(run, kept.lookup(run.config.name)) for run in runs(experiment, overrides))
    return State(experiment, found, judge(experiment.answer, found))


def lines(states: Sequence[State]) -> list[str]:
    """Two lines an experiment: what it is, then the paper's value, ours, and the verdict."""
    told = []
    for state in states:
        verdict = state.verdict
        told.append(f"{state.experiment.name}: {state.experiment.what}")
        if verdict.agrees is None:
            begun = f"ours: {verdict.ours}; " if verdict.ours else ""
            told.append(f"    paper: {verdict.paper}; {begun}runs, not yet reproduced: needs {state.needs or 'other settings to read'}")
        else:
            why = f" ({verdict.why})" if verdict.why and not verdict.agrees else ""
            told.append(f"    paper: {verdict.paper}; ours: {verdict.ours}, {circumstances(state.found)}; {state.word}{why}")
    told += orders(states)
    counts = {word: sum(state.word == word for state in states) for word in WORDS.values()}
    return [*told, ", ".join(f"{count} {word}" for word, count in counts.items())]


def orders(states: Sequence[State]) -> list[str]:
    """A line for each network and data set with enough rows: pairs of rows that the paper has apart, and Kendall's tau over all."""
    groups: dict[str, list[State]] = {}
    for state in states:
        if "accuracy" in state.experiment.answer and any(one.tests for one in state.found):
            groups.setdefault(f"{state.experiment.group}, {', '.join(state.experiment.what.split(', ')[:2])}", []).append(state)
    return [f"{name}: {order(rows)}" for name, rows in groups.items() if len(rows) >= FEWEST]


def order(rows: Sequence[State]) -> str:
    """How the order of our means compares with that of the paper's."""
    theirs = [float(row.experiment.answer["accuracy"]) for row in rows]
    ours = [100 * sum(row.found[0].tests) / len(row.found[0].tests) for row in rows]
    apart = [(i, j) for i, j in combinations(range(len(rows)), 2) if abs(theirs[i] - theirs[j]) >= APART - 1e-9]
    same = sum((theirs[i] - theirs[j]) * (ours[i] - ours[j]) > 0 for i, j in apart)
    tau, _ = kendall(np.array(theirs), np.array(ours))
    pairs = f"{same} of {len(apart)} pairs of rows at least {APART} points apart are in the paper's order"
    return f"{pairs}; Kendall's tau {tau:.2f} over {len(rows)} rows"
