"""Confirm before you recommend: full trainings of a few weight decays and their neighbours, one challenger, and fresh seeds of the best and
of the user's own settings, which say whether the one is better than the other (docs/checklist.md)."""

from collections.abc import Sequence
from itertools import cycle

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
from hpcheck.steps.contest import Contest, Training
from hpcheck.steps.reading import Settings, nothing_run
from hpcheck.steps.step import Asked, Steps


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
    yield from contest.train([*at_other_lrs, *first_candidates(asked, settings)])
    if nothing_learnt.learnt_nothing(contest):
        return nothing_learnt.reading(contest, settings)
    yield from _neighbours(contest)
    yield from _challenged(contest)
    yield from _neighbours(contest)
    ours, _ = contest.best()
    if ours is None:
        return confirm_reading.all_diverged(contest, settings)
    against = contest.start
    if ours == against:
        ours, _ = contest.best([one for one in contest.candidates if one != against])
    pair = [one for one in dict.fromkeys((contest.best()[0], ours, against)) if one is not None][:FRESH]
    turn = cycle(pair)
    yield from contest.train([next(turn) for _ in range(contest.left)])
    if asked.config.confirm.sure:
        yield from _sure(contest, pair)
    return confirm_reading.reading(contest, settings, ours)


def _neighbours(contest: Contest) -> Training:
    """Both half-decade neighbours of the best weight decay, while there are trainings beyond those for fresh seeds."""
    while contest.left > FRESH:
        best, _ = contest.best()
        missing = [] if best is None else neighbours(contest.asked, best, contest.candidates)
        if not missing:
            return
        yield from contest.train(missing[: contest.left - FRESH])


def _challenged(contest: Contest) -> Training:
    """What else may pay, each only while the one before has won."""
    best, _ = contest.best()
    for one in [] if best is None else challengers(contest.asked, best):
        if contest.left <= FRESH:
            return
        if one not in contest.records:
            yield from contest.train([one])
        if contest.best()[0] != one:
            return


def _sure(contest: Contest, pair: Sequence[Settings]) -> Training:
    """`confirm.sure`: what may be recommended, and its neighbours in lr and weight decay, with two fresh seeds each."""
    best = pair[0]
    for one in dict.fromkeys([*pair, *for_sure(contest.asked, best)]):
        fewer = 1 + SURE_SEEDS - len(contest.records.get(one, ()))
        if fewer > 0:
            yield from contest.train([one] * fewer)
