"""Runs under way as lines with bars, for any width: what a run is called gives way first, then its loss; never bar, percent, time left."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpcheck.terminal.wrap import shortened
from hpcheck.text import without_common_words

LONG_BAR, SHORT_BAR, LONG_FROM = 24, 12, 100  # characters of a bar, and of the terminal from which on it is long
FEWEST_OF_LABEL = 14  # ours: with less room for what a run is called, its loss is left out
PERCENT, CLOCK, GAP = 4, 8, 2  # characters of "100%", of "10:00:00" and between two columns
HEAD_LINES = 2  # the line of the whole, and the one of runs that are not shown
BLOCKS, ASCII = ("\u2501", "\u2500"), ("#", "-")  # what is done and what is not
LEFT = " left"  # after the time of the whole


@dataclass(frozen=True)
class Bar:
    """A line: what it is of, what was measured last, how much is done (0 to 1), and how many seconds may be left (None: not known).

    `number` says which of several runs it is.
    """

    label: str
    now: str = ""
    done: float = 0.0
    left: float | None = None
    running: bool = True
    number: str = ""


def lines(whole: Bar, runs: Sequence[Bar], width: int, height: int, plain: bool = False) -> list[str]:
    """The line of the whole, then a line for each run, as many as the terminal has room for, those under way first."""
    shown = list(runs)
    room = max(height - HEAD_LINES - 1, 1)
    if len(shown) > room:
        shown = sorted(shown, key=lambda run: not run.running)[:room]
    texts = _aligned(whole, shown, width, plain)
    hidden = len(runs) - len(shown)
    return [*texts, *([f"  and {hidden} more"] if hidden else [])]


def _aligned(whole: Bar, runs: Sequence[Bar], width: int, plain: bool) -> list[str]:
    bar = LONG_BAR if width >= LONG_FROM else SHORT_BAR
    room = width - (bar + 1 + PERCENT + 1 + CLOCK + len(LEFT)) - GAP
    now = max((len(run.now) for run in runs), default=0)
    beside = room - (now + GAP if now else 0)
    names = _names(runs, beside)
    longest = max(map(len, [whole.label, *names]))
    if now and beside < min(FEWEST_OF_LABEL, longest):
        now, beside, names = 0, room, _names(runs, room)
    label = max(min(longest, beside), 1)
    head = _line(whole, whole.label, label + (GAP + now if now else 0), 0, bar, plain)  # it has no loss, so its label has that room too
    rows = [_line(run, name, label, now, bar, plain) for run, name in zip(runs, names, strict=True)]
    return [head + LEFT if whole.left is not None else head, *rows]


def _names(runs: Sequence[Bar], room: int) -> list[str]:
    """What the runs are called; where there is no room for that, without the parts and the first words that are the same in all."""
    labels = [run.label for run in runs]
    if max((len(run.number) + len(run.label) + 3 for run in runs), default=0) > room:
        labels = without_common_words(_without_common_parts(labels))[1]
    return [f"  {' '.join(filter(None, (run.number, label)))}" for run, label in zip(runs, labels, strict=True)]


def _without_common_parts(labels: Sequence[str]) -> list[str]:
    """Labels without the parts between commas that are in all of them; no label is left without a part.

    >>> _without_common_parts(["weight decay 0.001, lr 0.1", "weight decay 0.01, lr 0.1"]), _without_common_parts(["a, b", "b"])
    (['weight decay 0.001', 'weight decay 0.01'], ['a, b', 'b'])
    """
    parts = [label.split(", ") for label in labels]
    common = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set()
    kept = [[part for part in one if part not in common] for one in parts]
    return [", ".join(one) for one in (kept if all(kept) else parts)]


def _line(one: Bar, name: str, label: int, now: int, bar: int, plain: bool) -> str:
    done = min(max(one.done, 0.0), 1.0)
    indent = len(name) - len(name.lstrip())
    words = " " * indent + shortened(name.lstrip(), label - indent)
    filled = round(bar * done)
    full, empty = ASCII if plain else BLOCKS
    drawn = f"{full * filled}{empty * (bar - filled)} {done:>{PERCENT}.0%} {clock(one.left):>{CLOCK}}"
    return (" " * GAP).join([f"{words:<{label}}", *([f"{one.now:<{now}}"] if now else []), drawn]).rstrip()


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
