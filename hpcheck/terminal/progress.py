"""Progress for people: which runs are under way, how far all of it is and how long it may take; a line at a time without a terminal."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpcheck.runs.records import Standing
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.terminal import stdout
from hpcheck.terminal.bars import Bar, lines
from hpcheck.terminal.watched import Amounts, Watched, amount, amounts
from hpcheck.text import duration

SECONDS_A_LINE = 30.0  # without a terminal: how things stand, at most so often; what has ended is told at once
REFRESHES = 4  # a second, of the bars


@dataclass
class Whole:
    """What the command does in all: its steps, and the work that is expected to be left of them, in examples, as a step begins.

    `left_at` is asked once for each step. `made` is the work done since then; `worked` and `seconds` count what the whole command did.
    """

    steps: tuple[str, ...] = ()
    left_at: Callable[[str], float] | None = None
    step: str = ""
    expected: float = 0.0
    made: float = 0.0
    worked: float = 0.0
    seconds: float = 0.0

    def begins(self, step: str) -> None:
        if step != self.step:
            self.step, self.made = step, 0.0
            self.expected = self.left_at(step) if self.left_at is not None and len(self.steps) > 1 else 0.0

    def ended(self, work: float, seconds: float, had: float = 0.0) -> None:
        """Runs have ended that were `work` in all; an earlier command had done `had` of it."""
        self.made += work
        self.worked += work - had
        self.seconds += seconds

    @property
    def title(self) -> str:
        """
        >>> Whole(("lr-range", "batch", "train"), step="batch").title, Whole(("batch",), step="batch").title
        ('step 2 of 3, batch', 'batch')
        """
        if len(self.steps) < 2 or self.step not in self.steps:
            return self.step
        return f"step {self.steps.index(self.step) + 1} of {len(self.steps)}, {self.step}"

    def done(self, runs: Amounts, seconds: float) -> tuple[float, float | None]:
        """The share of everything that is heard to be done, and the seconds left, where the runs under way have taken `seconds`."""
        unheard, left = (max(self.expected - self.made - work, runs.of - work) for work in (runs.heard, runs.by_now))
        share = (self.worked + runs.heard) / max(self.worked + runs.heard + unheard, 1e-9)
        worked, took = self.worked + runs.by_now - runs.had, self.seconds + seconds
        return share, took / worked * left if worked > 0 else None


class Progress:
    """Shows runs by reading their records as they grow; the engine knows nothing of it. All words go to stderr."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = stdout.console(to_stderr=True, quiet=quiet)
        self.whole = Whole()
        self._early: dict[str, Watched] = {}  # by run: what idle workers may have begun before it is waited for
        self.metric: Callable[[float], str] = "metric {:.3g}".format

    def plans(self, steps: Sequence[str], left_at: Callable[[str], float]) -> None:
        """Tell of these steps as one whole; `left_at` says how many examples are expected to be left as a step begins."""
        self.whole = Whole(tuple(steps), left_at)

    @contextmanager
    def watching(self, step: str, jobs: Sequence[tuple[str, Spec]], records: Path) -> Iterator[Callable[[], None]]:
        """Show these jobs while the body runs; it calls what it is given every now and then."""
        names = [f"{at}/{len(jobs)}" if len(jobs) > 1 else "" for at in range(1, len(jobs) + 1)]
        runs = [Watched(step, name, spec, records / f"{run_id}.jsonl") for name, (run_id, spec) in zip(names, jobs, strict=True)]
        if self.quiet:
            yield lambda: None
            return
        for run_id, _ in jobs:
            self._early.pop(run_id, None)
        self.whole.begins(step)
        began = time.monotonic()
        try:
            if self.console.is_terminal:
                with self._bars(runs, began) as poll:
                    yield poll
            else:
                self.say(f"{self.whole.title}: {announced([spec for _, spec in jobs])}")
                yield self._lines(runs, began)
        finally:
            every = amounts(runs)
            self.whole.ended(every.of, time.monotonic() - began, every.had)

    def early(self, step: str, jobs: Sequence[tuple[str, Spec]], records: Path) -> None:
        """Show these runs too, from when they have begun."""
        for run_id, spec in jobs:
            self._early.setdefault(run_id, Watched(step, "", spec, records / f"{run_id}.jsonl"))

    def _early_ended(self) -> list[Watched]:
        """The early runs that have ended since the last look."""
        ended = {run_id: run for run_id, run in self._early.items() if run.standing().status}
        for run_id, run in ended.items():
            self.whole.ended(amount(run.spec), 0.0)
            del self._early[run_id]
        return list(ended.values())

    @contextmanager
    def _bars(self, runs: Sequence[Watched], began: float) -> Iterator[Callable[[], None]]:
        from rich.console import Group
        from rich.live import Live
        from rich.text import Text

        def drawn() -> Group:
            seconds = time.monotonic() - began
            plain, size = not self.console.encoding.startswith("utf"), self.console.size
            bars = [self._bar(run) for run in [*runs, *(run for run in list(self._early.values()) if run.last.row)]]
            texts = lines(self._whole_bar(runs, seconds), bars, size.width, size.height, plain)
            return Group(*(Text(text, no_wrap=True, style="bold" if at == 0 else "") for at, text in enumerate(texts)))

        with Live(get_renderable=drawn, console=self.console, transient=True, refresh_per_second=REFRESHES):

            def poll() -> None:
                for run in runs:
                    run.standing()
                self._early_ended()

            yield poll

    def _bar(self, run: Watched) -> Bar:
        is_running = bool(run.last.row) and not run.last.status
        return Bar(run.spec.label, self.now(run.last), run.work / max(amount(run.spec), 1), run.left(), is_running, run.name)

    def _whole_bar(self, runs: Sequence[Watched], seconds: float) -> Bar:
        share, left = self.whole.done(amounts(runs), seconds)
        return Bar(self.whole.title, "", share, left)

    def _lines(self, runs: Sequence[Watched], began: float) -> Callable[[], None]:
        last, told, said = began, set[str](), dict[str, float]()

        def poll() -> None:
            nonlocal last
            for ended in [run for run in runs if run.standing().status and run.title not in told]:
                told.add(ended.title)
                self.say(f"{ended.title}: {self.ending(ended.spec, ended.last)}")
            for early in self._early_ended():
                self.say(f"{early.title}, begun early since it is needed in any case: {self.ending(early.spec, early.last)}")
            if time.monotonic() - last < SECONDS_A_LINE:
                return
            last = time.monotonic()
            for run in runs:
                row = run.last.row
                if row and not run.last.status and isinstance(run.spec, RunSpec) and row["step"] != said.get(run.title):
                    said[run.title] = row["step"]
                    self.say(f"{run.title}: iteration {row['step']:.0f} of {run.spec.steps}, {self.now(run.last)}")
            every = amounts(runs)
            if every.heard < every.of:  # at the end only the last evaluation is missing, and the line of the run's ending comes at once
                self.say(f"{self.whole.title}: {self._how_far(every, last - began)}")

        return poll

    def _how_far(self, runs: Amounts, seconds: float) -> str:
        """How much of the runs under way is done, and how long they and all that follows may take."""
        said = f"{runs.heard / runs.of:.0%} of these runs done"
        left = self.whole.done(runs, seconds)[1]
        if left is None or left < 1:  # the last evaluation is late: how much longer it takes is not known
            return said
        return f"{said}, about {duration(left)} left{' of all' * (len(self.whole.steps) > 1)}"

    def now(self, found: Standing) -> str:
        """What was measured last; nothing before the first evaluation."""
        loss, metric = found.row.get("val_loss"), found.row.get("metric")
        if loss is None or metric is None:
            return ""
        return f"loss {loss:.3g}" + (f", {self.metric(metric)}" if math.isfinite(metric) else "")

    def ending(self, spec: Spec, found: Standing) -> str:
        """How a run ended."""
        if not isinstance(spec, RunSpec):
            return "measured"
        seconds = f"{found.row.get('seconds', 0.0):.1f} s of training"
        if found.status == "finished":
            return f"{self.now(found)}, {seconds}"
        last = f"training loss {found.row.get('train_loss', math.nan):.3g}"  # what divergence is told by
        return f"{found.status} at iteration {found.row.get('step', 0):.0f} ({last}, {seconds})"

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say at once to a person at a terminal what is waited for, while it lasts."""
        if what and self.console.is_terminal and not self.quiet:
            with self.console.status(stdout.printable(what)):
                yield
        else:
            yield

    def loading(self, what: str) -> AbstractContextManager[None]:
        """Data are loaded: large ones take longer than one waits without a word."""
        return self.waiting(f"loading data: {what}" if what else "")

    def say(self, text: str, whole: bool = False) -> None:
        """Words for people; `whole`: on one line, to be copied."""
        if not self.quiet:
            stdout.tell(text, whole)


def announced(specs: Sequence[Spec]) -> str:
    """What is about to run: labels, and how many iterations; a run that is made again is longer than it was. Labels that have commas in
    them are told apart by semicolons."""
    lengths = [spec.steps - spec.at_step if isinstance(spec, RunSpec) else 0 for spec in specs]
    between = "; " if any("," in spec.label for spec in specs) else ", "
    if len(set(lengths)) == 1 and lengths[0]:
        each = f"{lengths[0]:,} iterations{' each' if len(specs) > 1 else ''}"
        return f"{between.join(spec.label for spec in specs)} ({each})"
    return between.join(f"{spec.label} ({steps:,} iterations)" if steps else spec.label for spec, steps in zip(specs, lengths, strict=True))
