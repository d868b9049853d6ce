"""Pictures of readings: values in, PNG files out. Nothing is computed here."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

from hpcheck.settings import Panel, Reading
from hpcheck.storage import write_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito: safe for the colour-blind
WIDTH, HEIGHT = 7.2, 4.2  # inches a panel
LOG_ABOVE = 20.0  # a loss that falls by more than this factor is drawn on a log scale: its end would not show
TOP_OF_VIEW = 1.2  # losses above this multiple of where the curves start are out of the picture: a divergence would hide all else


def draw(reading: Reading, folder: Path) -> list[Path]:
    """One PNG for the step, a panel under another; returns the files written."""
    if not reading.panels:
        return []
    path = folder / f"{reading.step}.png"
    draw_panels(reading.panels, path)
    return [path]


def draw_panels(panels: Sequence[Panel], path: Path) -> None:
    """One picture, a panel under another, in the format that the file's name ends in."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for ax, panel in zip(axes, panels, strict=True):
        draw_panel(ax, panel)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix(".") or "png", dpi=110)
    write_whole(path, picture.getbuffer())


def draw_panel(ax, panel: Panel) -> None:  # type: ignore[no-untyped-def]
    """Raw values as faint dots, smoothed curves as lines, marks as vertical lines, clues as boxes (Smith 2018, Fig. 1a)."""
    for index, line in enumerate(panel.series):
        colour = COLOURS[index % len(COLOURS)]
        ax.plot(line.x, line.raw, ".", color=colour, alpha=0.35, markersize=4)
        ax.plot(line.x, line.smooth or line.raw, "--" if line.dashed else "-", color=colour, linewidth=1.6, label=line.label)
    if panel.log_x:
        ax.set_xscale("log")
    low, high = view(panel)
    if high > low:
        ax.set_ylim(low, high)
    if spans_decades(panel):
        ax.set_yscale("log")
    for box in panel.boxes:
        ax.axvspan(box.from_x, box.to_x, facecolor="none", edgecolor="0.25", linewidth=1.2, linestyle=":")
        ax.annotate(box.text, (box.from_x, 0.02), xycoords=("data", "axes fraction"), fontsize=8, color="0.25")
    for position, text in panel.marks:
        ax.axvline(position, color="0.15", linewidth=1, linestyle="-.")
        ax.annotate(text, (position, 0.98), xycoords=("data", "axes fraction"), fontsize=8, rotation=90, va="top", ha="right")
    ax.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8, loc="best", framealpha=0.8)


def view(panel: Panel) -> tuple[float, float]:
    """Limits of the y axis that show the curves and not the heights of a divergence; a metric is shown whole."""
    shown = [y for line in panel.series for y in line.raw if math.isfinite(y)]
    if not shown:
        return 0.0, 0.0
    low, high = min(shown), max(shown)
    if "loss" in panel.y_label:
        starts = [next(filter(math.isfinite, line.raw), 0.0) for line in panel.series]
        high = min(high, max(max(starts) * TOP_OF_VIEW, low))
    if spans_decades(panel):
        return min(filter(math.isfinite, panel.series[0].raw)) / 1.2, high * 1.2
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def spans_decades(panel: Panel) -> bool:
    """Whether the first series, which is the one to read, is a loss that ends far below its start and above 0."""
    read = [y for y in panel.series[0].raw if math.isfinite(y)] if panel.series and "loss" in panel.y_label else []
    return bool(read) and 0 < min(read) * LOG_ABOVE < read[0]
