"""The layouts of `layout.py` as inline SVG; colours come from the page's style."""

from hpcheck.drawing.layout import NARROW, RADIUS, WIDE, Layout, Mark, Size, Words, setting
from hpcheck.drawing.markup import Markup, tag
from hpcheck.drawing.panels import SettingPlot
from hpcheck.text import number


def plots(plot: SettingPlot) -> Markup:
    """One setting's plot, in a wide and a narrow rendition."""
    return tag("div", [svg(plot, size) for size in (WIDE, NARROW)], class_="setting-plot")


def svg(plot: SettingPlot, size: Size) -> Markup:
    """One rendition."""
    placed: Layout = setting(plot, size)
    shade = placed.shade
    lines = [tag("line", x1=_n(one.x1), y1=_n(one.y1), x2=_n(one.x2), y2=_n(one.y2), class_=one.kind) for one in placed.strokes]
    return tag(
        "svg",
        tag("rect", x=_n(shade[0]), y=_n(shade[1]), width=_n(shade[2]), height=_n(shade[3]), class_="shade") if shade else None,
        lines,
        [_mark(one) for one in placed.marks],
        [_text(one) for one in placed.words],
        class_=f"plot {size.name}",
        viewBox=f"0 0 {_n(placed.width)} {_n(placed.height)}",
        role="img",
        aria_label=described(plot),
    )


def described(plot: SettingPlot) -> str:
    """The plot in words, for those who do not see it."""
    tried = ", ".join(f"{number(one.value)}: {number(float(f'{one.score:.3g}'))}" for one in plot.candidates)
    parts = [f"{plot.title}: {plot.answer}"]
    parts += [f"{plot.y_label} of what was tried: {tried}"] * bool(plot.candidates)
    if plot.start is not None:
        parts.append(f"yours: {number(plot.start)}")
    return ". ".join([*parts, *([plot.note] if plot.note else [])]) + "."


def _mark(one: Mark) -> Markup:
    x, y, r = one.x, one.y, RADIUS
    if one.kind == "diverged":
        path = f"M{_n(x - r)} {_n(y - r)}L{_n(x + r)} {_n(y + r)}M{_n(x - r)} {_n(y + r)}L{_n(x + r)} {_n(y - r)}"
        return tag("path", d=path, class_="mark diverged")
    if one.kind == "beyond":
        tip, foot = (y - r, y + r) if one.up else (y + r, y - r)
        return tag("path", d=f"M{_n(x - r)} {_n(foot)}L{_n(x)} {_n(tip)}L{_n(x + r)} {_n(foot)}Z", class_="mark beyond-edge")
    return tag("circle", cx=_n(x), cy=_n(y), r=r, class_=f"mark {one.kind}")


def _text(one: Words) -> Markup:
    return tag("text", one.words, x=_n(one.x), y=_n(one.y), text_anchor=one.anchor, font_size=one.size, class_=f"t-{one.kind}")


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
