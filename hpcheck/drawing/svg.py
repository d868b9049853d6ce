"""One panel as inline SVG, in a wide and a narrow rendition; colours come from the page's style, so that light and dark both work."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpcheck.drawing import scale
from hpcheck.drawing.marks import drawn, ends_early, merged, spoken
from hpcheck.drawing.markup import Markup, tag
from hpcheck.drawing.panels import Panel, Series
from hpcheck.drawing.scale import View
from hpcheck.text import number

COLOURS = 7  # how many the style sheet has; further curves are dashed
RIGHT = 16.0  # pixels: half of a tick's number may stand there
CHARACTER = 0.56  # ours: mean width of a character, as a share of its size
Point = tuple[float, float]


@dataclass(frozen=True)
class Size:
    """Pixels of a rendition: the whole, the room left of and below the plot, a mark's row above it, and its ticks."""

    name: str
    width: int
    height: int
    left: int
    bottom: int
    font: int
    x_ticks: int
    y_ticks: int


WIDE = Size("wide", 760, 340, 62, 46, 13, 8, 6)
NARROW = Size("narrow", 350, 280, 54, 42, 12, 4, 5)
SMALL = Size("small", 370, 220, 56, 42, 12, 5, 6)
FLAT = Size("wide", 760, 230, 62, 46, 13, 8, 5)  # for an enlarged part: the whole stands above it


