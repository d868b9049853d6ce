"""Where everything of a setting's small plot stands, in pixels: the one layout that the SVG and the PNG back end both draw."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hpcheck.drawing import scale
from hpcheck.drawing.panels import Candidate, SettingPlot
from hpcheck.text import number

CHARACTER = 0.6  # ours: mean width of a character, as a share of its size; digits of DejaVu Sans are 0.64 wide, letters are less
BOLD = 1.15  # ours: how much wider bold words are, and a short word with wide letters may be
BOLD_KINDS = ("title", "answer", "chosen")
RADIUS = 5.0
GAP = 4.0  # ours: least room between two labels
FAR = 6.0  # ours: a score this many times as far from the best as the median one stands at the edge, so that it does not squash the others
HEAD = 56.0  # room above the plot: title, answer and what the scores are
FOOT = 54.0  # room below it: values, "yours", and what the scores are of
KEY = (
    "Filled, or a line: chosen. Pale: about as good. Shaded: where the value may lie. Dashed: yours. "
    "\u2715: diverged. \u25b2 \u25bc: far worse.",
    "Bars: one standard error of the score or, if the filled dot has no bar, of the difference from the filled dot.",
    "Dots of full trainings are scores of the first seed. The verdict uses fresh seeds, which had no part in the choice.",
)
Kind = Literal["chosen", "tied", "other", "diverged", "beyond"]
Span = tuple[float, float]


@dataclass(frozen=True)
class Words:
    """A label: where its line of text stands, `anchor` being the end that `x` says."""

    x: float
    y: float
    words: str
    size: float
    anchor: Literal["start", "middle", "end"] = "middle"
    kind: Literal["title", "answer", "label", "value", "chosen", "tick", "axis", "curve", "mark", "clue", "number"] = "label"
    series: int | None = None  # of which curve

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, by the mean width of a character."""
        width = len(self.words) * CHARACTER * self.size * (BOLD if self.kind in BOLD_KINDS else 1.0)
        left = self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width
        return left, self.y - 0.8 * self.size, left + width, self.y + 0.2 * self.size


@dataclass(frozen=True)
class Stroke:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: Literal["grid", "base", "error", "yours", "set", "tick", "mark", "leader"]
    series: int | None = None  # of which curve


@dataclass(frozen=True)
class Mark:
    """A candidate's dot, cross, or triangle at the edge."""

    x: float
    y: float
    kind: Kind
    up: bool = True  # which way a triangle points


@dataclass(frozen=True)
class Layout:
    """A whole plot: `shade` is left, top, width and height of the interval."""

    width: float
    height: float
    shade: tuple[float, float, float, float] | None
    strokes: tuple[Stroke, ...]
    marks: tuple[Mark, ...]
    words: tuple[Words, ...]


@dataclass(frozen=True)
class Size:
    """Pixels of a rendition, and the size of its small text."""

    name: str
    width: float
    height: float
    font: float


WIDE = Size("wide", 212.0, 232.0, 11.5)
NARROW = Size("narrow", 170.0, 218.0, 11.0)


class _Axes:
    """Where values and scores go. A zero on a log axis has a place of its own, left of the others."""

    def __init__(self, plot: SettingPlot, size: Size) -> None:
        self.plot, self.size = plot, size
        self.zero = 0.0
        self.x_span = self._x_span()
        self.y_span, self.far = _y_span(plot)
        self.y_ticks = next(found for most in (4, 6, 12) if len(found := scale.ticks(self.y_span, False, most)) > 1 or most == 12)
        widest = max((len(number(tick)) for tick in self.y_ticks), default=1)
        self.left = widest * CHARACTER * size.font + 8
        self.right, self.top, self.bottom = size.width - 10.0, HEAD + 8, size.height - FOOT

    def _x_span(self) -> Span:
        plot = self.plot
        given = [one.value for one in plot.candidates] + [one for one in (plot.chosen, plot.start) if one is not None]
        shown = [value for value in given if math.isfinite(value) and (value > 0 or not plot.log_x)]
        if not plot.log_x:
            low, high = min(shown), max(shown)
            return (low, high) if high > low else (low - 0.5, high + 0.5)
        low, high = (min(shown), max(shown)) if shown else (1.0, 1.0)
        if any(value == 0 for value in given):
            step = (high / low) ** 0.25 if high > low else 2.0
            self.zero = low / max(step, 2.0)
            low = self.zero
        return (low, high) if high > low else (low / 2, high * 2)

    def x(self, value: float) -> float:
        inner = 2.6 * RADIUS
        if self.plot.log_x and value <= 0:
            value = self.zero or self.x_span[0]
        share = min(max(scale.share(value, self.x_span, self.plot.log_x), -0.05), 1.05)
        return self.left + inner + (self.right - self.left - 2 * inner) * share

    def y(self, score: float) -> float:
        low, high = self.y_span
        return self.bottom - (self.bottom - self.top) * min(max((score - low) / (high - low), 0.0), 1.0)


