"""`hpcheck reproduce`: what was asked for, run or listed, and said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcheck.checklist import doctor
from hpcheck.reproduce import cost
from hpcheck.reproduce.experiments import chosen
from hpcheck.reproduce.lookup import COMMITTED, Kept
from hpcheck.reproduce.states import State, lines, standing
from hpcheck.terminal import exit_codes, stdout
from hpcheck.terminal.progress import Progress

RUNS = Path("runs")


@dataclass(frozen=True)
class Wanted:
    """What the command line names."""

    names: Sequence[str]
    row: int | None
    records: Path | None
    overrides: Sequence[str]

    def kept(self, any_precision: bool = False) -> Kept:
        """Records of one's own runs, of the folder given, and those committed with the checkout."""
        return Kept([folder for folder in (RUNS, self.records, COMMITTED) if folder is not None], any_precision)


def listed(wanted: Wanted) -> list[State]:
    """Where the experiments stand."""
    kept = wanted.kept(any_precision=True)
    return [standing(one, kept, wanted.overrides) for one in chosen(wanted.names, wanted.row)]


def run(wanted: Wanted, budget: str | None, quiet: bool) -> list[State]:
    """Run the experiments: all that are named, or with a budget those that fit in it."""
    from hpcheck.reproduce import running

    progress, kept, experiments = Progress(quiet), wanted.kept(), chosen(wanted.names, wanted.row)
    if budget is not None:
        return running.within(cost.seconds_of(budget), experiments, kept, wanted.overrides, progress)
    states = []
    for one in experiments:
        state = standing(one, kept, wanted.overrides)
        progress.say(f"{one.name}: {f'needs {state.needs}' if state.needs else 'every run is there'}")
        if beyond_this_machine(state):
            progress.say(f"{one.name}: not begun, since there is no GPU here; -s run.device=cpu runs it all the same")
        else:
            state = running.reproduce(one, kept, wanted.overrides, progress)
        states.append(state)
    return states


def beyond_this_machine(state: State) -> bool:
    """Whether what is left takes a GPU and there is none; a device that the user named is taken at their word."""
    named = any(found.run.config.run.device != "auto" for found in state.found)
    return state.core_seconds > 3600 * cost.GPU_FROM_HOURS and not named and not doctor.has_gpu()


def told(states: Sequence[State], as_json: bool) -> list[str]:
    return [stdout.as_json([state.plain() for state in states])] if as_json else lines(states)


def exit_code(states: Sequence[State], only_listed: bool) -> int:
    """1 where something that was run misses the paper's value."""
    return exit_codes.DIFFERS if not only_listed and any(state.verdict.agrees is False for state in states) else exit_codes.FINE
