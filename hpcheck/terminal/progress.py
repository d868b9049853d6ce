"""Progress for people: which runs are under way, how far they are and how long they may take; a line at a time without a terminal."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from hpcheck.runs.records import Standing, standing
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.terminal import stdout

SECONDS_A_LINE = 30.0  # without a terminal: how things stand, at most so often; what has ended is told at once
BAR = 20  # characters: leaves room for a run's name and its loss in a terminal of 100


@dataclass
class Watched:
    """One of the runs that a step makes together, and where its record grows; once that has ended it is not read again."""

    name: str
    spec: Spec
    record: Path
    last: Standing = field(default_factory=Standing)

    def standing(self) -> Standing:
        if not self.last.status:
            self.last = standing(self.record)
        return self.last


class Progress:
    """Shows runs by reading their records as they grow; the engine knows nothing of it. All words go to stderr."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = stdout.console(to_stderr=True, quiet=quiet)

    @contextmanager
    def watching(self, step: str, jobs: Sequence[tuple[str, Spec]], records: Path) -> Iterator[Callable[[], None]]:
        """Show these jobs while the body runs; it calls what it is given every now and then."""
        runs = [Watched(name(step, jobs, at), spec, records / f"{run_id}.jsonl") for at, (run_id, spec) in enumerate(jobs)]
        if self.console.is_terminal and not self.quiet:
            with self._bars(runs) as poll:
                yield poll
        else:
            self.say(f"{step}: {announced([spec for _, spec in jobs])}")
            yield self._lines(step, runs)

    @contextmanager
    def _bars(self, runs: Sequence[Watched]) -> Iterator[Callable[[], None]]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(BAR),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[now]}", markup=False),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.console, transient=True) as bars:
            tasks = [bars.add_task(run.name, total=amount(run.spec), now="") for run in runs]

            def poll() -> None:
                for task, run in zip(tasks, runs, strict=True):
                    found = run.standing()
                    bars.update(task, completed=done(run.spec, found), now=now(found))

            yield poll

    def _lines(self, step: str, runs: Sequence[Watched]) -> Callable[[], None]:
        started, total = time.monotonic(), sum(amount(run.spec) for run in runs)
        last, told = started, set[str]()

        def poll() -> None:
            nonlocal last
            found = {run.name: run.standing() for run in runs}
            for ended in [run for run in runs if found[run.name].status and run.name not in told]:
                told.add(ended.name)
                self.say(f"{ended.name}: {ending(ended.spec, found[ended.name])}")
            elapsed = time.monotonic() - started
            if time.monotonic() - last < SECONDS_A_LINE:
                return
            last = time.monotonic()
            for run in runs:
                at = found[run.name]
                if at.row and not at.status and isinstance(run.spec, RunSpec):
                    self.say(f"{run.name}: iteration {at.row['step']:.0f} of {run.spec.steps}, {now(at)}")
            share = sum(done(run.spec, found[run.name]) for run in runs) / total
            left = f", about {elapsed * (1 - share) / share:.0f} s left" if share > 0 else ""
            if share < 1:  # at the end only the last evaluation is missing, and the line of the run's ending comes at once
                self.say(f"{step}: {share:.0%} done{left}")

        return poll

    def say(self, text: str) -> None:
        if not self.quiet:
            stdout.tell(text)


def name(step: str, jobs: Sequence[tuple[str, Spec]], at: int) -> str:
    """What a run is called: its step, which of the runs made together it is, and its label."""
    run = f" {at + 1}/{len(jobs)}" if len(jobs) > 1 else ""
    return f"{step}{run}: {jobs[at][1].label}"


def announced(specs: Sequence[Spec]) -> str:
    """What is about to run: labels, and how many iterations; a run that is made again is longer than it was."""
    lengths = [spec.steps - spec.at_step if isinstance(spec, RunSpec) else 0 for spec in specs]
    if len(set(lengths)) == 1 and lengths[0]:
        return f"{', '.join(spec.label for spec in specs)} ({lengths[0]} iterations{' each' if len(specs) > 1 else ''})"
    return ", ".join(f"{spec.label} ({steps})" if steps else spec.label for spec, steps in zip(specs, lengths, strict=True))


def now(found: Standing) -> str:
    """What was measured last; nothing before the first evaluation."""
    loss, metric = found.row.get("val_loss"), found.row.get("metric")
    if loss is None or metric is None:
        return ""
    return f"loss {loss:.3g}" + (f", metric {metric:.3g}" if math.isfinite(metric) else "")


def ending(spec: Spec, found: Standing) -> str:
    """How a run ended."""
    if not isinstance(spec, RunSpec):
        return "measured"
    seconds = f"{found.row.get('seconds', 0.0):.1f} s of training"
    if found.status == "finished":
        return f"{now(found)}, {seconds}"
    last = f"training loss {found.row.get('train_loss', math.nan):.3g}"  # what divergence is told by
    return f"{found.status} at iteration {found.row.get('step', 0):.0f} ({last}, {seconds})"


def amount(spec: Spec) -> int:
    """How much work a run is, in examples."""
    return (spec.steps - spec.at_step) * spec.total_batch_size if isinstance(spec, RunSpec) else 1


def done(spec: Spec, found: Standing) -> float:
    """How much of that is done: all of it once the run has ended, by divergence too."""
    if found.status:
        return amount(spec)
    first, each = (spec.at_step, spec.total_batch_size) if isinstance(spec, RunSpec) else (0, 1)
    return min(amount(spec), max(0.0, found.row.get("step", 0.0) - first) * each)
