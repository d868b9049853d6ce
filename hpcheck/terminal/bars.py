"""Runs under way as lines with bars, for any width: what a run is called gives way first, then its loss; never bar, percent, time left."""
the time left."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpcheck.terminal.wrap import shortened

LONG_BAR, SHORT_BAR, LONG_FROM = 24, 12, 100  # characters of a bar, and of the terminal from which on it is long
FEWEST_OF_LABEL = 14  # ours: with less room for what a run is called, its loss is left out
PERCENT, CLOCK, GAP = 4, 8, 2  # characters of "100%", of "10:00:00" and between two columns
HEAD_LINES = 2  # the line of the whole, and the one of runs that are not shown
FULL, EMPTY = ("\u2501", "\u2500"), ("#", "-")  # where the terminal has them, and where it has ASCII alone


@dataclass(frozen=True)
class Bar:
    """A line: what it is of, what was measured last, how much is done (0 to 1), and how many seconds may be left (None: not known)."""

    label: str
    now: str = ""
    done: float = 0.0
    left: float | None = None
    running: bool = True


def lines(whole: Bar, runs: Sequence[Bar], width: int, height: int, plain: bool = False) -> list[str]:
    """The line of the whole, then a line for each run, as many as the terminal has room for, those under way first."""
    shown = list(runs)
    room = max(height - HEAD_LINES - 1, 1)
    if len(shown) > room:
        shown = sorted(shown, key=lambda run: not run.running)[:room]
    texts = _aligned([whole, *(_indented(run) for run in shown)], width, plain)
    hidden = len(runs) - len(shown)
    return [*texts, *([f"  and {hidden} more"] if hidden else [])]


def _indented(run: Bar) -> Bar:
    return Bar(f"  {run.label}", run.now, run.done, run.left, run.running)


def _aligned(bars: Sequence[Bar], width: int, plain: bool) -> list[str]:
    bar = LONG_BAR if width >= LONG_FROM else SHORT_BAR
    room = width - (bar + 1 + PERCENT + 1 + CLOCK) - GAP
    now = max(len(one.now) for one in bars)
    label = min(max(len(one.label) for one in bars), room - (now + GAP if now else 0))
    if now and label < min(FEWEST_OF_LABEL, max(len(one.label) for one in bars)):
        now, label = 0, min(max(len(one.label) for one in bars), room)
    return [_line(one, max(label, 1), now, bar, plain) for one in bars]


def _line(one: Bar, label: int, now: int, bar: int, plain: bool) -> str:
    parts = [f"{_label(one.label, label):<{label}}", *([f"{one.now:<{now}}"] if now else [])]
    filled = round(bar * min(max(one.done, 0.0), 1.0))
    full, empty = EMPTY if plain else FULL
    parts.append(f"{full * filled}{empty * (bar - filled)} {min(max(one.done, 0.0), 1.0):>{PERCENT}.0%} {clock(one.left):>{CLOCK}}")
    return (" " * GAP).join(parts).rstrip()


def _label(words: str, room: int) -> str:
    indent = words[: len(words) - len(words.lstrip())]
    return indent + shortened(words.lstrip(), room - len(indent))


def clock(seconds: float | None) -> str:
    """
    >>> clock(None), clock(7.4), clock(131), clock(7265)
    ('', '0:07', '2:11', '2:01:05')
    """
    if seconds is None or not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
