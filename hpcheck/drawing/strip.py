"""The final figures of each arm as a strip of dots, a dot a run, the mean as a bar: is the recommendation better than what was there?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.drawing import scale
from hpcheck.drawing.markup import Markup, tag
from hpcheck.drawing.svg import NARROW, WIDE, Size
from hpcheck.text import number

ROW = 46
Arm = tuple[str, Mapping[str, Any]]  # its name and {"metric": mean, "std": ..., "each": [...]}


def strip(arms: Sequence[Arm], words: str) -> Markup | None:
    """One row of dots for each arm; nothing where no run finished."""
    each = [value for _, figures in arms for value in figures["each"] if math.isfinite(value)]
    if not each:
        return None
    low, high = min(each), max(each)
    room = 0.08 * (high - low) or abs(high) * 0.01 or 1.0
    drawings = [_svg(arms, (low - room, high + room), size, words) for size in (WIDE, NARROW)]
    return tag("div", drawings, class_="plots")


def _svg(arms: Sequence[Arm], span: scale.Span, size: Size, words: str) -> Markup:
    bottom = 12 + ROW * len(arms)
    left, right = 14.0, size.width - 14.0

    def at(value: float) -> str:
        return f"{left + (right - left) * scale.share(value, span, False):.1f}"

    parts = []
    for value in scale.ticks(span, False, size.x_ticks):
        parts.append(tag("line", x1=at(value), x2=at(value), y1=8, y2=bottom, class_="grid"))
        parts.append(tag("text", number(value), x=at(value), y=bottom + 18, text_anchor="middle", font_size=size.font))
    rows = [_row(name, figures, index, at, left, size) for index, (name, figures) in enumerate(arms)]
    label = tag("text", words, x=(left + right) / 2, y=bottom + 38, text_anchor="middle", font_size=size.font, class_="label")
    described = f"{words}: " + "; ".join(f"{name} {number(figures['metric'])}" for name, figures in arms)
    return tag(
        "svg",
        tag("g", parts, class_="axes"),
        rows,
        tag("g", label, class_="axes"),
        class_=f"plot {size.name}",
        viewBox=f"0 0 {size.width} {bottom + 46}",
        role="img",
        aria_label=described,
    )


def _row(name: str, figures: Mapping[str, Any], index: int, at, left: float, size: Size) -> Markup:  # type: ignore[no-untyped-def]
    y = 8 + ROW * index
    dots = "".join(f"M{at(value)} {y + 30}h0" for value in figures["each"] if math.isfinite(value))
    mean = tag("line", x1=at(figures["metric"]), x2=at(figures["metric"]), y1=y + 20, y2=y + 40, class_="mean")
    words = f"{name}: {mean_and_spread(figures)}"
    label = tag("text", words, x=left, y=y + 13, font_size=size.font, class_="arm")
    return tag("g", label, tag("path", d=dots, class_="dots big"), mean, class_=f"s{index}")


def mean_and_spread(figures: Mapping[str, Any]) -> str:
    """Mean and standard deviation, or the one figure where there is but one run."""
    spread = figures.get("std", math.nan)
    runs = len(figures["each"])
    return f"{figures['metric']:.4f}" + (f" ± {spread:.4f}, {runs} runs" if math.isfinite(spread) else ", one run")
