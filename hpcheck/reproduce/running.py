"""Running experiments of the paper by the ordinary steps, from records that are there already; one, or as many as a budget of time pays."""

import time
from collections.abc import Sequence

from hpcheck.checklist.run import Checklist
from hpcheck.data.arrays import DataError
from hpcheck.reproduce import cost
from hpcheck.reproduce.experiments import Experiment, Run, runs
from hpcheck.reproduce.lookup import Found, Kept, decides, find
from hpcheck.reproduce.states import State, standing
from hpcheck.reproduce.verdicts import judge
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import write_whole
from hpcheck.steps.order import STEPS
from hpcheck.terminal.progress import Progress


def reproduce(experiment: Experiment, kept: Kept, overrides: Sequence[str], progress: Progress) -> State:
    """Run what is missing of an experiment, and compare. Raises `DataError` where its data are not there."""
    found = tuple(_run(run, kept, progress) for run in runs(experiment, overrides))
    return State(experiment, found, judge(experiment.answer, found))


def _run(run: Run, kept: Kept, progress: Progress) -> Found:
    with Checklist(run.config, progress) as checklist:
        bring(kept, run.config.name, checklist.runs)
        if run.step in STEPS:
            checklist.run_step(run.step)
        else:
            checklist.look(run.step, *decides(run.step))
        return find(run, checklist.runs.find, checklist.asked)


def bring(kept: Kept, name: str, directory: RunDirectory) -> None:
    """Copy the kept records of `name` to its run directory. Whether one is of this very run, its id says when it is looked up."""
    for path in kept.files(name):
        if not (directory.records / path.name).exists():
            write_whole(directory.records / path.name, path.read_text(encoding="utf-8"))


def within(
    budget_seconds: float, experiments: Sequence[Experiment], kept: Kept, overrides: Sequence[str], progress: Progress
) -> list[State]:
    """Run the experiments that fit in the budget, the cheapest first, and say where all of them stand after.

    What they cost is estimated for one CPU core; how fast this machine is by comparison is learnt from those that have been run.
    """
    started, estimated, pace = time.monotonic(), 0.0, 1.0
    states = {one.name: standing(one, kept, overrides) for one in experiments}
    for state in sorted(states.values(), key=lambda one: one.core_seconds):
        spent = time.monotonic() - started
        name = state.experiment.name
        if state.core_seconds == 0:
            continue
        if spent + state.core_seconds * pace > budget_seconds:
            progress.say(
                f"{name}: not begun: about {cost.duration(state.core_seconds * pace)}, of {cost.duration(budget_seconds - spent)} left"
            )
            continue
        try:
            states[name] = reproduce(state.experiment, kept, overrides, progress)
        except DataError as error:
            progress.say(f"{name}: not begun: {error}")
            continue
        estimated += state.core_seconds
        pace = (time.monotonic() - started) / estimated
    return list(states.values())
