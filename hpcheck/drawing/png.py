"""The layouts of `curve_layout.py` as PNG, SVG and PDF files, a panel under another. Nothing is computed here."""

import importlib
import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from hpcheck.drawing import scale
from hpcheck.drawing.clue_layout import BADGE
from hpcheck.drawing.curve_layout import Curve, CurveLayout, columns, placed
from hpcheck.drawing.frame import WIDE
from hpcheck.drawing.layout import CHARACTER, Stroke, Words
from hpcheck.drawing.marks import merged, spoken
from hpcheck.drawing.panels import Box, Panel
from hpcheck.drawing.same import digest, shown_by
from hpcheck.errors import InputError
from hpcheck.runs.files import write_whole
from hpcheck.text import number

# After Okabe and Ito's colours, safe for the colour-blind, darkened so that words can be read in them on white (4.5 to 1).
COLOURS = ("#0072B2", "#C94F00", "#007F5F", "#A3407C", "#7A6200", "#5661C9", "#444B57")
INK, MUTED, GRID, CLUE = "#1B1E24", "#565F6E", "#D8DCE3", "#454C59"
MARGIN, TITLE, LINE = 14.0, 26.0, 17.0  # pixels around the file, for a panel's title, and for a line of words below it
SMALL = 12.0  # pixels of the words below a panel
PER_INCH, DPI = 100.0, 120  # pixels of the layout to an inch, and of the file
POINT = 72.0 / PER_INCH
KINDS = ("png", "svg", "pdf")
STROKES: dict[str, dict[str, Any]] = {
    "grid": {"color": GRID, "linewidth": 0.7, "zorder": 0},
    "tick": {"color": MUTED, "linewidth": 0.8},
    "base": {"color": MUTED, "linewidth": 0.9},
    "mark": {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 3},
    "leader": {"linewidth": 0.8, "zorder": 2},
}


def get_ready() -> None:
    """Import what pictures need, which takes half a second: while runs are waited for, and not when they have ended."""
    for module in ("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"):
        importlib.import_module(module)


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


def refuse_unknown_kind(path: Path) -> None:
    """Raise `InputError` for a file whose name ends in no kind of picture that is drawn here."""
    if _kind(path) not in KINDS:
        raise InputError(f"{path}: a picture is drawn as {', '.join(KINDS[:-1])} or {KINDS[-1]}, by what its name ends in")


