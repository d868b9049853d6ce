"""The layouts of `curve_layout.py` as inline SVG; colours come from the page's style, so that light and dark both work."""

from collections.abc import Iterable

from hpcheck.drawing.clue_layout import BADGE, Clue
from hpcheck.drawing.curve_layout import COLOURS, Curve, placed
from hpcheck.drawing.frame import Point, Size
from hpcheck.drawing.layout import Stroke, Words
from hpcheck.drawing.markup import Markup, tag
from hpcheck.drawing.panels import Panel
from hpcheck.drawing.scale import View


def svg(panel: Panel, view: View, size: Size, identity: str, column: float | None = None) -> Markup:
    """One rendition, with `column` pixels right of the plot. `identity` is unique on the page: the clip path is named after it."""
    layout = placed(panel, view, size, column)
    left, top, right, bottom = layout.plot
    clip = tag("clipPath", tag("rect", x=_n(left), y=_n(top), width=_n(right - left), height=_n(bottom - top)), id=identity)
    return tag(
        "svg",
        tag("defs", clip),
        tag("g", [_stroke(one) for one in layout.strokes if one.kind in ("grid", "tick", "base")], class_="axes"),
        tag("g", [_box(one) for one in layout.clues], class_="boxes"),
        tag("g", [_curve(one) for one in layout.curves], clip_path=f"url(#{identity})"),
        [_beyond(one) for one in layout.curves if one.beyond],
        [_stroke(one) for one in layout.strokes if one.kind in ("mark", "leader")],
        [
            tag("circle", cx=_n(one.badge[0]), cy=_n(one.badge[1]), r=BADGE, class_="badge-dot", data_clue=one.number)
            for one in layout.clues
        ],
        [_words(one) for one in layout.words],
        tag("line", class_="cursor", y1=_n(top), y2=_n(bottom), visibility="hidden"),
        class_=f"plot {size.name}",
        viewBox=f"0 0 {_n(size.width)} {_n(size.height)}",
        role="img",
        aria_label=described(panel),
        data_box=",".join(map(_n, layout.plot)),
    )


def described(panel: Panel) -> str:
    """The picture in words, for those who do not see it."""
    curves = ", ".join(f"{line.label}{' (chosen)' if line.chosen else ''}" for line in panel.series)
    parts = [f"{panel.title}: {panel.y_label} against {panel.x_label}", f"curves: {curves}"]
    parts += [f"marked: {', '.join(text for _, text in panel.marks)}"] * bool(panel.marks)
    parts += [f"clues: {', '.join(box.text for box in panel.boxes)}"] * bool(panel.boxes)
    return ". ".join(parts) + "."


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _stroke(one: Stroke) -> Markup:
    of = {} if one.series is None else {"data_series": one.series}
    coloured = "" if one.series is None else f" s{one.series % COLOURS}"
    return tag("line", x1=_n(one.x1), y1=_n(one.y1), x2=_n(one.x2), y2=_n(one.y2), class_=f"{one.kind}{coloured}", **of)


def _words(one: Words) -> Markup:
    of = {} if one.series is None else {"data_series": one.series}
    coloured = "" if one.series is None else f" s{one.series % COLOURS}"
    return tag(
        "text", one.words, x=_n(one.x), y=_n(one.y), text_anchor=one.anchor, font_size=one.size, class_=f"t-{one.kind}{coloured}", **of
    )


def css_class(one: Curve) -> str:
    """Colour and stroke of a curve."""
    return f"s{one.colour}{' dashed' if one.dashed else ''}{' chosen' if one.chosen else ''}"


def _curve(one: Curve) -> Markup:
    parts = [tag("path", d=f"{_path(one.band)}Z", class_="band")] if one.band else []
    if one.dots:
        parts.append(tag("path", d="".join(f"M{_n(x)} {_n(y)}h0" for x, y in one.dots), class_="dots"))
    parts.append(tag("path", d="".join(map(_path, one.pieces)), class_="line"))
    if one.stop is not None:
        x, y = one.stop
        parts.append(tag("path", d=f"M{_n(x - 5)} {_n(y - 5)}l10 10m0 -10l-10 10", class_="stop"))
    return tag("g", parts, class_=css_class(one), data_series=one.index)


def _beyond(one: Curve) -> Markup:
    """Small triangles at the edge where raw values lie outside the picture."""
    triangles = (
        f"M{_n(x - 3.5)} {_n(y + 3)}l3.5 -6l3.5 6z" if up else f"M{_n(x - 3.5)} {_n(y - 3)}l3.5 6l3.5 -6z" for x, y, up in one.beyond
    )
    return tag("g", tag("path", d="".join(triangles), class_="beyond"), class_=css_class(one), data_series=one.index)


def _box(one: Clue) -> Markup:
    x, y, width, height = one.box
    return tag("rect", x=_n(x), y=_n(y), width=_n(width), height=_n(height), rx=3, data_clue=one.number)
