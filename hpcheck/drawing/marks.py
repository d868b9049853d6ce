"""Where marks and clue boxes go in a picture, so that no label lies over another or over a curve (Smith 2018, Fig. 1a)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpcheck.drawing.panels import Box, Panel
from hpcheck.drawing.scale import View, share

ROOM = 0.035  # ours: room between a box and the curve in it, as a share of the axis
NARROWEST = 0.02
# Names of clues that are no words once their hyphens are gone.
SPOKEN = {
    "loss-accuracy-disagree": "loss and metric disagree",
    "loss-rises-metric-improves": "loss rises, metric improves",
    "loss-falls-metric-worsens": "loss falls, metric worsens",
    "small-lr-bump": "bump at a small lr",
}


@dataclass(frozen=True)
class Drawn:
    """A clue's box in shares of the axes (0 to 1; y upwards) with the number that the key explains it under."""

    number: int
    left: float
    right: float
    low: float
    high: float


def merged(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that say the same of overlapping stretches, as one; in the order of where they begin."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.from_x):
        for index, other in enumerate(kept):
            if (other.text, other.words, other.series) == (box.text, box.words, box.series) and box.from_x <= other.to_x:
                kept[index] = replace(other, to_x=max(other.to_x, box.to_x))
                break
        else:
            kept.append(box)
    return kept


def drawn(panel: Panel, view: View) -> list[Drawn]:
    """Each clue's box around the stretch of the curve it was read in."""
    found = []
    for number, box in enumerate(merged(panel.boxes), 1):
        ys = [y for y in _values(panel, box) if math.isfinite(y)]
        low, high = (min(ys), max(ys)) if ys else view.y
        if not (math.isfinite(box.from_x) and math.isfinite(box.to_x)):
            continue
        left, right = (share(x, view.x, panel.log_x) for x in (box.from_x, box.to_x))
        left, right = left - ROOM / 3, right + ROOM / 3
        if right - left < NARROWEST:
            middle = (left + right) / 2
            left, right = middle - NARROWEST / 2, middle + NARROWEST / 2
        low, high = (share(y, view.y, panel.log_y) for y in (low, high))
        found.append(Drawn(number, *(min(max(place, 0.0), 1.0) for place in (left, right, low - ROOM, high + ROOM))))
    return found


def _values(panel: Panel, box: Box) -> list[float]:
    """What the box's curve does inside it: smoothed where it is, raw where the smoothed curve has ended."""
    if not 0 <= box.series < len(panel.series):
        return []
    line = panel.series[box.series]
    smooth = line.smooth or line.raw
    pairs = zip(line.x, line.raw, smooth, strict=False)
    return [fit if math.isfinite(fit) else raw for x, raw, fit in pairs if box.from_x <= x <= box.to_x]


def spoken(sign: str) -> str:
    """The name of a clue and of its form as words.

    >>> spoken("loss-accuracy-disagree (loss-rises-metric-improves), lr 9e-06 to 0.1")
    'loss and metric disagree (loss rises, metric improves), lr 9e-06 to 0.1'
    """
    for name, words in SPOKEN.items():
        sign = sign.replace(name, words)
    return re.sub(r"(?<=[a-z])-(?=[a-z])", " ", sign)


def ends_early(smooth: Sequence[float], raw: Sequence[float]) -> int | None:
    """Where a smoothed curve stops although the run went on: the index of its last value; None where it does not."""
    if not smooth or not any(map(math.isfinite, smooth)):
        return None
    last = max(index for index, value in enumerate(smooth) if math.isfinite(value))
    return last if last < len(raw) - 1 else None
