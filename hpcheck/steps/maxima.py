"""Short runs at several maximum lrs until the stretch of good ones is bracketed, and its middle has been run twice (Smith 2018, 4.1)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpcheck.analysis.maxima import middle_maximum, next_maxima, settled, to_repeat
from hpcheck.steps.compare import Compared, Comparing, Make, Records, candidates, lengthened
from hpcheck.steps.runs import replicate

MOST_ROUNDS = 8  # ours: two or three find the ends, one or two bisect the upper one, one or two run the middle twice


@dataclass(frozen=True)
class Bounds:
    """What limits the maxima: `highest` is the largest to recommend, `constant_loss` what an answer that looks at no input would lose."""

    highest: float = math.inf
    constant_loss: float = math.inf


def middle_of_stretch(tries: Sequence[float], make: Make, steps: int, most: int, bounds: Bounds) -> Comparing:
    """The maximum to recommend within `bounds`, begun from `tries`; maxima are added below and above until the stretch is bracketed.
    Longer runs, of `most` iterations at the most, where short ones cannot be read."""
    return (yield from lengthened(lambda steps: _bracketed(tries, make, steps, bounds), steps, most))


def _bracketed(tries: Sequence[float], make: Make, steps: int, bounds: Bounds) -> Comparing:
    records: Records = {}
    wanted: Sequence[float] = tries
    within = bounds.highest, bounds.constant_loss
    for _ in range(MOST_ROUNDS):
        found = yield [replicate(make(value, steps), len(records.get(value, ()))) for value in wanted]
        for value, record in zip(wanted, found, strict=True):
            records[value] = (*records.get(value, ()), record)
        known = candidates(records)
        wanted = [value for value in next_maxima(known, *within) if value not in records] or to_repeat(known, *within)
        if not wanted:
            break
    known = candidates(records)
    return Compared(settled(middle_maximum(known, *within), known), dict(sorted(records.items())), steps)
