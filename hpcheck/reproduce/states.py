"""Where each experiment stands: reproduced, with the figures, or not yet, with what that needs; as lines, JSON and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpcheck.reproduce import cost
from hpcheck.reproduce.experiments import Experiment, runs
from hpcheck.reproduce.lookup import Found, Kept, circumstances, find
from hpcheck.reproduce.orders import orders
from hpcheck.reproduce.verdicts import Verdict, judge

WORDS = {True: "pass", False: "miss", None: "not yet"}


@dataclass(frozen=True)
class State:
    """An experiment with what was found of it, in the order of its configs."""

    experiment: Experiment
    found: tuple[Found, ...]
    verdict: Verdict

    @property
    def core_seconds(self) -> float:
        """Of what is left to run."""
        return sum(map(cost.core_seconds, self.found))

    @property
    def word(self) -> str:
        """`pass`, `miss` or `not yet`."""
        return WORDS[self.verdict.agrees]

    @property
    def needs(self) -> str:
        """What it needs to be run, or to be run as often as the paper did; empty where nothing is left."""
        left = [one for one in self.found if cost.examples_left(one) > 0]
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
