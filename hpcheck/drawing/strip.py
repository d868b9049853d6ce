"""The final figures of each arm as a strip of dots, a dot a run, the mean as a bar: is the recommendation better than what was there?"""

import math
from collections.abc import Callable, Sequence

from hpcheck.drawing import scale
from hpcheck.drawing.frame import NARROW, WIDE, Size
from hpcheck.drawing.markup import Markup, tag
from hpcheck.text import number

ROW = 46
Arm = tuple[str, float, tuple[float, ...]]  # its name and figures in words, their mean, and each one
BESIDE = 8.0  # ours: dots that would lie on one another are moved apart by so many pixels
ASIDE = (0.0, -BESIDE, BESIDE)


def strip(arms: Sequence[Arm], words: str) -> Markup | None:
    """One row of dots for each arm; nothing where no run finished."""
    each = [value for *_, values in arms for value in values if math.isfinite(value)]
    if not each:
        return None
    low, high = min(each), max(each)
    room = 0.08 * (high - low) or abs(high) * 0.01 or 1.0
    drawings = [_svg(arms, (low - room, high + room), size, words) for size in (WIDE, NARROW)]
    return tag("div", drawings, class_="plots")


def _svg(arms: Sequence[Arm], span: scale.Span, size: Size, words: str) -> Markup:
    bottom = 12 + ROW * len(arms)
    left, right = 14.0, size.width - 14.0

    def at(value: float) -> float:
        return round(left + (right - left) * scale.share(value, span, False), 1)

    parts = []
    for value in scale.ticks(span, False, size.x_ticks):
        parts.append(tag("line", x1=at(value), x2=at(value), y1=8, y2=bottom, class_="grid"))
        parts.append(tag("text", number(value), x=at(value), y=bottom + 18, text_anchor="middle", font_size=size.font))
    rows = [_row(arm, index, at, left, size) for index, arm in enumerate(arms)]
    label = tag("text", words, x=(left + right) / 2, y=bottom + 38, text_anchor="middle", font_size=size.font, class_="label")
    described = f"{words}: " + "; ".join(name for name, *_ in arms)
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


def _row(arm: Arm, index: int, at: Callable[[float], float], left: float, size: Size) -> Markup:
    words, mean, each = arm
    y = 8 + ROW * index
    dots = "".join(f"M{x} {y + 30 + aside:g}h0" for x, aside in side_by_side([at(value) for value in each if math.isfinite(value)]))
    bar = tag("line", x1=at(mean), x2=at(mean), y1=y + 20, y2=y + 40, class_="mean")
    label = tag("text", words, x=left, y=y + 13, font_size=size.font, class_="arm")
    return tag("g", label, tag("path", d=dots, class_="dots big"), bar, class_=f"s{index}")


def side_by_side(places: Sequence[float]) -> list[tuple[float, float]]:
    """Each dot's place along the row with how far it is moved aside, so that equal ones are seen as many as they are.

    >>> side_by_side([10.0, 10.0, 30.0])
    [(10.0, 0.0), (10.0, -8.0), (30.0, 0.0)]
    """
    placed: list[tuple[float, float]] = []
    for place in sorted(places):
        near = sum(abs(place - other) < BESIDE for other, _ in placed)
        placed.append((place, ASIDE[near % len(ASIDE)]))
    return placed
