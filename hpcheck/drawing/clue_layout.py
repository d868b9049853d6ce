"""Where the boxes of clues, their numbers and their words stand in a picture of curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hpcheck.drawing.frame import Frame, Point
from hpcheck.drawing.layout import Words, overlap
from hpcheck.drawing.marks import drawn, merged, spoken

BADGE = 9.0  # radius of a clue's number
Box = tuple[float, float, float, float]  # left, top, width and height


@dataclass(frozen=True)
class Clue:
    """A clue's box and the middle of its number."""

    number: int
    box: Box
    badge: Point


def clue_boxes(frame: Frame) -> tuple[Clue, ...]:
    """Each clue's box, and its number on the box's upper edge, moved aside where another's stands there."""
    left, top, right, bottom = frame.box
    found: list[Clue] = []
    for one in drawn(frame.panel, frame.view):
        x, y = left + (right - left) * one.left, bottom - (bottom - top) * one.high
        badge = (min(max(x, left + BADGE + 1), right - BADGE), max(y, top + BADGE + 1))
        while any(abs(badge[0] - other.badge[0]) < 2 * BADGE + 2 and abs(badge[1] - other.badge[1]) < 2 * BADGE + 2 for other in found):
            badge = (badge[0] + 2 * BADGE + 3, badge[1])
        found.append(Clue(one.number, (x, y, (right - left) * (one.right - one.left), (bottom - top) * (one.high - one.low)), badge))
    return tuple(found)


def clue_words(frame: Frame, clues: Sequence[Clue], others: Sequence[Words], points: Sequence[Point]) -> list[Words]:
    """What each box means, beside its number, or above or below the box: where nothing else is written, over as few `points` of the curves
    as can be. Nothing where all places are taken; what is meant stands below the picture too."""
    words = [Words(clue.badge[0], clue.badge[1] + 4, str(clue.number), frame.size.font, "middle", "number") for clue in clues]
    for clue, box in zip(clues, merged(frame.panel.boxes), strict=False):
        said = spoken(box.text)
        labels = [Words(x, y, said, frame.size.font, anchor, "clue") for x, y, anchor in _places(clue, frame)]
        free = [label for label in labels if _is_free(label, frame, clues, [*words, *others])]
        if free:
            words.append(min(free, key=lambda label: _hides(label, points)))
    return words


def _is_free(label: Words, frame: Frame, clues: Sequence[Clue], others: Sequence[Words]) -> bool:
    left, top, right, bottom = frame.box
    start, upper, end, lower = label.box
    inside = start >= left and end <= right and upper >= top and lower <= bottom
    badges = any(start - BADGE < one.badge[0] < end + BADGE and upper - 6 < one.badge[1] < lower + 6 for one in clues)
    return inside and not badges and not any(overlap(label, other, 2) for other in others)


def _hides(label: Words, points: Sequence[Point]) -> int:
    left, top, right, bottom = label.box
    return sum(left - 3 < x < right + 3 and top - 3 < y < bottom + 3 for x, y in points)


def _places(clue: Clue, frame: Frame) -> list[tuple[float, float, Literal["start", "end"]]]:
    """Where a clue's words may stand, the best place first."""
    (x, y), right, below = clue.badge, frame.box[2] - 4, clue.box[1] + clue.box[3] + frame.size.font + 2
    return [
        (x + 13, y + 4, "start"),
        (x + 13, y - 8, "start"),
        (x - 13, y + 4, "end"),
        (right, y - 22, "end"),
        (clue.box[0], below, "start"),
        (right, y - 8, "end"),
        (right, below, "end"),
    ]
