"""What part of a panel is shown, and its ticks: the two decisions that every picture of values needs, for SVG and for matplotlib."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpcheck.drawing.panels import Panel, Series

BEYOND_START = 0.2  # ours: a picture ends this share of the way from the best to the worst start beyond that start
MARGIN = 0.04  # ours: room around the curves, as a share of the axis
SQUASHED = 0.3  # ours: curves whose second half takes less of the height than this are shown enlarged
STEPS_OF_A_DECADE = (1, 2, 5)
Span = tuple[float, float]


@dataclass(frozen=True)
class View:
    """The stretch of each axis that is shown; `cut` says that some values lie outside it, which the picture then marks at its edge."""

    x: Span
    y: Span
    cut: bool = False


def view(panel: Panel) -> View | None:
    """Limits that show the curves and not the heights of a divergence; None where there is nothing finite to show."""
    xs = [x for line in panel.series for x in line.x if _shown(x, panel.log_x)]
    ys = [y for line in panel.series for y in (*line.raw, *line.smooth, *line.low, *line.high) if _shown(y, panel.log_y)]
    if not xs or not ys:
        return None
    xs += [x for x, _ in panel.marks if _shown(x, panel.log_x)]
    low, high = _without_divergence(panel, ys)
    return View(_widened((min(xs), max(xs)), panel.log_x), _widened((low, high), panel.log_y), min(ys) < low or max(ys) > high)


def enlarged(panel: Panel, whole: View) -> View | None:
    """The last half of the curves on their own scale (the blow-up of Smith 2018, Fig. 6a), where the whole picture squashes them together.

    None where they are told apart well enough, and where they end at different places: what is late for one is early for another.
    """
    if panel.marks or (len(panel.series) < 2 and not panel.boxes):
        return None
    low, high = whole.x
    middle = (low + high) / 2
    bands = [values for line in panel.series for values in ((line.x, line.smooth or line.raw), (line.x, line.low), (line.x, line.high))]
    late = [y for xs, ys in bands for x, y in zip(xs, ys, strict=False) if x >= middle and whole.y[0] <= y <= whole.y[1]]
    if not late or max(late) == min(late) or len({_end(line) for line in panel.series} - {None}) > 1:
        return None
    if share(max(late), whole.y, panel.log_y) - share(min(late), whole.y, panel.log_y) > SQUASHED:
        return None
    return View((middle, high), _widened((min(late), max(late)), panel.log_y))


def _end(line: Series) -> float | None:
    """Where a curve ends; None for one that diverged."""
    return line.x[-1] if line.x and math.isfinite((line.smooth or line.raw)[-1]) else None


def _shown(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _without_divergence(panel: Panel, ys: Sequence[float]) -> Span:
    """The range of values, less what is far worse than any start. Values between 0 and 1 squash nothing, and are all shown."""
    low, high = min(ys), max(ys)
    starts = [next(filter(math.isfinite, line.raw), math.nan) for line in panel.series]
    starts = [start for start in starts if _shown(start, panel.log_y)]
    if not starts or (low >= 0 and high <= 1):
        return low, high
    if panel.higher_is_better:
        worst = min(starts)
        return max(low, worst - BEYOND_START * max(high - worst, 0.0)), high
    worst = max(starts)
    return low, max(min(high, worst + BEYOND_START * max(worst - low, 0.0)), low)


def _widened(span: Span, log: bool) -> Span:
    low, high = span
    if log:
        low, high = _widened((math.log10(low), math.log10(high)), False)
        return 10.0**low, 10.0**high
    room = MARGIN * (high - low) or abs(low) * 0.1 or 1.0
    return low - room, high + room


def ticks(span: Span, log: bool, most: int = 7) -> list[float]:
    """At most about `most` round numbers inside `span`: 1, 2, 5 times a power of ten, or whole decades on a wide log axis."""
    low, high = span
    if not log:
        return _linear_ticks(low, high, most)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in range(first, last + 1) for step in steps if low <= step * 10.0**power <= high]
        if len(found) <= most:
            break
    else:
        every = math.ceil(len(found) / most)
        found = found[::every]
    return found if len(found) >= 3 else _linear_ticks(low, high, most)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (*STEPS_OF_A_DECADE, 10) if size * power >= rough * (1 - 1e-9))
    return [round(index * step, 12) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def share(value: float, span: Span, log: bool) -> float:
    """How far along the axis a value lies: 0 at its low end, 1 at its high end."""
    low, high = span
    if log:
        value, low, high = math.log10(max(value, 1e-300)), math.log10(low), math.log10(high)
    return (value - low) / (high - low)


def rows(spans: Iterable[Span], gap: float = 0.0) -> list[int]:
    """A row for each label, so that no two in a row overlap: the first one with room, in the order given."""
    ends: list[float] = []
    placed = []
    for left, right in spans:
        row = next((index for index, end in enumerate(ends) if end + gap <= left), len(ends))
        ends[row : row + 1] = [right]
        placed.append(row)
    return placed
