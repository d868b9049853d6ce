"""What part of a panel is shown, and its ticks: the two decisions that every picture of values needs, for SVG and for matplotlib."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpcheck.drawing.panels import Box, Panel, Series

BEYOND_START = 0.2  # ours: a picture ends this share of the way from the best to the worst start beyond that start
MOST_RISE = 3.0  # ours: where all curves end above every start, a picture goes up to so many starts above them
MARGIN = 0.04  # ours: room around the curves, as a share of the axis
LATE, LAST = 0.6, 0.8  # ours: from these shares of the way on, the trends, and the raw values too, are where a decision is made
SQUASHED = 0.3  # ours: where that takes less of the height than this, the picture is of it
ARRIVAL, ARRIVAL_ALONE = 0.8, 3.0  # ours: room, as shares of its height, in which curves are seen to come in; more for one by itself
PAST_MARK = 1.8  # ours: a range test is shown up to so many times its outermost mark
FAR = 6.0  # ours: a curve that ends this many times as far from the best as the median one may leave the picture
STEPS_OF_A_DECADE = (1, 2, 5)
Span = tuple[float, float]


@dataclass(frozen=True)
class View:
    """The stretch of each axis that is shown. `cut`: some values lie outside it, which the picture then marks at its edge. `zoomed`: it is
    where the curves end, and they begin outside it."""

    x: Span
    y: Span
    cut: bool = False
    zoomed: bool = False


def view(panel: Panel) -> View | None:
    """Limits that show where a decision is made: around the marks of a range test, and where curves that are compared end; not the heights
    of a divergence. None where there is nothing finite to show."""
    xs = [x for line in panel.series for x in line.x if _shown(x, panel.log_x)]
    if not xs or not any(_shown(y, panel.log_y) for line in panel.series for y in _values(line)):
        return None
    left, right = _across(panel, (min(xs), max(xs)))
    ys = [y for line in panel.series for x, y in _pairs(line) if left <= x <= right and _shown(y, panel.log_y)]
    if not ys:
        return None
    low, high = _without_divergence(panel, ys)
    closer = _where_they_end(panel, (left, right), (low, high))
    x_span = _widened((left, right), panel.log_x)
    if closer is not None:
        return View(x_span, _widened(closer, panel.log_y), zoomed=True)
    return View(x_span, _widened((low, high), panel.log_y), min(ys) < low or max(ys) > high)


def _values(line: Series) -> tuple[float, ...]:
    return (*line.raw, *line.smooth, *line.low, *line.high)


def _pairs(line: Series) -> Iterable[tuple[float, float]]:
    for values in (line.raw, line.smooth, line.low, line.high):
        yield from zip(line.x, values, strict=False)


def _across(panel: Panel, whole: Span) -> Span:
    """All of the curves; of a range test up to a little beyond its outermost mark."""
    low, high = whole
    marks = [x for x, _ in panel.marks if _shown(x, panel.log_x)]
    if not marks:
        return whole
    if panel.log_x or max(marks) <= low:
        return min(low, *marks), max(high, *marks)
    return min(low, *marks), max(min(high, PAST_MARK * max(marks)), max(marks))


def _where_they_end(panel: Panel, across: Span, whole: Span) -> Span | None:
    """The heights of the late parts, with some room above them, where those are squashed together in the whole. None where they are told
    apart well enough, and where the curves end at different places: what is late for one is early for another."""
    ends = [(line, _end(line, whole)) for line in panel.series]
    finished = [(line, end) for line, end in ends if end is not None]
    if not panel.higher_is_better and _all_rose(panel, max(next(filter(math.isfinite, line.raw), math.inf) for line in panel.series)):
        return None
    if panel.whole or panel.marks or not finished or min(end for _, end in finished) < across[1] - SQUASHED * (across[1] - across[0]):
        return None
    late = [y for line in _near(panel, [line for line, _ in finished]) for y in _late(line, across, panel)]
    late += [y for box in panel.boxes for y in _inside(panel, box)]
    late = [y for y in late if whole[0] <= y <= whole[1]]
    if not late or max(late) == min(late) or whole[0] == whole[1]:
        return None
    low, high = min(late), max(late)
    room = (ARRIVAL if len(panel.series) > 1 else ARRIVAL_ALONE) * (high - low)
    if panel.log_y or share(high, whole, False) - share(low, whole, False) > SQUASHED:
        return None
    return (max(low - room, whole[0]), high) if panel.higher_is_better else (low, min(high + room, whole[1]))


def _near(panel: Panel, lines: Sequence[Series]) -> list[Series]:
    """The curves that do not end far worse than the others."""
    sign = -1.0 if panel.higher_is_better else 1.0
    last = [sign * next(y for y in reversed(line.smooth or line.raw) if math.isfinite(y)) for line in lines]
    away = [one - min(last) for one in last]
    median = sorted(away)[len(away) // 2]
    return [line for line, one in zip(lines, away, strict=True) if one <= FAR * median or one == 0 or median == 0]


def _late(line: Series, across: Span, panel: Panel) -> list[float]:
    """What a curve does late: its trend and its band, and its raw values at the very end."""
    places = [(share(x, across, panel.log_x), at) for at, x in enumerate(line.x) if _shown(x, panel.log_x)]
    of = ((line.smooth or line.raw, LATE), (line.low, LATE), (line.high, LATE), (line.raw, LAST))
    return [ys[at] for ys, least in of for place, at in places if place >= least and at < len(ys) and math.isfinite(ys[at])]


def _inside(panel: Panel, box: Box) -> list[float]:
    """What the box's curve does inside it."""
    if not 0 <= box.series < len(panel.series):
        return []
    line = panel.series[box.series]
    return [y for x, y in zip(line.x, line.smooth or line.raw, strict=False) if box.from_x <= x <= box.to_x and math.isfinite(y)]


