"""Where everything of a panel of curves stands, in pixels: the one layout that the SVG and the PNG back end both draw.

Each curve is named at its end, in its own colour. A clue's box says what it means beside its number.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpcheck.drawing import scale
from hpcheck.drawing.clue_layout import Clue, clue_boxes, clue_words
from hpcheck.drawing.frame import Frame, Point, Size
from hpcheck.drawing.layout import BOLD, CHARACTER, Stroke, Words
from hpcheck.drawing.marks import ends_early
from hpcheck.drawing.panels import Panel, Series
from hpcheck.drawing.scale import View
from hpcheck.text import number, without_common_words

COLOURS = 7  # how many there are; further curves are dashed
RIGHT = 16.0  # pixels: half of a tick's number may stand there
HEAD, MARK_ROW = 24.0, 16.0  # pixels above the plot: for what its axis measures, and for each row of marks
ALONG = 6  # points of a stretch between two evaluations that words should not hide
BESIDE = 9.0  # pixels between the end of a curve and its name
MOST_OF_WIDTH = 0.36  # ours: the names of curves take at most this share of the picture


@dataclass(frozen=True)
class Curve:
    """One line: its colour, its raw values as dots, its trend in pieces, the band around it, where it stops because it diverged, and the
    places at the edge where raw values lie outside (True: above)."""

    index: int
    dashed: bool
    chosen: bool
    dots: tuple[Point, ...]
    pieces: tuple[tuple[Point, ...], ...]
    band: tuple[Point, ...]
    stop: Point | None
    beyond: tuple[tuple[float, float, bool], ...]

    @property
    def colour(self) -> int:
        return self.index % COLOURS


@dataclass(frozen=True)
class CurveLayout:
    """A whole picture: `plot` is left, top, right and bottom of the part that has curves in it."""

    size: Size
    view: View
    plot: tuple[float, float, float, float]
    strokes: tuple[Stroke, ...]
    curves: tuple[Curve, ...]
    words: tuple[Words, ...]
    clues: tuple[Clue, ...]


def columns(panels: Sequence[tuple[Panel, View]], size: Size) -> list[float]:
    """Pixels right of each plot. Panels over the same stretch of the same axis have the same, so that a value stands in one line in all."""
    own = [_column(panel, size) for panel, _ in panels]
    axes = [(panel.x_label, view.x, panel.log_x) for panel, view in panels]
    return [max(width for width, axis in zip(own, axes, strict=True) if axis == this) for this in axes]


def _column(panel: Panel, size: Size) -> float:
    """Pixels right of a panel's plot, for the names of its curves."""
    common, names = curve_names(panel, size)
    if not names:
        return RIGHT
    bold = [BOLD * line.chosen or 1.0 for line in panel.series]
    wide = max(len(name) * weight for name, weight in zip((common, *names), (BOLD, *bold), strict=True)) + 1
    return min(wide * CHARACTER * size.font, MOST_OF_WIDTH * size.width) + BESIDE


def placed(panel: Panel, view: View, size: Size, column: float | None = None) -> CurveLayout:
    """The layout of one panel in one size, with `column` pixels right of the plot; None: as many as its own curves' names need."""
    column = column if column is not None else _column(panel, size)
    common, names = curve_names(panel, size)
    marks, rows = _mark_rows(panel, view, size, size.width - column)
    frame = Frame(panel, view, size, HEAD + MARK_ROW * rows, size.width - column)
    curves = tuple(_curve(frame, line, index) for index, line in enumerate(panel.series))
    clues = clue_boxes(frame)
    axes, ticks = _axes(frame)
    leaders, named = _named(frame, curves, common, names)
    marked, said = _marks(frame, marks)
    words = [*ticks, *named, *said]
    words += clue_words(frame, clues, words, [point for curve in curves for point in _along(curve)])
    return CurveLayout(size, view, frame.box, (*axes, *leaders, *marked), curves, tuple(words), clues)


def curve_names(panel: Panel, size: Size) -> tuple[str, list[str]]:
    """What stands above the names of the curves, as they all begin with it, and their names; none for a single curve that needs none."""
    lines = panel.series
    if len(lines) == 1 and not lines[0].note and not lines[0].chosen:
        return "", []
    common, labels = without_common_words([line.label for line in lines])
    notes = [note_of(line) if size.name == "wide" else "" for line in lines]
    return common, [", ".join(filter(None, (label, note))) for label, note in zip(labels, notes, strict=True)]


def note_of(line: Series) -> str:
    """A curve's note, and that it diverged."""
    diverged = ends_early(line.smooth, line.raw) is not None and "diverged" not in line.note
    return ", ".join(filter(None, (line.note, "diverged" if diverged else "")))


def _axes(frame: Frame) -> tuple[list[Stroke], list[Words]]:
    panel, size = frame.panel, frame.size
    left, _, right, bottom = frame.box
    strokes, words = [], []
    for value in scale.ticks(frame.view.y, panel.log_y, size.y_ticks):
        strokes.append(Stroke(left, frame.y(value), right, frame.y(value), "grid"))
        words.append(Words(left - 7, frame.y(value) + 4, number(value), size.font, "end", "tick"))
    for value in scale.ticks(frame.view.x, panel.log_x, size.x_ticks):
        strokes.append(Stroke(frame.x(value), bottom, frame.x(value), bottom + 5, "tick"))
        words.append(Words(frame.x(value), bottom + 19, number(value), size.font, "middle", "tick"))
    strokes.append(Stroke(left, bottom, right, bottom, "base"))
    words.append(Words(0, 13, panel.y_label, size.font, "start", "axis"))
    words.append(Words((left + right) / 2, size.height - 5, panel.x_label, size.font, "middle", "axis"))
    return strokes, words


