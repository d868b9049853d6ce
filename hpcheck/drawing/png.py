"""Pictures of readings: values in, PNG and SVG files out. Nothing is computed here."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from hpcheck.drawing import scale
from hpcheck.drawing.marks import drawn, ends_early, merged, spoken
from hpcheck.drawing.panels import Box, Panel, Series
from hpcheck.drawing.same import digest, shown_by
from hpcheck.drawing.scale import View
from hpcheck.runs.files import write_whole
from hpcheck.text import number

# Okabe and Ito's colours, safe for the colour-blind, darkened where a thin line would be faint on white.
COLOURS = ("#0072B2", "#C94F00", "#007F5F", "#A3407C", "#7A6200", "#2F8FC4", "#444B57")
GREY = "#454C59"
WIDTH, HEIGHT = 7.2, 3.2  # inches of the figure, and of the plot in it
LEFT, RIGHT, ABOVE, BELOW = 0.72, 0.14, 0.42, 0.62  # inches around the plot: y label, margin, title, x label
FOOT = 0.1
LINE, MARK_ROW = 0.2, 0.18  # inches of a line of words below a plot, and of a row of marks above it
DPI, POINTS = 110, 72
FONT, SMALL = 9.5, 8.5  # points; legible where the picture is shown 700 pixels wide
CHARACTER = 0.0076  # ours: width of a small character as a share of the axes
LEGEND_ROOM = 16  # ours: what a legend's entry takes beside its words, in characters
INSETS = ((0.46, 0.40, 0.52, 0.50), (0.46, 0.10, 0.52, 0.50))  # where an enlarged part may stand: left, low, width, height


def draw(name: str, panels: Sequence[Panel], folder: Path) -> list[Path]:
    """One PNG and one SVG of that name, a panel under another; returns the files. A file that shows these panels already is left alone."""
    if not any(map(scale.view, panels)):
        return []
    shows = digest(panels)
    paths = [folder / f"{name}.{kind}" for kind in ("png", "svg")]
    for path in paths:
        if not shown_by(path, shows):
            draw_panels(panels, path, shows)
    return paths


def draw_panels(panels: Sequence[Panel], path: Path, shows: str | None = None) -> None:
    """One picture, a panel under another, in the format that the file's name ends in; panels with nothing finite are left out. `shows` is
    written into the file's description."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [(panel, view) for panel in panels if (view := scale.view(panel))]
    heights = [(ABOVE + MARK_ROW * mark_rows(panel, view), HEIGHT, BELOW + LINE * lines_below(panel)) for panel, view in shown]
    with mpl.rc_context({"font.size": FONT, "svg.hashsalt": path.stem}):
        figure = Figure(figsize=(WIDTH, sum(map(sum, heights)) + FOOT))
        FigureCanvasAgg(figure)
        top = figure.get_figheight()
        for (panel, view), (above, height, below) in zip(shown, heights, strict=True):
            draw_panel(_axes(figure, top - above - height, height), panel, view)
            write_below(_axes(figure, top - above - height - below, below - BELOW), panel)
            top -= above + height + below
        _save(figure, path, shows)


def _save(figure: Any, path: Path, shows: str | None) -> None:
    """Write the file so that no reader sees a part of it; the same picture gives the same bytes."""
    kind, picture = path.suffix.removeprefix(".") or "png", BytesIO()
    undated: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}
    described = {} if shows is None else {"Description": shows}
    figure.savefig(picture, dpi=DPI, format=kind, metadata={**undated.get(kind, {}), **described})
    write_whole(path, picture.getbuffer())


def _axes(figure: Any, low: float, height: float) -> Any:
    """Axes as wide as the figure allows, placed in inches."""
    whole = figure.get_figheight()
    return figure.add_axes((LEFT / WIDTH, low / whole, (WIDTH - LEFT - RIGHT) / WIDTH, max(height, 0.01) / whole))


def draw_panel(ax: Any, panel: Panel, view: View) -> None:
    """Raw values as faint dots, smoothed curves as lines, marks as vertical lines, clues as numbered boxes (Smith 2018, Fig. 1a)."""
    _frame(ax, panel, view)
    for index, line in enumerate(panel.series):
        draw_line(ax, line, index, view)
    _marks(ax, panel, view)
    _boxes(ax, panel, view)
    ax.set_title(_literal(panel.title), loc="left", fontweight="bold", pad=6 + POINTS * MARK_ROW * mark_rows(panel, view))
    ax.set_xlabel(_literal(panel.x_label))
    ax.set_ylabel(_literal(panel.y_label))
    _enlarged(ax, panel, view)


