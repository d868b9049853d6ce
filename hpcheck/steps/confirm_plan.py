"""How many full trainings confirm a recommendation, by the config and the data alone, and the settings that they begin with."""

import math
from collections.abc import Sequence
from dataclasses import replace

from hpcheck.analysis.optimum import HALF_DECADE, SMALLEST, two_significant_figures
from hpcheck.plugins.search_space import search_of
from hpcheck.runs.spec import can_be_cut
from hpcheck.steps.build_runs import full_steps
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.reading import Settings
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked

USUAL = 8  # ours: full trainings where one is short enough: three weight decays, two other lrs, a neighbour, a fresh seed of two settings
LONGEST = 20_000  # ours: iterations of a training up to which eight of them are asked for without being told to
FRESH = 2  # trainings kept for the verdict: one fresh seed each for two settings
FIRST = 3  # ours: weight decays trained first, where there is room
SAME = 1.5  # ours: weight decays closer than this are one: a neighbour is half a decade away, a factor of 3.2
REPEATS = 4  # of the final training where nothing else trains in full
SURE_SEEDS = 2  # fresh seeds of each neighbour under `confirm.sure`
SURE_FACTOR = 2.0  # ours: the neighbours in lr, a factor that a full training can tell from a cliff


def trainings_of(asked: Asked) -> int:
    """Full trainings that `confirm` makes, the final one included; 0 where nothing is confirmed."""
    given = asked.config.confirm.trainings
    return given if given is not None else USUAL if iterations_of_a_training(asked) <= LONGEST else 0


def iterations_of_a_training(asked: Asked) -> int:
    """Iterations of one training of the user's: at the start's batch size and epochs."""
    start = asked.config.start
    return max(1, round(asked.config.budget.epochs * asked.facts.train_examples / start.total_batch_size))


def why_so_many(asked: Asked) -> str:
    """What `confirm.trainings` comes to, and why, in a sentence."""
    given, count = asked.config.confirm.trainings, trainings_of(asked)
    if given is not None:
        return f"confirm.trainings is {given}, as the config says."
    more = "at most" if count else "more than"
    return f"confirm.trainings is {count}: a training has {more} {LONGEST:,} iterations."


def repeats_of(asked: Asked) -> int:
    """Final trainings: what the config says, else one where `confirm` has trained others, and four where nothing has."""
    given = asked.config.train.repeats
    return given if given is not None else 1 if trainings_of(asked) else REPEATS


def start_in_full(asked: Asked, settings: Settings) -> Settings:
    """What the user has today, as a training: the start's own batch size, momentum and weight decay, at the start's own lr. Where none was
    given, at the lr that was found for them."""
    start, own = asked.config.start, _all_but_lr(asked, settings)
    if start.max_lr is not None:
        return with_lr(asked, own, start.max_lr)
    if replace(own, weight_decay=settings.weight_decay) == settings or settings.found is None:
        return own
    return with_lr(asked, own, settings.found.max_lr)


def lrs_trained(asked: Asked, settings: Settings) -> list[Settings]:
    """The start at the other lrs that were trained in full to find one: candidates like the rest, and paid for already."""
    if settings.found is None:
        return []
    own, start = _all_but_lr(asked, settings), start_in_full(asked, settings)
    return [one for lr in settings.found.trained if (one := with_lr(asked, own, lr)) != start]


def _all_but_lr(asked: Asked, settings: Settings) -> Settings:
    """The user's batch size, momentum, weight decay and length, at the settings' lr."""
    return replace(start_settings(asked.config), max_lr=settings.max_lr, min_lr=settings.min_lr, found=settings.found)