def setting(plot: SettingPlot, size: Size = WIDE) -> Layout:
    """The layout of one plot; where nothing was tried, its title, its answer and why."""
    head = [
        Words(0, 13, _fitted(plot.title, size.width / BOLD, size.font + 1.5), size.font + 1.5, "start", "title"),
        Words(0, 33, _fitted(plot.answer, size.width / BOLD, size.font + 4), size.font + 4, "start", "answer"),
    ]
    if not plot.candidates:
        note = Words(0, HEAD + 14, _fitted(plot.note or "not tested", size.width, size.font), size.font, "start")
        return Layout(size.width, size.height, None, (), (), (*head, note))
    axes = _Axes(plot, size)
    marks = _marks(axes)
    lines, below = _below(axes)
    strokes = [*_grid(axes), *lines, *_errors(axes, marks)]
    head.append(Words(0, HEAD - 6, _fitted(plot.y_label, size.width, size.font), size.font, "start"))
    ticks = [Words(axes.left - 5, axes.y(tick) + 4, number(tick), size.font, "end") for tick in axes.y_ticks]
    note = Words(0, size.height - 4, _fitted(plot.note, size.width, size.font), size.font, "start")
    words = [*head, *ticks, *below, *([note] if plot.note else [])]
    words += _chosen_score(axes, marks, strokes, words)
    return Layout(size.width, size.height, _shade(axes), tuple(strokes), tuple(mark for mark, _ in marks), tuple(words))


def _fitted(words: str, width: float, font: float) -> str:
    most = int(width / (CHARACTER * font))
    return words if len(words) <= most else words[: most - 1] + "\u2026"


