"""Confirm before you recommend: full trainings of a few weight decays, challengers, the neighbours, and fresh seeds of the best and of
the user's own settings, which say whether the one is better than the other (docs/checklist.md)."""

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle, islice

from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import Spec
from hpcheck.steps import confirm_reading, nothing_learnt
from hpcheck.steps.confirm_plan import (
    FRESH,
    SURE_SEEDS,
    challengers,
    first_candidates,
    for_sure,
    lrs_trained,
    neighbours,
    start_in_full,
    trainings_of,
)
from hpcheck.steps.contest import Contest, Training, full_training, outcome
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.reading import Settings, nothing_run
from hpcheck.steps.step import Asked, Steps, Wanted


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set weight decay, keep or refuse what the short runs recommend, and say whether it is better than the start."""
    total = trainings_of(asked)
    if total == 0:
        return nothing_run("confirm", settings, "confirm.trainings is 0, so nothing is trained in full before train")
    if settings.max_lr is None:
        return nothing_run("confirm", settings)
    start = start_in_full(asked, settings)
    at_other_lrs = lrs_trained(asked, settings)
    contest = Contest(asked, start, total + len(at_other_lrs))
    yield from _train(contest, list(dict.fromkeys([*at_other_lrs, *first_candidates(asked, settings)])))
    if nothing_learnt.learnt_nothing(contest):
        return nothing_learnt.reading(contest, settings)
    yield from _challenged(contest)
    yield from _neighbours(contest)
    best, _ = contest.best()
    if best is None:
        return confirm_reading.all_diverged(contest, settings)
    pair: list[Settings]
    if best == contest.start:
        ours, _ = contest.best([one for one in contest.candidates if one != best])
        pair = [best] if ours is None else [best, ours]
    else:
        ours = _own_weight_decay_where_tied(contest, best)
        pair = [ours, contest.start]
    fresh = list(islice(cycle(pair), contest.left))
    if asked.config.confirm.sure:
        fresh += _for_sure(contest, pair, fresh)
    yield from contest.train(fresh)
    return confirm_reading.reading(contest, settings, _beside_yours(contest, ours))


def _neighbours(contest: Contest) -> Training:
    """Both half-decade neighbours of the best weight decay, while there are trainings beyond those for fresh seeds; where there is one,
    that on the side of the better weight decay."""
    while contest.left > FRESH:
        best, _ = contest.best()
        missing = [] if best is None else neighbours(contest.asked, best, contest.candidates)
        if best is None or not missing:
            return
        room = contest.left - FRESH
        yield from _train(contest, missing if len(missing) <= room else [_on_better_side(contest, best, missing)])


def _on_better_side(contest: Contest, best: Settings, missing: Sequence[Settings]) -> Settings:
    """Of two neighbours in weight decay that beside which other weight decays, at whatever lr, came to a better end. Where all of them are
    on one side, the neighbour beyond the edge."""
    others = [one for one in contest.candidates if one.weight_decay != best.weight_decay]
    sides = {one.weight_decay < best.weight_decay for one in others}
    better, _ = contest.best(others) if others else (None, None)
    is_below = (better is not None and better.weight_decay < best.weight_decay) if len(sides) > 1 else False in sides
    return next((one for one in missing if (one.weight_decay < best.weight_decay) == is_below), missing[0])


def _challenged(contest: Contest) -> Training:
    """What else may pay. It comes before the neighbours: where an own lr has taken a training more, an lr that is wrong by a factor of two
    costs more than a weight decay that is wrong by three.

    Where a neighbour has its training too, the first of each direction are trained side by side. Else one after the other: on in a
    direction while it wins, and in the other where its first has lost.
    """
    best, _ = contest.best()
    half_way = None if best is None else _half_way(contest, best)
    if half_way is not None and not (yield from _wins(contest, half_way)):
        return
    best, _ = contest.best()
    directions = [] if best is None else challengers(contest.asked, best)
    for_neighbours = 1 if len(directions) < contest.left - FRESH else 0
    nearest = [direction[0] for direction in directions if direction[0] not in contest.records]
    if for_neighbours and nearest:
        yield from _train(contest, nearest)
    for direction in directions:
        for one in direction:
            if not (yield from _wins(contest, one, for_neighbours)):
                break
        if contest.best()[0] in direction:
            return


def _wins(contest: Contest, challenger: Settings, kept: int = 0) -> Generator[Wanted, Sequence[RunRecord], bool]:
    """Train a challenger, if there is a training for it beside those for fresh seeds and those `kept`, and say whether it leads now."""
    if challenger not in contest.records:
        if contest.left <= FRESH + kept:
            return False
        yield from _train(contest, [challenger])
    return contest.best()[0] == challenger


def _half_way(contest: Contest, best: Settings) -> Settings | None:
    """Where the lr comes of full trainings a factor of four apart: the lr half-way to the better of its neighbours, in the exponent."""
    found, lr = best.found, best.known_max_lr
    if found is None or not found.trained or found.open_above:
        return None
    near = [*sorted(one for one in found.trained if one < lr)[-1:], *sorted(one for one in found.trained if one > lr)[:1]]
    beside = [one for one in contest.candidates if one.known_max_lr in near and one.weight_decay == contest.start.weight_decay]
    better = contest.best(beside)[0] if beside else None
    if better is None:
        return None
    return with_lr(contest.asked, best, two_significant_figures(math.sqrt(lr * better.known_max_lr)))


def _own_weight_decay_where_tied(contest: Contest, best: Settings) -> Settings:
    """The best, with the user's weight decay where that was trained too and the best does not lead it by enough to be recommended: what
    speaks against the user's lr says nothing about their weight decay, and a tie keeps the user's own value."""
    own = replace(best, weight_decay=contest.start.weight_decay)
    is_tied = own in contest.records and own != contest.start and not contest.judged(best, own, first=True).passes
    return own if is_tied else best


def _beside_yours(contest: Contest, ours: Settings | None) -> Settings | None:
    """What is told beside the user's settings. Where they gave no lr, both lrs are hpcheck's own, and a tie has none of theirs to keep: if
    nothing else differs, that which is ahead over all seeds is the lr of the start, and the other stands beside it."""
    start = contest.start
    if ours is None or contest.asked.config.start.max_lr is not None or replace(ours, max_lr=start.max_lr, min_lr=start.min_lr) != start:
        return ours
    judged = contest.judged(ours, start)
    if judged.passes or not judged.is_ahead:
        return ours
    contest.start = ours
    return start


def _for_sure(contest: Contest, pair: Sequence[Settings], fresh: Sequence[Settings]) -> list[Settings]:
    """`confirm.sure`: what may be recommended, and its neighbours in lr and weight decay, with two fresh seeds each, beside those that are
    trained with `fresh` ones anyway."""
    more = []
    for one in dict.fromkeys([*pair, *for_sure(contest.asked, pair[0])]):
        seeds = len(contest.records.get(one, ())) + list(fresh).count(one)
        more += [one] * (1 + SURE_SEEDS - seeds)
    return more


def _train(contest: Contest, wanted: Sequence[Settings]) -> Training:
    """The next seed of each of these; beside them the start's fresh seeds, as soon as these are certain."""
    return contest.train(wanted, partial(_fresh_of_start, contest))


def _fresh_of_start(contest: Contest, found: Sequence[RunRecord]) -> list[Spec]:
    """The start's trainings with fresh seeds that are made whatever leads in the end: one, or those of `confirm.sure`.

    They are certain once a training has ended well and learnt something. Then `decide` comes to its last round, and the start is one of
    that round's pair.
    """
    known = [*found, *(record for several in contest.records.values() for record in several)]
    if not any(nothing_learnt.learnt(contest.asked, one) and not outcome(contest.asked, one).diverged for one in known):
        return []
    seeds = SURE_SEEDS if contest.asked.config.confirm.sure else 1
    return [full_training(contest.asked, contest.start, seed) for seed in range(1, 1 + seeds)]
