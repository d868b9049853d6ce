"""The maximum lr for 1cycle, from short 1cycles at several maxima: the middle of the stretch that loses little (Smith 2018, 4.1)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from hpcheck.analysis.choice import Choice, Confidence, abstain, lowered
from hpcheck.analysis.choose import SEEDS_DISAGREE, any_readable, judge_of
from hpcheck.analysis.clues import clues_of
from hpcheck.analysis.divergence import find_divergence
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.analysis.ranking import Judge, standings, without_seeds
from hpcheck.analysis.readable import sound
from hpcheck.analysis.scores import Candidate, track
from hpcheck.analysis.stretch import FREE, Bounds, Stretch, last, stretch

SAME = 1.15  # ours: a maximum this near to the middle that was tried is taken for it, and run with a second seed
LOWER, HIGHER = 4.0, 2.0  # ours: steps to a further maximum: losses rise slowly towards small lrs and suddenly towards large ones ...
WIDEST = 512.0  # ours: where no maximum tried is seen to learn, lower ones are tried down to this share of the largest, then longer runs
FINE = 1.5  # ours: ... so that the upper end is bisected until its two neighbours are nearer than this (chosen in benchmarks/reading)
WIDE = 10.0  # ours: a stretch wider than this factor leaves so much open that its middle is no sure answer
TWICE = 2  # ours: seeds with which what is recommended has been run


def middle_maximum(candidates: Sequence[Candidate], bounds: Bounds = FREE) -> Choice:
    """The middle of the stretch within `bounds`, or an abstention with its reason. The value need not be one of those tried.

    `edge` says at which end no maximum beyond the stretch has been tried. Confidence: `high` with both ends found and the value run with
    two seeds, `medium` with both ends found, `low` without.
    """
    if not candidates:
        return abstain("there are no candidates to choose from")
    by = judge_of(candidates, "auto")
    found = stretch(candidates, by, bounds)
    scores = _scores(candidates, by)
    clues = clues_of(sound(_best(candidates, scores).curves[0])) if _best(candidates, scores).curves else ()
    finite = [score for _, score, _ in scores if math.isfinite(score)]
    if not finite:
        return abstain("every candidate diverged or has no finite values", clues, by, scores)
    if by == "loss" and min(finite) >= bounds.constant_loss:
        return abstain(f"no maximum learns more than a constant answer knows (loss {bounds.constant_loss:.4g})", clues, by, scores)
    if found is None or not any_readable(candidates, by):
        return abstain("no curve leaves its noise so far that one maximum can be told from another", clues, by, scores)
    edge: Literal["low", "high"] | None = "high" if found.beyond[1] is None else "low" if found.beyond[0] is None else None
    value = _taken(candidates, found, bounds)
    interval = (min(found.interval[0], value), max(found.interval[1], value))
    inside = tuple(sorted(one.value for one in candidates if found.inside[0] <= one.value <= found.inside[1]))
    choice = Choice(
        value=value,
        interval=interval,
        confidence="low" if bounds.coarse else _confidence(candidates, found, value),
        status="chosen",
        reason=_reason(candidates, found, bounds, by, scores),
        edge=edge,
        clues=clues,
        judged_by=by,
        scores=scores,
        good=inside,
    )
    return _no_surer_than_its_evidence(choice, candidates, found)


def next_maxima(candidates: Sequence[Candidate], bounds: Bounds) -> tuple[float, ...]:
    """Maxima worth a run to find the ends of the stretch: below, above until its middle is past the highest, and between the two about its
    upper end. Below all of them where none is seen to learn: the range test learnt on its way to the limit."""
    if not candidates:
        return ()
    by = judge_of(candidates, "auto")
    found, lowest = stretch(candidates, by, bounds), min(one.value for one in candidates)
    if found is None or not any_readable(candidates, by):
        all_diverged = all(track(one, by).diverged for row in candidates for one in row.curves)
        lower = two_significant_figures(lowest / LOWER)
        return (lower,) if all_diverged or lower * WIDEST >= max(one.value for one in candidates) else ()
    (first, last), (below, above) = found.inside, found.beyond
    wanted = [first / LOWER] if below is None else []
    if above is None:
        wanted += [last * HIGHER] if found.middle < bounds.highest else []
    elif above > FINE * last and not _keeps(found, bounds):  # where the end is moves only the middle
        wanted.append(float(np.sqrt(last * above)))
    return tuple(two_significant_figures(value) for value in wanted)


def to_repeat(candidates: Sequence[Candidate], bounds: Bounds = FREE) -> tuple[float, ...]:
    """The maximum to recommend, where two seeds have not run it yet: what is recommended has been seen to be stable
    (docs/decisions/005-max-lr.md)."""
    by = judge_of(candidates, "auto")
    found = stretch(candidates, by, bounds)
    if found is None or not any_readable(candidates, by):
        return ()
    taken = _taken(candidates, found, bounds)
    seeds = sum(len(one.curves) for one in candidates if one.value == taken)
    return (taken,) if seeds < TWICE else ()


def settled(choice: Choice, candidates: Sequence[Candidate]) -> Choice:
    """The choice where two seeds have run its value; else at the nearest maximum of its interval that two have, or an abstention: what is
    recommended has been seen to be stable (docs/decisions/005-max-lr.md)."""
    twice = [one.value for one in candidates if len(one.curves) >= TWICE and not any(find_divergence(curve) for curve in one.curves)]
    if choice.value is None or choice.value in twice or choice.interval is None:
        return choice
    low, high = choice.interval
    inside = [value for value in twice if low <= value <= high]
    if not inside:
        reason = "every further run moved the middle of the good maxima: none was run twice"
        return abstain(reason, choice.clues, choice.judged_by, choice.scores)
    value = min(inside, key=lambda one: abs(math.log(one / (choice.value or one))))
    return replace(choice, value=value, reason=f"{choice.reason}; {value:g} is the nearest that two seeds have run")


def _taken(candidates: Sequence[Candidate], found: Stretch, bounds: Bounds) -> float:
    """The known one where it is good; else the middle, the highest at the most, or the maximum nearest to it that was tried and is as good
    as there, one run twice first."""
    if _keeps(found, bounds) and bounds.known is not None:
        return bounds.known
    middle, last = min(found.middle, bounds.highest), min(found.inside[1], bounds.highest)
    near = [one for one in candidates if found.inside[0] <= one.value <= last and max(one.value / middle, middle / one.value) <= SAME]
    nearest = min(near, key=lambda one: (len(one.curves) < TWICE, abs(np.log(one.value / middle))), default=None)
    return middle if nearest is None else nearest.value


def _reason(
    candidates: Sequence[Candidate], found: Stretch, bounds: Bounds, by: Judge, scores: Sequence[tuple[float, float, float]]
) -> str:
    """Why this value: the maximum that is kept, and which one had the lowest loss; else the stretch, and the value's place in it."""
    value, what = _taken(candidates, found, bounds), "validation loss" if by == "loss" else "metric"
    if _keeps(found, bounds):
        hidden = ", or no worse than the noise hides" if bounds.coarse else ""
        kept = (
            f"any maximum from {found.low:.2g} to {found.high:.2g} trains nearly as well{hidden}. We keep {value:g} from the earlier step"
        )
        best, lowest, _ = min(scores, key=lambda row: row[1])
        higher = by == "accuracy" and _best(candidates, scores).curves[0].higher_is_better
        words = "the lowest loss" if by == "loss" else "the best metric"
        return f"{kept}; {'it' if best == value else format(best, 'g')} had {words} ({-lowest if higher else lowest:.3g})"
    hidden = ", or no worse than the noise hides" if bounds.coarse else ""
    good = f"any maximum from {found.low:.2g} to {found.high:.2g} trains nearly as well by its {what}{hidden}"
    return f"{good}. {value:g} is {'in the middle of these' if found.middle <= bounds.highest else 'the limit, below their middle'}"


