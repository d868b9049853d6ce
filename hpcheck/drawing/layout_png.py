"""The layouts of `layout.py` as one PNG, four across: the picture of a whole run."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from hpcheck.drawing.layout import KEY, RADIUS, WIDE, Layout, Mark, setting
from hpcheck.drawing.panels import SettingPlot
from hpcheck.drawing.same import digest, shown_by
from hpcheck.runs.files import write_whole

ACROSS = 4
MARGIN, BETWEEN, CAPTION = 14.0, 18.0, 56.0  # pixels around the row, between two plots, and for the key below
PER_INCH, DPI = 100.0, 200  # pixels of the layout to an inch, and of the file: twice as many, for sharp screens
POINT = 72.0 / PER_INCH
INK, MUTED, GRID, ACCENT, PALE, YOURS = "#1b1e24", "#565f6e", "#d8dce3", "#0072b2", "#a8d0ea", "#c94f00"
STROKES: dict[str, dict[str, Any]] = {
    "grid": {"color": GRID, "linewidth": 0.7},
    "base": {"color": MUTED, "linewidth": 0.9},
    "error": {"color": ACCENT, "linewidth": 1.2},
    "yours": {"color": YOURS, "linewidth": 1.1, "linestyle": (0, (4, 3))},
    "set": {"color": ACCENT, "linewidth": 1.4},
}
FILLS = {"chosen": ACCENT, "tied": PALE, "other": "white"}


def draw(plots: Sequence[SettingPlot], path: Path) -> None:
    """Write one PNG with a plot for each setting; the same plots give the same bytes. A file that shows them already is left alone."""
    shows = digest(plots)
    if shown_by(path, shows):
        return
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    placed = [setting(plot, WIDE) for plot in plots]
    rows = -(-len(placed) // ACROSS)
    width = 2 * MARGIN + ACROSS * WIDE.width + (ACROSS - 1) * BETWEEN
    height = 2 * MARGIN + rows * WIDE.height + (rows - 1) * BETWEEN + CAPTION
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(width / PER_INCH, height / PER_INCH))
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        ax.set_axis_off()
        for index, layout in enumerate(placed):
            row, column = divmod(index, ACROSS)
            _draw(ax, layout, MARGIN + column * (WIDE.width + BETWEEN), MARGIN + row * (WIDE.height + BETWEEN))
        for line, words in enumerate(KEY, 1):
            ax.text(MARGIN, height - MARGIN - 16 * (len(KEY) - line), words, fontsize=10.5 * POINT, color=MUTED)
        picture = BytesIO()
        figure.savefig(picture, dpi=DPI, format="png", metadata={"Software": None, "Description": shows})
    write_whole(path, picture.getbuffer())


def _draw(ax: Any, layout: Layout, left: float, top: float) -> None:
    from matplotlib.patches import Rectangle

    if layout.shade:
        x, y, width, height = layout.shade
        ax.add_patch(Rectangle((left + x, top + y), width, height, facecolor="#0072b21c", edgecolor="none", zorder=0))
    for one in layout.strokes:
        ax.plot([left + one.x1, left + one.x2], [top + one.y1, top + one.y2], zorder=1, solid_capstyle="butt", **STROKES[one.kind])
    for mark in layout.marks:
        _mark(ax, mark, left + mark.x, top + mark.y)
    for words in layout.words:
        side = {"start": "left", "middle": "center", "end": "right"}[words.anchor]
        look = {"color": MUTED if words.kind in ("label", "value") else INK, "ha": side, "va": "baseline", "zorder": 4}
        bold = "bold" if words.kind in ("title", "answer", "chosen") else "normal"
        ax.text(left + words.x, top + words.y, words.words.replace("$", r"\$"), fontsize=words.size * POINT, fontweight=bold, **look)


def _mark(ax: Any, mark: Mark, x: float, y: float) -> None:
    """A mark of `RADIUS` pixels; matplotlib counts a marker's width in points."""
    size = 2 * RADIUS * POINT
    if mark.kind == "diverged":
        ax.plot([x], [y], "x", color=ACCENT, markersize=size, markeredgewidth=1.6, zorder=3)
    elif mark.kind == "beyond":
        ax.plot([x], [y], "^" if mark.up else "v", color=ACCENT, markersize=size, zorder=3)
    else:
        ax.plot([x], [y], "o", markerfacecolor=FILLS[mark.kind], markeredgecolor=ACCENT, markersize=size, markeredgewidth=1.4, zorder=3)