def _y_span(plot: SettingPlot) -> tuple[Span, frozenset[float]]:
    """The scores that are shown, their errors included, and those so far from the best that they stand at the edge."""
    finite = [one for one in plot.candidates if math.isfinite(one.score)]
    if not finite:
        return (0.0, 1.0), frozenset()
    sign = -1.0 if plot.higher_is_better else 1.0
    best = min(sign * one.score for one in finite)
    away = sorted(sign * one.score - best for one in finite)
    median = max(away[len(away) // 2], *(one.error for one in finite if sign * one.score == best))
    far = frozenset(one.score for one in finite if median > 0 and sign * one.score - best > FAR * median)
    near = [one for one in finite if one.score not in far]
    low, high = min(one.score - _error(one) for one in near), max(one.score + _error(one) for one in near)
    room = max(0.12 * (high - low), 1e-4 * abs(high), 1e-9)
    return (low - room, high + room), far


def _error(one: Candidate) -> float:
    return one.error if math.isfinite(one.error) else 0.0


def _grid(axes: _Axes) -> list[Stroke]:
    lines = [Stroke(axes.left, axes.y(tick), axes.right, axes.y(tick), "grid") for tick in axes.y_ticks]
    return [*lines, Stroke(axes.left, axes.bottom, axes.right, axes.bottom, "base")]


def _marks(axes: _Axes) -> list[tuple[Mark, Candidate]]:
    """A mark for each candidate; those that would lie on one another stand side by side."""
    placed: list[tuple[Mark, Candidate]] = []
    for one in sorted(axes.plot.candidates, key=lambda one: (one.value, one.score)):
        mark = _mark(axes, one)
        shift = 0.0
        while any(abs(mark.x + shift - other.x) < 2 * RADIUS and abs(mark.y - other.y) < 2 * RADIUS for other, _ in placed):
            shift += RADIUS / 2
        placed.append((Mark(min(mark.x + shift, axes.right - RADIUS), mark.y, mark.kind, mark.up), one))
    return placed


def _mark(axes: _Axes, one: Candidate) -> Mark:
    plot, x = axes.plot, axes.x(one.value)
    worst = axes.bottom - RADIUS - 2 if plot.higher_is_better else axes.top + RADIUS
    if not math.isfinite(one.score):
        return Mark(x, worst, "diverged")
    if one.score in axes.far:
        return Mark(x, worst, "beyond", not plot.higher_is_better)
    kind: Kind = "chosen" if one.value == plot.chosen else "tied" if one.tied else "other"
    return Mark(x, axes.y(one.score), kind)


def _errors(axes: _Axes, marks: Sequence[tuple[Mark, Candidate]]) -> Iterator[Stroke]:
    for mark, one in marks:
        if mark.kind not in ("diverged", "beyond") and _error(one):
            yield Stroke(mark.x, axes.y(one.score - one.error), mark.x, axes.y(one.score + one.error), "error")


def _shade(axes: _Axes) -> tuple[float, float, float, float] | None:
    """The interval, at least as wide as a dot: a value that is known exactly is still seen."""
    if axes.plot.interval is None:
        return None
    left, right = (min(max(axes.x(end), axes.left), axes.right) for end in axes.plot.interval)
    left, right = (left, right) if right - left >= 2 * RADIUS else ((left + right) / 2 - RADIUS, (left + right) / 2 + RADIUS)
    return left, axes.top - 4, right - left, axes.bottom - axes.top + 4


def _below(axes: _Axes) -> tuple[list[Stroke], list[Words]]:
    """The values under their dots, as many as have room, the chosen one and the start first; and the lines of those two."""
    plot, font = axes.plot, axes.size.font
    values = sorted({one.value for one in plot.candidates})
    first = [value for value in (plot.chosen, plot.start) if value is not None]
    words: list[Words] = []
    for value in dict.fromkeys((*first, values[0], values[-1], *values)):
        label = _inside(
            Words(axes.x(value), axes.bottom + 17, number(value), font, kind="chosen" if value == plot.chosen else "value"), axes
        )
        if not any(overlap(label, other, GAP) for other in words):
            words.append(label)
    lines = []
    if plot.chosen is not None and plot.chosen not in values:
        lines.append(Stroke(axes.x(plot.chosen), axes.top - 4, axes.x(plot.chosen), axes.bottom, "set"))
    if plot.start is not None:
        x = axes.x(plot.start)
        lines.append(Stroke(x, axes.top - 4, x, axes.bottom + 3, "yours"))
        words.append(_inside(Words(x, axes.bottom + 30, "yours", font), axes))
    return lines, words


def _inside(label: Words, axes: _Axes) -> Words:
    left, _, right, _ = label.box
    shift = max(0.0, -left) - max(0.0, right - axes.size.width)
    return Words(label.x + shift, label.y, label.words, label.size, label.anchor, label.kind)


def _chosen_score(axes: _Axes, marks: Sequence[tuple[Mark, Candidate]], strokes: Sequence[Stroke], words: Sequence[Words]) -> list[Words]:
    """The chosen candidate's score beside its dot, where nothing is in its way."""
    for mark, one in marks:
        if mark.kind == "chosen":
            for dx, dy, anchor in _AROUND:
                label = Words(mark.x + dx, mark.y + dy, number(float(f"{one.score:.3g}")), axes.size.font, anchor, "chosen")
                left, top, right, bottom = label.box
                inside = left >= axes.left and right <= axes.size.width and top >= axes.top - 4 and bottom <= axes.bottom
                if inside and not _in_the_way(label, [other for other, _ in marks], strokes, words):
                    return [label]
    return []


_AROUND: tuple[tuple[float, float, Literal["start", "middle", "end"]], ...] = (
    (9, 4, "start"),
    (-9, 4, "end"),
    (0, -9, "middle"),
    (0, 17, "middle"),
    (8, -7, "start"),
    (-8, -7, "end"),
)


def _in_the_way(label: Words, marks: Sequence[Mark], strokes: Sequence[Stroke], words: Sequence[Words]) -> bool:
    left, top, right, bottom = label.box
    on_mark = any(left - RADIUS < one.x < right + RADIUS and top - RADIUS < one.y < bottom + RADIUS for one in marks)
    upright = [one for one in strokes if one.kind in ("error", "yours", "set")]
    on_line = any(left - 1 < one.x1 < right + 1 and max(one.y1, one.y2) > top and min(one.y1, one.y2) < bottom for one in upright)
    return on_mark or on_line or any(overlap(label, other) for other in words)


def overlap(one: Words, other: Words, gap: float = 0.0) -> bool:
    """Whether two labels lie on one another, or nearer than `gap` beside one another."""
    left, top, right, bottom = one.box
    left_, top_, right_, bottom_ = other.box
    return left < right_ + gap and left_ < right + gap and top < bottom_ and top_ < bottom