def first_candidates(asked: Asked, settings: Settings) -> list[Settings]:
    """What is trained first: the start, and a few weight decays at the settings found, as many as leave two trainings for fresh seeds."""
    start, room = start_in_full(asked, settings), trainings_of(asked) - FRESH
    found = [replace(settings, weight_decay=value) for value in weight_decays(asked)]
    own = next((one for one in found if one == start), None)
    others = [one for one in found if one != own]
    if len(others) > room - 1:  # the nearest to the middle say most
        middle = sorted(others, key=lambda one: one.weight_decay)[len(others) // 2]
        others = sorted(others, key=lambda one: _apart(one.weight_decay, middle.weight_decay))[: room - 1]
    return sorted([start, *others], key=lambda one: (one.weight_decay, one.known_max_lr))


def weight_decays(asked: Asked) -> list[float]:
    """The config's weight decays, else the optimizer's; the start's value among them, in the place of the nearest of the optimizer's."""
    own, given = asked.config.start.weight_decay, asked.config.confirm.weight_decays
    if given is not None:
        return sorted({*given, own})
    values = sorted(search_of(asked.config.optimizer.name).confirmed)
    nearest = min(values, key=lambda value: _apart(value, own))
    return sorted({own, *(value for value in values if value != nearest)})


def _apart(first: float, second: float) -> float:
    """How far apart two weight decays are, by their exponents; 0 is as far below the smallest as can be."""
    return abs(math.log(max(first, SMALLEST)) - math.log(max(second, SMALLEST)))


def neighbours(asked: Asked, best: Settings, trained: Sequence[Settings]) -> list[Settings]:
    """The half-decade neighbours of the best weight decay that were not trained, at its other settings; beyond an edge first, alone: where
    it wins, the other side says nothing any more."""
    beside = sorted(one.weight_decay for one in trained if replace(one, weight_decay=best.weight_decay) == best)
    lower, upper = _beside(asked, best.weight_decay, beside)
    missing = [value for value in (lower, upper) if value is not None and not any(_is_one(value, other) for other in beside)]
    at_edge = [value for value in missing if value < beside[0] or value > beside[-1]]
    if len(beside) > 1 and at_edge:
        missing = at_edge[:1]
    return [replace(best, weight_decay=value) for value in missing]


def _beside(asked: Asked, value: float, trained: Sequence[float]) -> tuple[float | None, float | None]:
    """Half a decade below and above. Of 0: nothing below, and above it half a decade below the smallest that was trained, or the smallest
    that the optimizer names."""
    if value == 0:
        positive = [one for one in (*trained, *search_of(asked.config.optimizer.name).confirmed) if one > 0]
        smallest = min(positive)
        return None, two_significant_figures(smallest / HALF_DECADE) if smallest in trained else smallest
    lower = two_significant_figures(value / HALF_DECADE)
    return (lower if lower >= SMALLEST else None), two_significant_figures(value * HALF_DECADE)


def _is_one(first: float, second: float) -> bool:
    return first == second or (min(first, second) > 0 and max(first, second) < SAME * min(first, second))


def is_between(asked: Asked, best: Settings, trained: Sequence[Settings]) -> bool:
    """Whether both half-decade neighbours of the weight decay were trained at these settings; with 0 the one above."""
    return not neighbours(asked, best, trained)


def challengers(asked: Asked, best: Settings) -> list[list[Settings]]:
    """What else may pay, by direction, in each the nearest first.

    Where short runs found the lr: half and a quarter of it, and twice and four times; only these where they saw no upper limit. Else, where
    epochs are held: half the batch at half the lr.
    """
    lr, found = best.known_max_lr, best.found
    if found is not None and (found.open_above or not found.trained):
        ways = ((1 / 2, 1 / 4), (2.0, 4.0))
        down, up = ([with_lr(asked, best, two_significant_figures(lr * factor)) for factor in way] for way in ways)
        return [up] if found.open_above else [down, up]
    half, parts = best.total_batch_size // 2, asked.config.run.cut_into()
    if asked.config.budget.hold == "epochs" and half >= 2 * parts and can_be_cut(half, parts):
        return [[with_lr(asked, replace(best, total_batch_size=half), two_significant_figures(lr / 2))]]
    return []


def for_sure(asked: Asked, best: Settings) -> list[Settings]:
    """The neighbours in lr and in weight decay that `confirm.sure` trains beside the best."""
    lr = best.known_max_lr
    lower, upper = _beside(asked, best.weight_decay, [best.weight_decay])
    lrs = [with_lr(asked, best, two_significant_figures(lr * factor)) for factor in (1 / SURE_FACTOR, SURE_FACTOR)]
    return [*lrs, *(replace(best, weight_decay=value) for value in (lower, upper) if value is not None)]


def longer_than_start(asked: Asked, settings: Settings) -> float:
    """How many times as many examples a training at these settings has as the user's."""
    own = iterations_of_a_training(asked) * asked.config.start.total_batch_size
    return full_steps(asked, settings) * settings.total_batch_size / own