def draw_panels(panels: Sequence[Panel], path: Path, shows: str | None = None) -> None:
    """One picture, a panel under another, in the format that the file's name ends in; panels with nothing finite are left out. `shows` is
    written into the file's description."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    viewed = [(panel, view) for panel in panels if (view := scale.view(panel))]
    shown = [(panel, placed(panel, view, WIDE, column)) for (panel, view), column in zip(viewed, columns(viewed, WIDE), strict=True)]
    below = [clue_lines(panel) for panel, _ in shown]
    heights = [TITLE + layout.size.height + LINE * len(lines) + MARGIN for (_, layout), lines in zip(shown, below, strict=True)]
    width, height = WIDE.width + 2 * MARGIN, sum(heights) + MARGIN
    with mpl.rc_context({"font.family": "DejaVu Sans", "svg.hashsalt": path.stem}):
        figure = Figure(figsize=(width / PER_INCH, height / PER_INCH))
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        ax.set_axis_off()
        top = MARGIN
        for (panel, layout), lines, taken in zip(shown, below, heights, strict=True):
            _text(ax, Words(0, 14, panel.title, 14.0, "start", "title"), MARGIN, top)
            _draw(ax, layout, MARGIN, top + TITLE)
            for at, line in enumerate(lines):
                _text(ax, Words(0, 10 + LINE * at, line, SMALL, "start"), MARGIN, top + TITLE + layout.size.height)
            top += taken
        _save(figure, path, shows)


def _save(figure: Any, path: Path, shows: str | None) -> None:
    """Write the file so that no reader sees a part of it; the same picture gives the same bytes."""
    kind, picture = _kind(path), BytesIO()
    undated: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}
    described = {} if shows is None else {"Description": shows}
    figure.savefig(picture, dpi=DPI, format=kind, metadata={**undated.get(kind, {}), **described})
    write_whole(path, picture.getbuffer())


def _kind(path: Path) -> str:
    return path.suffix.removeprefix(".").lower() or KINDS[0]


def _draw(ax: Any, layout: CurveLayout, left: float, top: float) -> None:
    from matplotlib.patches import Circle, Rectangle

    start, upper, end, lower = layout.plot
    clip = Rectangle((left + start, top + upper), end - start, lower - upper, transform=ax.transData)
    for stroke in layout.strokes:
        _stroke(ax, stroke, left, top)
    for clue in layout.clues:
        x, y, width, height = clue.box
        look: dict[str, Any] = {"facecolor": f"{CLUE}0F", "edgecolor": CLUE, "linewidth": 0.9, "linestyle": ":", "zorder": 1}
        ax.add_patch(Rectangle((left + x, top + y), width, height, **look))
        ax.add_patch(Circle((left + clue.badge[0], top + clue.badge[1]), BADGE, facecolor=CLUE, edgecolor="none", zorder=4))
    for curve in layout.curves:
        _curve(ax, curve, clip, left, top)
    for words in layout.words:
        _text(ax, words, left, top)


def _stroke(ax: Any, one: Stroke, left: float, top: float) -> None:
    look = STROKES[one.kind] if one.series is None else {**STROKES[one.kind], "color": COLOURS[one.series % len(COLOURS)]}
    ax.plot([left + one.x1, left + one.x2], [top + one.y1, top + one.y2], solid_capstyle="butt", **look)


def _curve(ax: Any, one: Curve, clip: Any, left: float, top: float) -> None:
    colour = COLOURS[one.colour]
    if one.band:
        xs, ys = zip(*one.band, strict=True)
        for patch in ax.fill([left + x for x in xs], [top + y for y in ys], color=colour, alpha=0.16, linewidth=0):
            patch.set_clip_path(clip)
    if one.dots:
        xs, ys = zip(*one.dots, strict=True)
        ax.plot([left + x for x in xs], [top + y for y in ys], ".", color=colour, alpha=0.45, markersize=4, zorder=2)
    for piece in one.pieces:
        xs, ys = zip(*piece, strict=True)
        look = {"color": colour, "linewidth": 2.4 if one.chosen else 1.3, "linestyle": "--" if one.dashed else "-", "zorder": 2.5}
        for line in ax.plot([left + x for x in xs], [top + y for y in ys], **look):
            line.set_clip_path(clip)
    if one.stop is not None:
        ax.plot([left + one.stop[0]], [top + one.stop[1]], "x", color=colour, markersize=7, markeredgewidth=1.8, zorder=3)
    for x, y, up in one.beyond:
        ax.plot([left + x], [top + y], "^" if up else "v", color=colour, markersize=4, zorder=3)


def _text(ax: Any, one: Words, left: float, top: float) -> None:
    side = {"start": "left", "middle": "center", "end": "right"}[one.anchor]
    colour = (
        COLOURS[one.series % len(COLOURS)]
        if one.series is not None
        else {"tick": MUTED, "label": CLUE, "number": "white"}.get(one.kind, INK)
    )
    look: dict[str, Any] = {"color": colour, "fontsize": one.size * POINT, "zorder": 5, "ha": side, "va": "baseline"}
    look["fontweight"] = "bold" if one.kind in ("title", "chosen", "number") else "normal"
    if one.kind in ("mark", "clue"):
        look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
    ax.text(left + one.x, top + one.y, literal(one.words), **look)


def clue_lines(panel: Panel) -> list[str]:
    """What the numbered boxes mean, on lines below the picture."""
    most = int(WIDE.width / (CHARACTER * SMALL))
    lines = []
    for at, box in enumerate(merged(panel.boxes), 1):
        lines += textwrap.wrap(f"{at}  {_clue(box, panel)}", most, subsequent_indent="    ", break_long_words=False)
    return lines


def _clue(box: Box, panel: Panel) -> str:
    """With the advice, where there is any."""
    if box.words:
        return spoken(box.words.partition(" [")[0])
    return f"{spoken(box.text)}, {panel.x_label} {number(box.from_x)} to {number(box.to_x)}"


def literal(words: str) -> str:
    """Words of a user as they are: matplotlib would read $...$ as mathematics."""
    return words.replace("$", r"\$")