def _curve(frame: Frame, line: Series, index: int) -> Curve:
    smooth = line.smooth or line.raw
    stop = ends_early(line.smooth, line.raw)
    band: tuple[Point, ...] = ()
    if line.low and line.high:
        there, back = (list(filter(None, frame.points(line.x, ends))) for ends in (line.high, line.low))
        band = (*there, *reversed(back))
    last = (frame.x(line.x[stop]), frame.y(smooth[stop])) if stop is not None else None
    return Curve(
        index=index,
        dashed=line.dashed or index >= COLOURS,
        chosen=line.chosen,
        dots=tuple(point for point in frame.points(line.x, line.raw) if point and frame.shows(point)) if line.smooth else (),
        pieces=tuple(_pieces(frame, line.x, smooth)),
        band=band,
        stop=last if frame.shows(last) else None,
        beyond=tuple(_beyond(frame, line)) if frame.view.cut else (),
    )


def _along(curve: Curve) -> Iterator[Point]:
    """Its dots, and points all along its line."""
    yield from curve.dots
    for piece in curve.pieces:
        for (x1, y1), (x2, y2) in pairwise(piece):
            yield from ((x1 + (x2 - x1) * part / ALONG, y1 + (y2 - y1) * part / ALONG) for part in range(ALONG))


def _pieces(frame: Frame, xs: Sequence[float], ys: Sequence[float]) -> Iterator[tuple[Point, ...]]:
    """The points between two gaps; a gap is where a value is not finite."""
    piece: list[Point] = []
    for point in (*frame.points(xs, ys), None):
        if point is not None:
            piece.append(point)
        elif piece:
            yield tuple(piece)
            piece = []


def _beyond(frame: Frame, line: Series) -> Iterator[tuple[float, float, bool]]:
    """Places at the edge where raw values lie outside the picture."""
    left, top, right, bottom = frame.box
    low, high = frame.view.y
    for x, y in zip(line.x, line.raw, strict=False):
        if not math.isnan(y) and not low <= y <= high and math.isfinite(x) and (x > 0 or not frame.panel.log_x):
            at = frame.x(x)
            if left <= at <= right:
                yield (at, top + 4, True) if y > high else (at, bottom - 4, False)


def _named(frame: Frame, curves: Sequence[Curve], common: str, names: Sequence[str]) -> tuple[list[Stroke], list[Words]]:
    """The curves' names beside their ends, moved apart, with a line to each whose end is in the picture."""
    if not names:
        return [], []
    _, top, right, bottom = frame.box
    font = frame.size.font
    most = (frame.size.width - right - BESIDE) / (CHARACTER * font)
    strokes: list[Stroke] = []
    words = [Words(right + BESIDE, 13, _fitted(common, int(most)), font, "start", "tick")] if common else []
    ends = [_end(frame, curve) for curve in curves]
    places = scale.spread([y for _, y in ends], font * 1.25, (top + 2, bottom))
    for curve, (x, y), place, name in zip(curves, ends, places, names, strict=True):
        said = _fitted(name, int(most / BOLD if curve.chosen else most))
        words.append(Words(right + BESIDE, place + 0.35 * font, said, font, "start", "chosen" if curve.chosen else "curve", curve.index))
        if top < y < bottom:
            strokes.append(Stroke(x, y, right + BESIDE - 3, place, "leader", curve.index))
    return strokes, words


def _end(frame: Frame, curve: Curve) -> Point:
    """The last place where a curve is seen; the edge, where it has left the picture."""
    _, top, right, bottom = frame.box
    points = [point for piece in curve.pieces for point in piece] or list(curve.dots) or [(right, top)]
    inside = [point for point in points if point[0] <= right + 1]
    x, y = (inside or points)[-1]
    return min(x, right), min(max(y, top), bottom)


def _fitted(words: str, most: int) -> str:
    return words if len(words) <= most else words[: max(most - 1, 1)].rstrip(" ,") + "\u2026"


def _mark_rows(panel: Panel, view: View, size: Size, right: float) -> tuple[list[tuple[float, str, float, int]], int]:
    """Each mark with the left end of its words and its row, and how many rows there are."""
    placed = []
    for value, text in sorted(panel.marks):
        if not math.isfinite(value):
            continue
        width = len(text) * CHARACTER * size.font
        x = size.left + (right - size.left) * scale.share(value, view.x, panel.log_x)
        placed.append((value, text, min(max(x - width / 2, 2.0), size.width - width - 2), width))
    rows = scale.rows([(start, start + width) for _, _, start, width in placed], gap=8)
    return [(value, text, start, row) for (value, text, start, _), row in zip(placed, rows, strict=True)], max(rows, default=-1) + 1


def _marks(frame: Frame, marks: Sequence[tuple[float, str, float, int]]) -> tuple[list[Stroke], list[Words]]:
    strokes, words = [], []
    for value, text, start, row in marks:
        x, y = frame.x(value), frame.top - 5 - MARK_ROW * row
        strokes.append(Stroke(x, y + 3, x, frame.box[3], "mark"))
        words.append(Words(start, y, text, frame.size.font, "start", "mark"))
    return strokes, words