def _keeps(found: Stretch, bounds: Bounds) -> bool:
    """Whether the known maximum is good and no larger than the middle: losses rise slowly towards small lrs and suddenly towards large."""
    return bounds.known is not None and found.inside[0] <= bounds.known <= min(found.middle, bounds.highest)


def _scores(candidates: Sequence[Candidate], by: Judge) -> tuple[tuple[float, float, float], ...]:
    """(value, mean score at the end without what a seed does to all, its standard error), inf where a run diverged: as judged."""
    in_order = sorted(candidates, key=lambda one: one.value)
    tracks = [[track(curve, by) for curve in one.curves] for one in in_order]
    rows = []
    for one, ends, row in zip(in_order, without_seeds([[last(end) for end in each] for each in tracks]), tracks, strict=True):
        lost = not ends or not np.isfinite(ends).all()
        error = 0.0 if lost else float(np.sqrt(np.sum([end.error[-1] ** 2 for end in row])) / len(row))
        rows.append((one.value, np.inf if lost else float(np.mean(ends)), error))
    return tuple(rows)


def _best(candidates: Sequence[Candidate], scores: Sequence[tuple[float, float, float]]) -> Candidate:
    value = min(scores, key=lambda row: row[1])[0]
    return next(one for one in candidates if one.value == value)


def _confidence(candidates: Sequence[Candidate], found: Stretch, value: float) -> Confidence:
    if None in found.beyond:
        return "low"
    return "high" if any(one.value == value and len(one.curves) >= TWICE for one in candidates) else "medium"


def _no_surer_than_its_evidence(choice: Choice, candidates: Sequence[Candidate], found: Stretch) -> Choice:
    """The choice with less confidence where what it rests on speaks against it."""
    if choice.value is None:
        return choice
    if found.high > WIDE * found.low:
        return lowered(choice, "low", f"rates over a factor of {found.high / found.low:.2g} do nearly as well")
    rows = {row.candidate.value: row for row in standings(candidates, choice.judged_by, "end", "step")}
    taken, (best, *_) = rows.get(choice.value), rows
    if taken is not None and math.isfinite(taken.mean):
        if taken.separated():
            return lowered(choice, "low", f"{best:g} is better by more than its error")
        if any(row.changes_places(taken) for row in rows.values()):
            return lowered(choice, "low", SEEDS_DISAGREE)
    low, high = found.interval
    if not low < choice.value < high:
        return lowered(choice, "medium", f"it is not inside the range {low:.2g} to {high:.2g} where the middle may lie")
    return choice
