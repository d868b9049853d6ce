"""The learning rate by full trainings, where one is short, so that short runs cost as much, or where short runs could not be read."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hpcheck.analysis.lr_range import read_sweep
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.drawing.panels import Panel
from hpcheck.steps.build_runs import FEWEST_STEPS, curve, short_steps
from hpcheck.steps.confirm_plan import iterations_of_a_training, start_in_full, trainings_of
from hpcheck.steps.contest import Contest, Training, full_training
from hpcheck.steps.evidence import series
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.range_tests import sweep_spec
from hpcheck.steps.reading import Evidence, FoundLr, Reading, Settings
from hpcheck.steps.step import Asked, Steps

STEP = "lr-in-full"
SOURCE = "hpcheck's own full trainings, from where the sweep diverges (section 4.1)"
SHORT = 5 * FEWEST_STEPS  # ours: a training of fewer iterations, five of the shortest runs that can be read; a range test makes ten or more
APART = 4.0  # ours: between the maxima tried, so that the best is missed by a factor of 2 at most
UNSEEN = 64.0  # ours: the lr that a sweep begins to learn at lies so far below where it diverges, where it did not show it
MOST = 5  # ours: maxima tried in all, where an edge goes on winning: with confirm's own, 12 trainings at the most


def is_short(asked: Asked) -> bool:
    """Whether the lr is found by full trainings at once: they are confirmed, and so short that the step's short runs would cost more. A
    config that says how its range test is made gets it."""
    options = asked.config.lr_range
    if not trainings_of(asked) or not options.cycles or options.max is not None or options.steps is not None:
        return False
    return iterations_of_a_training(asked) < SHORT


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set max_lr and min_lr: the best of full trainings at maxima a factor of four apart, about the user's own, or about the middle of what
    the sweep learns and diverges at, with one on either side of the best."""
    own = asked.config.start.max_lr
    about_own = [] if own is None else [full_training(asked, one, 0) for one in _about(asked, settings, own)]
    sweep, *_ = yield [sweep_spec(asked, settings, short_steps(asked, "lr_range", settings)), *about_own]
    read = read_sweep(curve(sweep))
    diverges_at = read.diverges_at or sweep.run.lr.largest
    middle = own or math.sqrt((read.learns_from or diverges_at / UNSEEN) * diverges_at)
    contest = Contest(asked, start_in_full(asked, settings), MOST)
    yield from _bracketed(contest, settings, _about(asked, settings, middle))
    best, _ = contest.best()
    return _abstained(contest, settings) if best is None else _reading(contest, _level(contest, best), diverges_at)


def _about(asked: Asked, settings: Settings, middle: float) -> list[Settings]:
    """The first maxima that are tried: the middle, and one on either side."""
    return [with_lr(asked, settings, two_significant_figures(lr)) for lr in (middle * APART, middle, middle / APART)]


def _bracketed(contest: Contest, settings: Settings, first: Sequence[Settings]) -> Training:
    """Train the first maxima, and on beyond the edge that wins, while there are trainings."""
    asked = contest.asked
    yield from contest.train(first)
    while contest.left:
        best, _ = contest.best()
        tried = sorted(one.known_max_lr for one in contest.candidates)
        if best is None or best.known_max_lr == tried[0]:
            further = tried[0] / APART
        elif best.known_max_lr == tried[-1]:
            further = tried[-1] * APART
        else:
            return
        yield from contest.train([with_lr(asked, settings, two_significant_figures(further))])


def _level(contest: Contest, best: Settings) -> list[Settings]:
    """The best maximum and those that it does not lead by an error, from the smallest to the largest."""
    level = [one for one in contest.candidates if one == best or not contest.judged(best, one, first=True).leads]
    return sorted(level, key=lambda one: one.known_max_lr)


def _reading(contest: Contest, level: Sequence[Settings], diverges_at: float) -> Reading:
    """The middle of those that are level, of two the smaller: a step above the best may be a cliff, and the chance that chose it says
    nothing about that. `confirm` has all of them as candidates."""
    best = level[(len(level) - 1) // 2]
    tried = sorted(one.known_max_lr for one in contest.candidates)
    found = FoundLr(best.known_max_lr, open_above=best.known_max_lr == tried[-1], trained=tuple(tried))
    place = "was the best of" if len(level) == 1 else "is the middle of those that none led, of"
    item = in_full(contest, best, f"{best.known_max_lr:g} {place} {len(tried)} full trainings from {tried[0]:g} to {tried[-1]:g}")
    asked = contest.asked
    few = f"a training has only {iterations_of_a_training(asked):,} iterations, so no range test was made"
    words = f"{few if is_short(asked) else 'short runs could not be read'}. The sweep diverged at {diverges_at:.2g}"
    return Reading(STEP, replace(best, found=found), (item,), _panels(contest, best), (words,))


def in_full(contest: Contest, best: Settings, why: str) -> Evidence:
    """The evidence for an lr from trainings that differ in it alone: those that it does not lead by an error are tied with it."""
    alike = sorted(
        (one for one in contest.candidates if with_lr(contest.asked, one, best.known_max_lr) == best), key=lambda one: one.known_max_lr
    )
    considered = []
    tied = []
    for one in alike:
        trained = contest.trained(one)[0]
        judged = contest.judged(best, one, first=True)
        considered.append((one.known_max_lr, trained.metric, 0.0 if one == best else judged.metric.error))
        if one != best and not judged.leads:
            tied.append(one.known_max_lr)
    kept = sorted([*tied, best.known_max_lr])
    return Evidence(
        setting="learning_rate",
        value=best.known_max_lr,
        status="tied" if tied else "chosen",
        confidence="low",
        reason=why,
        source=SOURCE,
        interval=_between([one.known_max_lr for one in alike], kept),
        tied=tuple(kept) if tied else (),
        runs=tuple(record.run_id for one in alike for record in contest.records[one]),
        considered=tuple(considered),
        judged_by="accuracy",
        higher_is_better=contest.asked.config.data.metric_is == "higher",
    )


def _between(tried: Sequence[float], kept: Sequence[float]) -> tuple[float, float]:
    """From half-way to the next below the kept ones to half-way to the next above; beyond all that were tried, as far as the nearest are
    apart."""
    below, above = [lr for lr in tried if lr < kept[0]], [lr for lr in tried if lr > kept[-1]]
    apart = min((upper / lower for lower, upper in pairwise(tried)), default=APART)
    lower, upper = (below[-1] if below else kept[0] / apart), (above[0] if above else kept[-1] * apart)
    return math.sqrt(lower * kept[0]), math.sqrt(upper * kept[-1])


def _abstained(contest: Contest, settings: Settings) -> Reading:
    runs = tuple(record.run_id for records in contest.records.values() for record in records)
    reason = f"all {len(runs)} full trainings diverged"
    item = Evidence("learning_rate", settings.max_lr, "abstained", "none", reason, SOURCE, runs=runs, kept="no value")
    return Reading(STEP, settings, (item,), _panels(contest, None))


def _panels(contest: Contest, best: Settings | None) -> tuple[Panel, ...]:
    lines = []
    for one in sorted(contest.candidates, key=lambda one: one.known_max_lr):
        line = series(curve(contest.records[one][0]), label=f"max {one.known_max_lr:.2g}" + " (yours)" * (one == contest.start))
        lines.append(replace(line, chosen=one == best))
    return (Panel("Learning rates, trained in full", "iteration", "validation loss", tuple(lines)),)
