"""A picture with what belongs to it: title, key of the curves, both renditions, the clues it numbers, its values for the page's script."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from hpcheck.drawing import scale, svg
from hpcheck.drawing.marks import ends_early, merged, spoken
from hpcheck.drawing.markup import Markup, data_block, tag
from hpcheck.drawing.panels import Box, Panel, Series
from hpcheck.text import number

CLOSER = (svg.FLAT, svg.NARROW)


def figure(panel: Panel, identity: str, sizes: Sequence[svg.Size] = (svg.WIDE, svg.NARROW)) -> Markup:
    """The whole figure; a line of words where the panel has nothing to show."""
    title = tag("figcaption", panel.title)
    view = scale.view(panel)
    if view is None:
        return tag("figure", title, tag("p", "No finite values to draw.", class_="empty"), class_="figure", id=identity)
    closer = scale.enlarged(panel, view)
    cut = tag("p", "Triangles at the edge: values outside the picture.", class_="fine") if view.cut else None
    return tag(
        "figure",
        title,
        key(panel.series) if len(panel.series) > 1 or panel.series[0].chosen or _note(panel.series[0]) else None,
        _plots(panel, view, identity, sizes),
        cut,
        [tag("p", "The second half, enlarged", class_="closer"), _plots(_bare(panel), closer, f"{identity}-closer", CLOSER)]
        if closer
        else None,
        clues(panel),
        data_block(values(panel)),
        class_="figure",
        id=identity,
    )


def _plots(panel: Panel, view: scale.View, identity: str, sizes: Sequence[svg.Size]) -> Markup:
    drawings = [svg.svg(panel, view, size, f"{identity}-{size.name}") for size in sizes]
    edges = ",".join(f"{edge:.6g}" for edge in (*view.x, *view.y))
    return tag("div", drawings, class_="plots", data_label=panel.title, data_view=edges)


def _bare(panel: Panel) -> Panel:
    return replace(panel, title=f"{panel.title}, enlarged", marks=(), boxes=())


def key(series: Sequence[Series]) -> Markup:
    """The curves' names with a piece of each; the page's script makes them switches."""
    return tag("ul", [_entry(line, index) for index, line in enumerate(series)], class_="key")


def _entry(line: Series, index: int) -> Markup:
    sample = tag("svg", tag("path", d="M1 6H27", class_="line"), class_=svg.css_class(index, line), viewBox="0 0 28 12", aria_hidden="true")
    chosen = tag("strong", "chosen") if line.chosen else None
    note = tag("span", _note(line), class_="note") if _note(line) else None
    return tag("li", tag("span", sample, tag("span", line.label), chosen, note, class_="entry"), data_series=index)


def _note(line: Series) -> str:
    stopped = "\u2715 diverged" if ends_early(line.smooth, line.raw) is not None and "diverged" not in line.note else ""
    return ", ".join(filter(None, (line.note, stopped)))


def clues(panel: Panel) -> Markup | None:
    """What the numbered boxes mean."""
    boxes = merged(panel.boxes)
    if not boxes:
        return None
    return tag("ol", [_clue(box, found, panel) for found, box in enumerate(boxes, 1)], class_="clues")


def _clue(box: Box, found: int, panel: Panel) -> Markup:
    where = f"{panel.x_label} {number(box.from_x)} to {number(box.to_x)}"
    badge = tag("span", found, class_="badge", aria_hidden="true")
    words = clue_words(box.words) if box.words else (tag("strong", spoken(box.text)), f", {where}")
    return tag("li", badge, tag("span", words), data_clue=found)


def clue_words(sentence: str) -> tuple[Markup, ...]:
    """A clue's line, "kind (form), where: advice [section]", with its parts told apart."""
    match = re.fullmatch(r"(.*?): (.*?)(?: \[(.*)\])?", sentence, re.DOTALL)
    if match is None:
        return (tag("span", sentence),)
    sign, advice, section = match.groups()
    source = (Markup(" "), tag("span", f"Smith 2018, {section}", class_="source")) if section else ()
    return (tag("strong", spoken(sign)), tag("span", f": {advice}."), *source)


def values(panel: Panel) -> dict[str, Any]:
    """The panel's values for the script that shows them under the pointer; what is not finite is null."""
    return {
        "x_label": panel.x_label,
        "y_label": panel.y_label,
        "log": [panel.log_x, panel.log_y],
        "series": [
            {"label": line.label, "x": plain(line.x), "raw": plain(line.raw), "smooth": plain(line.smooth)}
            | ({"low": plain(line.low), "high": plain(line.high)} if line.low and line.high else {})
            for line in panel.series
        ],
    }


def plain(numbers: Iterable[float]) -> list[float | None]:
    """Four significant figures; None where there is no number."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in numbers]
