"""Short runs at several maximum lrs until the stretch of good ones is bracketed, and its middle has been run twice (Smith 2018, 4.1)."""

from collections.abc import Sequence

from hpcheck.analysis.maxima import middle_maximum, next_maxima, settled, to_repeat
from hpcheck.steps.compare import Compared, Comparing, Make, Records, candidates, lengthened
from hpcheck.steps.runs import replicate

MOST_ROUNDS = 8  # ours: two or three find the ends, one or two bisect the upper one, one or two run the middle twice


def middle_of_stretch(tries: Sequence[float], make: Make, steps: int, highest: float) -> Comparing:
    """The maximum to recommend, `highest` at the most, begun from `tries`; maxima are added below and above until the stretch is bracketed.
    Longer runs where short ones cannot be read."""
    return (yield from lengthened(lambda steps: _bracketed(tries, make, steps, highest), steps))


def _bracketed(tries: Sequence[float], make: Make, steps: int, highest: float) -> Comparing:
    records: Records = {}
    wanted: Sequence[float] = tries
    for _ in range(MOST_ROUNDS):
        found = yield [replicate(make(value, steps), len(records.get(value, ()))) for value in wanted]
        for value, record in zip(wanted, found, strict=True):
            records[value] = (*records.get(value, ()), record)
        known = candidates(records)
        wanted = [value for value in next_maxima(known, highest) if value not in records] or to_repeat(known, highest)
        if not wanted:
            break
    known = candidates(records)
    return Compared(settled(middle_maximum(known, highest), known), dict(sorted(records.items())), steps)
