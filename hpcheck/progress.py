"""Progress for people: which runs are under way, how far they are and how long they may take; a line at a time without a terminal."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from hpcheck.records import steps_done
from hpcheck.spec import RunSpec, Spec

SECONDS_A_LINE = 30.0  # without a terminal: a line at most so often


class Progress:
    """Shows runs by reading their records as they grow; the engine knows nothing of it. All words go to stderr."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, quiet=quiet, highlight=False)

    @contextmanager
    def watching(self, step: str, jobs: Sequence[tuple[str, Spec]], records: Path) -> Iterator[Callable[[], None]]:
        """Show these jobs while the body runs; it calls what it is given every now and then."""
        if self.console.is_terminal and not self.quiet:
            with self._bars(step, jobs, records) as poll:
                yield poll
        else:
            yield self._lines(step, jobs, records)

    @contextmanager
    def _bars(self, step: str, jobs: Sequence[tuple[str, Spec]], records: Path) -> Iterator[Callable[[], None]]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.console, transient=True) as bars:
            tasks = {run_id: bars.add_task(f"{step}: {spec.label}", total=amount(spec)) for run_id, spec in jobs}

            def poll() -> None:
                for run_id, spec in jobs:
                    bars.update(tasks[run_id], completed=done(run_id, spec, records))

            yield poll

    def _lines(self, step: str, jobs: Sequence[tuple[str, Spec]], records: Path) -> Callable[[], None]:
        started, total = time.monotonic(), sum(amount(spec) for _, spec in jobs)
        labels = ", ".join(spec.label for _, spec in jobs)
        self.say(f"{step}: {labels}")
        last = [started]

        def poll() -> None:
            now = time.monotonic()
            if now - last[0] < SECONDS_A_LINE:
                return
            last[0] = now
            share = sum(done(run_id, spec, records) for run_id, spec in jobs) / total
            left = f", about {(now - started) * (1 - share) / share:.0f} s left" if share > 0 else ""
            self.say(f"{step}: {share:.0%} done{left}")

        return poll

    def say(self, text: str) -> None:
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)


def amount(spec: Spec) -> int:
    """How much work a run is, in examples."""
    return (spec.steps - spec.at_step) * spec.total_batch_size if isinstance(spec, RunSpec) else 1


def done(run_id: str, spec: Spec, records: Path) -> float:
    """How much of that its record shows: all of it once the run has ended, by divergence too."""
    first, each = (spec.at_step, spec.total_batch_size) if isinstance(spec, RunSpec) else (0, 1)
    return min(amount(spec), max(0.0, steps_done(records / f"{run_id}.jsonl") - first) * each)