def _end(line: Series, whole: Span) -> float | None:
    """Where a curve ends; None for one that diverged, or has left the picture."""
    last = (line.smooth or line.raw)[-1] if line.x else math.nan
    return line.x[-1] if whole[0] <= last <= whole[1] else None


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
    most = worst + BEYOND_START * max(worst - low, 0.0)
    farthest = worst + MOST_RISE * max(abs(worst), worst - low)
    if _all_rose(panel, most) and not _all_rose(panel, farthest):
        most = farthest  # that is what there is to see
    return low, max(min(high, most), low)


def _all_rose(panel: Panel, above: float) -> bool:
    """Whether every curve of a loss ends at a number above this."""
    return min((next(filter(math.isfinite, reversed(line.raw)), -math.inf) for line in panel.series), default=-math.inf) > above


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


def spread(places: Sequence[float], gap: float, span: Span) -> list[float]:
    """Places for labels beside these, in their order, at least `gap` apart and inside `span`, as near as that allows.

    >>> spread([10.0, 11.0, 50.0], 8.0, (0.0, 60.0)), spread([58.0, 59.0], 8.0, (0.0, 60.0))
    ([10.0, 18.0, 50.0], [52.0, 60.0])
    """
    if not places:
        return []
    low, high = span
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    order = sorted(range(len(places)), key=places.__getitem__)
    found, least = list(places), low
    for at in order:
        found[at] = least = max(min(places[at], high), least)
        least += gap
    most = high
    for at in reversed(order):
        found[at] = most = min(found[at], most)
        most -= gap
    return found


def rows(spans: Iterable[Span], gap: float = 0.0) -> list[int]:
    """A row for each label, so that no two in a row overlap: the first one with room, in the order given."""
    ends: list[float] = []
    placed = []
    for left, right in spans:
        row = next((index for index, end in enumerate(ends) if end + gap <= left), len(ends))
        ends[row : row + 1] = [right]
        placed.append(row)
    return placed
