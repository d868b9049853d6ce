"""A picture with what belongs to it, as values for the page: its renditions, the clues it numbers, its data for the page's script."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hpcheck.drawing import curve_layout, frame, scale, svg
from hpcheck.drawing.marks import merged, spoken
from hpcheck.drawing.markup import Markup, data_block
from hpcheck.drawing.panels import Box, Panel
from hpcheck.drawing.scale import View
from hpcheck.text import number


@dataclass(frozen=True)
class ClueWords:
    """A clue's sentence in its parts: the sign, what to do about it, and where the paper says so. `sign` alone is any other sentence."""

    sign: str
    advice: str = ""
    source: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page; without drawings it says that there is nothing to draw. `edges` are the ends of both axes."""

    identity: str
    title: str
    drawings: Sequence[Markup] = ()
    edges: str = ""
    notes: Sequence[str] = ()
    clues: Sequence[ClueWords] = ()
    values: str = ""


def figures(panels: Sequence[Panel], name: str, sizes: Sequence[frame.Size] = (frame.WIDE, frame.NARROW)) -> list[Figure]:
    """A figure for each panel, called `name-0` and so on. Those over the same axis stand in line."""
    views = [scale.view(panel) for panel in panels]
    shown = [(at, panel, view) for at, (panel, view) in enumerate(zip(panels, views, strict=True)) if view is not None]
    found = [Figure(f"{name}-{at}", panel.title) for at, panel in enumerate(panels)]
    columns = [curve_layout.columns([(panel, view) for _, panel, view in shown], size) for size in sizes]
    for (at, panel, view), *wide in zip(shown, *columns, strict=True):
        found[at] = _figure(panel, view, f"{name}-{at}", list(zip(sizes, wide, strict=True)))
    return found


def _figure(panel: Panel, view: View, identity: str, sizes: Sequence[tuple[frame.Size, float]]) -> Figure:
    """The whole figure, of which `identity` is the name on the page, in sizes with so many pixels right of the plot."""
    notes = ["Triangles at the edge: values outside the picture."] * view.cut
    notes += ["The picture shows where the curves end. They begin outside it."] * view.zoomed
    return Figure(
        identity,
        panel.title,
        [svg.svg(panel, view, size, f"{identity}-{size.name}", column) for size, column in sizes],
        ",".join(f"{edge:.6g}" for edge in (*view.x, *view.y)),
        notes,
        [_clue(box, panel) for box in merged(panel.boxes)],
        data_block(values(panel)),
    )


def _clue(box: Box, panel: Panel) -> ClueWords:
    if box.words:
        return clue_words(box.words)
    return ClueWords(f"{spoken(box.text)}, {panel.x_label} {number(box.from_x)} to {number(box.to_x)}")


def clue_words(sentence: str) -> ClueWords:
    """A clue's line, "kind (form), where: advice [section]", with its parts told apart."""
    match = re.fullmatch(r"(.*?): (.*?)(?: \[(.*)\])?", sentence, re.DOTALL)
    if match is None:
        return ClueWords(sentence)
    sign, advice, source = match.groups()
    return ClueWords(spoken(sign), advice, source or "")


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
