"""Short runs at several maximum lrs until the stretch of good ones is bracketed, and its middle has been run twice (Smith 2018, 4.1)."""

from collections.abc import Sequence
from dataclasses import replace

from hpcheck.analysis.max_lr import middle_maximum, next_maxima, settled, to_repeat
from hpcheck.analysis.stretch import Bounds
from hpcheck.steps.build_runs import replicate
from hpcheck.steps.compare import Compared, Comparing, Make, Records, candidates, lengthened

MOST_ROUNDS = 8  # ours: two or three find the ends, one or two bisect the upper one, one or two run the middle twice


def middle_of_stretch(tries: Sequence[float], make: Make, steps: int, most: int, bounds: Bounds) -> Comparing:
    """The maximum to recommend within `bounds`, begun from `tries`; maxima are added below and above until the stretch is bracketed.
    Longer runs, of `most` iterations at the most, where short ones cannot be read."""

    def once(steps: int, last: bool) -> Comparing:
        """As fine as the runs let it; where they are the longest, as coarse as their noise makes it."""
        found = yield from _bracketed(tries, make, steps, bounds)
        if found.choice.status == "abstained" and last:
            found = yield from _bracketed(tries, make, steps, replace(bounds, coarse=True))
        return found

    return (yield from lengthened(once, steps, most))


def _bracketed(tries: Sequence[float], make: Make, steps: int, bounds: Bounds) -> Comparing:
    records: Records = {}
    wanted: Sequence[float] = tries
    for _ in range(MOST_ROUNDS):
        found = yield [replicate(make(value, steps), len(records.get(value, ()))) for value in wanted]
        for value, record in zip(wanted, found, strict=True):
            records[value] = (*records.get(value, ()), record)
        known = candidates(records)
        wanted = [value for value in next_maxima(known, bounds) if value not in records] or to_repeat(known, bounds)
        if not wanted:
            break
    known = candidates(records)
    return Compared(settled(middle_maximum(known, bounds), known), dict(sorted(records.items())), steps)