@dataclass(frozen=True)
class Frame:
    """Where values go in one rendition."""

    size: Size
    view: View
    log_x: bool
    log_y: bool
    top: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the plot."""
        return self.size.left, self.top, self.size.width - RIGHT, self.size.height - float(self.size.bottom)

    def x(self, value: float) -> float:
        left, _, right, _ = self.box
        return left + (right - left) * scale.share(value, self.view.x, self.log_x)

    def y(self, value: float) -> float:
        _, top, _, bottom = self.box
        return bottom - (bottom - top) * scale.share(value, self.view.y, self.log_y)

    def point(self, x: float, y: float) -> Point:
        return self.x(x), self.y(y)


def svg(panel: Panel, view: View, size: Size, identity: str) -> Markup:
    """One rendition. `identity` is unique on the page: the clip path is named after it."""
    labels, rows = _mark_rows(panel, view, size)
    frame = Frame(size, view, panel.log_x, panel.log_y, 12.0 + 16 * rows)
    left, top, right, bottom = frame.box
    clip = tag("clipPath", tag("rect", x=left, y=_n(top), width=right - left, height=_n(bottom - top)), id=identity)
    curves = [_curve(frame, line, index) for index, line in enumerate(panel.series)]
    return tag(
        "svg",
        tag("defs", clip),
        _axes(frame, panel),
        tag("g", _boxes(frame, panel), class_="boxes"),
        tag("g", curves, clip_path=f"url(#{identity})"),
        [_overflow(frame, line, index) for index, line in enumerate(panel.series)] if view.cut else None,
        tag("g", _marks(frame, labels), class_="marks"),
        _badges(frame, panel),
        tag("line", class_="cursor", y1=_n(top), y2=_n(bottom), visibility="hidden"),
        class_=f"plot {size.name}",
        viewBox=f"0 0 {size.width} {size.height}",
        role="img",
        aria_label=described(panel),
        data_box=",".join(map(_n, frame.box)),
    )


def described(panel: Panel) -> str:
    """The picture in words, for those who do not see it."""
    curves = ", ".join(f"{line.label}{' (chosen)' if line.chosen else ''}" for line in panel.series)
    parts = [f"{panel.title}: {panel.y_label} against {panel.x_label}", f"curves: {curves}"]
    parts += [f"marked: {', '.join(text for _, text in panel.marks)}"] * bool(panel.marks)
    parts += [f"clues: {', '.join(box.text for box in panel.boxes)}"] * bool(panel.boxes)
    return ". ".join(parts) + "."


def css_class(index: int, line: Series) -> str:
    """Colour and stroke of a curve, the same in the picture and in the key."""
    dashed = " dashed" if line.dashed or index >= COLOURS else ""
    return f"s{index % COLOURS}{dashed}{' chosen' if line.chosen else ''}"


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _axes(frame: Frame, panel: Panel) -> Markup:
    left, top, right, bottom = frame.box
    size, parts = frame.size, []
    for value in scale.ticks(frame.view.y, panel.log_y, size.y_ticks):
        y = _n(frame.y(value))
        parts += [tag("line", x1=left, x2=right, y1=y, y2=y), _text(left - 7, frame.y(value) + 4, number(value), size, "end")]
    for value in scale.ticks(frame.view.x, panel.log_x, size.x_ticks):
        x = _n(frame.x(value))
        parts += [tag("line", x1=x, x2=x, y1=_n(bottom), y2=_n(bottom + 5)), _text(frame.x(value), bottom + 18, number(value), size)]
    parts.append(tag("line", x1=left, x2=right, y1=_n(bottom), y2=_n(bottom), class_="base"))
    middle = (top + bottom) / 2
    words = tag("text", panel.y_label, x=0, y=0, transform=f"translate(12 {_n(middle)}) rotate(-90)", text_anchor="middle", class_="label")
    return tag("g", parts, words, _text((left + right) / 2, size.height - 6, panel.x_label, size, class_="label"), class_="axes")


def _text(x: float, y: float, words: str, size: Size, anchor: str = "middle", class_: str | None = None) -> Markup:
    return tag("text", words, x=_n(x), y=_n(y), text_anchor=anchor, font_size=size.font, class_=class_)


def _curve(frame: Frame, line: Series, index: int) -> Markup:
    parts = []
    if line.low and line.high:
        parts.append(tag("path", d=_band(frame, line), class_="band"))
    smooth = line.smooth or line.raw
    if line.smooth:
        dots = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in _points(frame, line.x, line.raw))
        parts.append(tag("path", d=dots, class_="dots"))
    parts.append(tag("path", d=_path(frame, line.x, smooth), class_="line"))
    stop = ends_early(line.smooth, line.raw)
    if stop is not None:
        x, y = frame.point(line.x[stop], smooth[stop])
        parts.append(tag("path", d=f"M{_n(x - 5)} {_n(y - 5)}l10 10m0 -10l-10 10", class_="stop"))
    return tag("g", parts, class_=css_class(index, line), data_series=index)


def _overflow(frame: Frame, line: Series, index: int) -> Markup | None:
    """Small triangles at the edge where raw values lie outside the picture."""
    _, top, _, bottom = frame.box
    low, high = frame.view.y
    triangles = []
    for x, y in zip(line.x, line.raw, strict=False):
        if y > high:
            triangles.append(f"M{_n(frame.x(x) - 3.5)} {_n(top + 7)}l3.5 -6l3.5 6z")
        elif y < low:
            triangles.append(f"M{_n(frame.x(x) - 3.5)} {_n(bottom - 7)}l3.5 6l3.5 -6z")
    if not triangles:
        return None
    return tag("g", tag("path", d="".join(triangles), class_="beyond"), class_=css_class(index, line), data_series=index)


def _points(frame: Frame, xs: Sequence[float], ys: Sequence[float]) -> Iterator[Point]:
    for x, y in zip(xs, ys, strict=False):
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not frame.log_x) and (y > 0 or not frame.log_y):
            yield frame.point(x, y)


def _path(frame: Frame, xs: Sequence[float], ys: Sequence[float]) -> str:
    """Straight lines between neighbours; a gap where a value is not finite."""
    d, pen = [], "M"
    for x, y in zip(xs, ys, strict=False):
        point = next(_points(frame, (x,), (y,)), None)
        if point is None:
            pen = "M"
            continue
        d.append(f"{pen}{_n(point[0])} {_n(point[1])}")
        pen = "L"
    return "".join(d)


def _band(frame: Frame, line: Series) -> str:
    there = list(_points(frame, line.x, line.high))
    back = list(_points(frame, line.x, line.low))[::-1]
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in there + back) + "Z"


def _mark_rows(panel: Panel, view: View, size: Size) -> tuple[list[tuple[float, str, float, int]], int]:
    """Each mark with the left end of its words and its row, and how many rows there are."""
    room = (size.left, size.width - RIGHT)
    placed = []
    for value, text in sorted(panel.marks):
        if not math.isfinite(value):
            continue
        width = len(text) * CHARACTER * size.font
        x = room[0] + (room[1] - room[0]) * scale.share(value, view.x, panel.log_x)
        placed.append((value, text, min(max(x - width / 2, 2.0), size.width - width - 2), width))
    rows = scale.rows([(start, start + width) for _, _, start, width in placed], gap=8)
    return [(value, text, start, row) for (value, text, start, _), row in zip(placed, rows, strict=True)], max(rows, default=-1) + 1


def _marks(frame: Frame, labels: Sequence[tuple[float, str, float, int]]) -> list[Markup]:
    lines, words = [], []
    for value, text, start, row in labels:
        x, y = _n(frame.x(value)), frame.top - 6 - 16 * row
        lines.append(tag("line", x1=x, x2=x, y1=_n(y + 3), y2=_n(frame.box[3])))
        words.append(_text(start, y, text, frame.size, "start"))
    return [*lines, *words]  # a line that passes a lower row passes behind its words


def _boxes(frame: Frame, panel: Panel) -> list[Markup]:
    return [
        tag("rect", x=_n(x), y=_n(y), width=_n(width), height=_n(height), rx=3, data_clue=found)
        for found, x, y, width, height in _rectangles(frame, panel)
    ]


def _badges(frame: Frame, panel: Panel) -> Markup:
    """A clue's number, on the upper edge of its box; moved aside where another clue's stands there."""
    taken: list[Point] = []
    parts = []
    for found, x, y, _, _ in _rectangles(frame, panel):
        x, y = max(x, frame.box[0] + 10), max(y, frame.top + 10)
        while any(abs(x - other[0]) < 20 and abs(y - other[1]) < 20 for other in taken):
            x += 21
        taken.append((x, y))
        circle = tag("circle", cx=_n(x), cy=_n(y), r=9)
        parts.append(tag("g", circle, _text(x, y + 4, str(found), frame.size), data_clue=found))
    names = [_text(x, y + 4, words, frame.size, "start", "clue-name") for x, y, words in _clue_names(frame, panel, taken)]
    return tag("g", names, parts, class_="badges")


def _clue_names(frame: Frame, panel: Panel, badges: Sequence[Point]) -> Iterator[tuple[float, float, str]]:
    """What each box means, beside its number, where there is room for the words before the edge and the next number."""
    ends: list[tuple[float, float, float]] = []
    for (x, y), box in zip(badges, merged(panel.boxes), strict=False):
        words = spoken(box.text)
        start, end = x + 14, x + 14 + len(words) * CHARACTER * frame.size.font
        free = all(other == (x, y) or abs(other[1] - y) > 18 or not start - 9 < other[0] < end + 12 for other in badges)
        apart = all(abs(row - y) > 16 or end < left or right < start for left, right, row in ends)
        if end < frame.box[2] and free and apart:
            ends.append((start, end, y))
            yield start, y, words


def _rectangles(frame: Frame, panel: Panel) -> Iterator[tuple[int, float, float, float, float]]:
    """Number, left, top, width and height of each clue's box in pixels."""
    left, top, right, bottom = frame.box
    for box in drawn(panel, frame.view):
        x, y = left + (right - left) * box.left, bottom - (bottom - top) * box.high
        yield box.number, x, y, (right - left) * (box.right - box.left), (bottom - top) * (box.high - box.low)