def _frame(ax: Any, panel: Panel, view: View, font: float = FONT) -> None:
    for axis, span, log, most in ((ax.xaxis, view.x, panel.log_x, 8), (ax.yaxis, view.y, panel.log_y, 6)):
        (ax.set_xscale if axis is ax.xaxis else ax.set_yscale)("log" if log else "linear")
        places = scale.ticks(span, log, most)
        axis.set_ticks(places, labels=[number(place) for place in places])
        axis.set_ticks([], minor=True)
    ax.set_xlim(*view.x)
    ax.set_ylim(*view.y)
    ax.tick_params(length=3, color=GREY, labelsize=font)
    ax.grid(axis="y", color="#D8DCE3", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)


def style(index: int, line: Series) -> dict[str, Any]:
    """Colour and stroke of a curve; those beyond the colours are dashed."""
    dashed = line.dashed or index >= len(COLOURS)
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": "--" if dashed else "-", "linewidth": 2.6 if line.chosen else 1.5}


def draw_line(ax: Any, line: Series, index: int, view: View) -> None:
    """One curve; a cross where it diverged, triangles at the edge for values outside the picture."""
    look = style(index, line)
    smooth = line.smooth or line.raw
    if line.low and line.high:
        ax.fill_between(line.x, line.low, line.high, color=look["color"], alpha=0.16, linewidth=0)
    if line.smooth:
        ax.plot(line.x, line.raw, ".", color=look["color"], alpha=0.4, markersize=4)
    ax.plot(line.x, smooth, **look)
    stop = ends_early(line.smooth, line.raw)
    if stop is not None:
        ax.plot(line.x[stop], smooth[stop], "x", color=look["color"], markersize=7, markeredgewidth=2)
    outside_at = (("^", view.y[1], _above(line, view)), ("v", view.y[0], _below(line, view))) if view.cut else ()
    for sign, edge, outside in outside_at:
        ax.plot(outside, [edge] * len(outside), sign, color=look["color"], markersize=4, clip_on=False)


def _above(line: Series, view: View) -> list[float]:
    return [x for x, y in zip(line.x, line.raw, strict=False) if y > view.y[1]]


def _below(line: Series, view: View) -> list[float]:
    return [x for x, y in zip(line.x, line.raw, strict=False) if y < view.y[0]]


def _placed(panel: Panel, view: View) -> list[tuple[float, str, float, int]]:
    """Each mark with the middle of its words, as a share of the width, and its row above the picture."""
    marks = sorted((x, text) for x, text in panel.marks if math.isfinite(x))
    halves = [len(text) * CHARACTER / 2 for _, text in marks]
    places = [scale.share(x, view.x, panel.log_x) for x, _ in marks]
    middles = [min(max(place, half), 1 - half) for place, half in zip(places, halves, strict=True)]
    rows = scale.rows([(middle - half, middle + half) for middle, half in zip(middles, halves, strict=True)], gap=0.01)
    return [(x, text, middle, row) for (x, text), middle, row in zip(marks, middles, rows, strict=True)]


def mark_rows(panel: Panel, view: View) -> int:
    """Rows of words above the picture."""
    return max((row for *_, row in _placed(panel, view)), default=-1) + 1


def _marks(ax: Any, panel: Panel, view: View) -> None:
    """Vertical lines with their words above the picture, in as many rows as they need."""
    halo = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for x, text, middle, row in _placed(panel, view):
        height = 1.02 + MARK_ROW / HEIGHT * row
        ax.plot([x, x], [0, height], color="0.1", linewidth=1, linestyle="--", transform=ax.get_xaxis_transform(), clip_on=False, zorder=3)
        ax.text(middle, height, _literal(text), transform=ax.transAxes, fontsize=SMALL, ha="center", va="bottom", bbox=halo, zorder=4)


def _boxes(ax: Any, panel: Panel, view: View) -> None:
    """Clues as dotted boxes around their stretch of the curve, numbered; the words stand below the picture."""
    from matplotlib.patches import Rectangle

    found = drawn(panel, view)
    taken: list[tuple[float, float]] = []
    for box in found:
        corner, size = (box.left, box.low), (box.right - box.left, box.high - box.low)
        look: dict[str, Any] = {"facecolor": "#454C590F", "edgecolor": GREY, "linewidth": 1.1, "linestyle": ":", "zorder": 1.5}
        ax.add_patch(Rectangle(corner, *size, transform=ax.transAxes, clip_on=False, **look))
        x, y = box.left, min(box.high, 0.96)  # below the words of the marks
        while any(abs(x - other) < 0.035 and abs(y - high) < 0.07 for other, high in taken):
            x += 0.036
        taken.append((x, y))
        badge = {"boxstyle": "circle,pad=0.18", "facecolor": GREY, "edgecolor": "none"}
        words = {"fontsize": 7, "fontweight": "bold", "color": "white", "ha": "center", "va": "center"}
        ax.text(x, y, str(box.number), transform=ax.transAxes, bbox=badge, zorder=5, **words)
    _clue_names(ax, [spoken(box.text) for box in merged(panel.boxes)], taken)


