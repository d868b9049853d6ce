"""Where values go in a picture of curves: its sizes, and the part of it that has curves in it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpcheck.drawing import scale
from hpcheck.drawing.panels import Panel
from hpcheck.drawing.scale import View

Point = tuple[float, float]


@dataclass(frozen=True)
class Size:
    """Pixels of a rendition: the whole, the room left of and below the plot, its text, and its ticks."""

    name: str
    width: float
    height: float
    left: float
    bottom: float
    font: float
    x_ticks: int
    y_ticks: int


WIDE = Size("wide", 760.0, 320.0, 56.0, 42.0, 13.0, 7, 6)
NARROW = Size("narrow", 350.0, 280.0, 48.0, 40.0, 12.0, 4, 5)
SMALL = Size("small", 370.0, 210.0, 52.0, 40.0, 12.0, 5, 6)


@dataclass(frozen=True)
class Frame:
    """Where values go."""

    panel: Panel
    view: View
    size: Size
    top: float
    right: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the plot."""
        return self.size.left, self.top, self.right, self.size.height - self.size.bottom

    def x(self, value: float) -> float:
        left, _, right, _ = self.box
        return left + (right - left) * scale.share(value, self.view.x, self.panel.log_x)

    def y(self, value: float) -> float:
        _, top, _, bottom = self.box
        return bottom - (bottom - top) * scale.share(value, self.view.y, self.panel.log_y)

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> Iterator[Point | None]:
        """A point for each pair of values; None where there is none."""
        for x, y in zip(xs, ys, strict=False):
            there = math.isfinite(x) and math.isfinite(y) and (x > 0 or not self.panel.log_x) and (y > 0 or not self.panel.log_y)
            yield (self.x(x), self.y(y)) if there else None

    def shows(self, point: Point | None) -> bool:
        left, top, right, bottom = self.box
        return point is not None and left - 1 <= point[0] <= right + 1 and top - 1 <= point[1] <= bottom + 1