def _clue_names(ax: Any, names: Sequence[str], badges: Sequence[tuple[float, float]]) -> None:
    """What each box means, beside its number, where there is room before the edge and the next number."""
    halo = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
    for (x, y), name in zip(badges, names, strict=False):
        end = x + 0.02 + len(name) * CHARACTER
        if end < 1 and not any(abs(other - y) < 0.07 and x < left < end + 0.02 for left, other in badges):
            ax.text(x + 0.02, y, name, transform=ax.transAxes, fontsize=SMALL, ha="left", va="center", bbox=halo, zorder=5)


def _enlarged(ax: Any, panel: Panel, view: View) -> None:
    """The second half on its own scale, where the picture has an empty corner for it (Smith 2018, Fig. 6a)."""
    closer = scale.enlarged(panel, view)
    corner = next((corner for corner in INSETS if _empty(corner, panel, view)), None)
    if closer is None or corner is None:
        return
    inset = ax.inset_axes(corner)
    _frame(inset, panel, closer, font=7.5)
    for index, line in enumerate(panel.series):
        draw_line(inset, line, index, closer)
    inset.set_title("the second half, enlarged", loc="left", fontsize=7.5, color=GREY, pad=2)
    inset.patch.set_facecolor("#F6F7F9")


def _empty(corner: tuple[float, float, float, float], panel: Panel, view: View) -> bool:
    """Whether no curve passes there, room for tick labels and title included."""
    left, low, width, height = corner
    for line in panel.series:
        for x, *ys in zip(line.x, line.raw, line.smooth or line.raw, line.high or line.raw, line.low or line.raw, strict=False):
            for y in filter(math.isfinite, ys):
                across, up = scale.share(x, view.x, panel.log_x), scale.share(y, view.y, panel.log_y)
                if left - 0.1 <= across <= left + width and low - 0.12 <= up <= low + height + 0.1:
                    return False
    return True


def entries(panel: Panel) -> list[str]:
    """The curves' names as the legend has them; empty where one curve needs none."""
    if len(panel.series) == 1 and not panel.series[0].note and not panel.series[0].chosen:
        return []
    return [_entry(line) for line in panel.series]


def _entry(line: Series) -> str:
    diverged = "diverged" if ends_early(line.smooth, line.raw) is not None and "diverged" not in line.note else ""
    remarks = ", ".join(filter(None, ("chosen" if line.chosen else "", line.note, diverged)))
    return f"{line.label} ({remarks})" if remarks else line.label


def columns(names: Sequence[str]) -> int:
    """How many columns of such names fit below a picture."""
    return max(1, min(4, int(1 / ((max(map(len, names), default=1) + LEGEND_ROOM) * CHARACTER))))


def legend_rows(panel: Panel) -> int:
    """Lines that the legend takes."""
    names = entries(panel)
    return math.ceil(len(names) / columns(names)) if names else 0


def lines_below(panel: Panel) -> int:
    """Lines of words under a picture: the legend, then a line for each clue."""
    return legend_rows(panel) + len(merged(panel.boxes))


def write_below(ax: Any, panel: Panel) -> None:
    """The legend and the clues' words, outside the picture, where they hide nothing."""
    from matplotlib.lines import Line2D

    ax.set_axis_off()
    names = entries(panel)
    if names:
        handles = [Line2D([], [], **style(index, line)) for index, line in enumerate(panel.series)]
        ax.legend(
            handles,
            [_literal(name) for name in names],
            loc="upper left",
            ncols=columns(names),
            fontsize=SMALL,
            frameon=False,
            borderaxespad=0,
        )
    clues = merged(panel.boxes)
    for index, box in enumerate(clues):
        height = 1 - (legend_rows(panel) + 0.5 + index) / lines_below(panel)
        ax.text(0.005, height, _literal(_clue(index + 1, box, panel)), transform=ax.transAxes, fontsize=SMALL, va="center", color=GREY)


def _clue(found: int, box: Box, panel: Panel) -> str:
    """What a numbered box means: with the advice, where it fits on the line."""
    said = f"{found}  {spoken(box.words.partition(' [')[0])}"
    if box.words and len(said) * CHARACTER < 1:
        return said
    return f"{found}  {spoken(box.text)}, {panel.x_label} {number(box.from_x)} to {number(box.to_x)}"


def _literal(words: str) -> str:
    """Words of a user as they are: matplotlib would read $...$ as mathematics."""
    return words.replace("$", r"\$")
