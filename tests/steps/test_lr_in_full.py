"""The learning rate by full trainings: which maxima are trained, where it stands in for the range test, and what confirm makes of them."""

from itertools import pairwise

import pytest

from hpcheck.steps import confirm, lr_in_full, lr_range
from hpcheck.steps.order import Replays, steps_of_run
from hpcheck.steps.reading import Evidence, Reading, Settings, left_open
from hpcheck.steps.start import start_settings
from tests.support.simulated import World, asked, read

SHORT = ("confirm.trainings=8",)  # 781 iterations of 128 here
LONG = ("confirm.trainings=8", "budget.epochs=40")


def tried(reading: Reading) -> list[float]:
    return [float(value) for value, _, _ in reading.evidence[0].considered]


def found_by(world: World, *overrides: str) -> Reading:
    question = asked(*SHORT, *overrides)
    return read(world, lr_in_full.decide, question, start_settings(question.config))


def test_the_best_maximum_has_one_on_either_side() -> None:
    reading = found_by(World())
    lrs, best = tried(reading), reading.settings.known_max_lr
    assert lrs[0] < best < lrs[-1]
    assert reading.settings.known_min_lr == pytest.approx(best / 10, rel=0.1)
    assert [high / low for low, high in pairwise(lrs)] == pytest.approx([4] * (len(lrs) - 1), rel=0.1)


def test_of_maxima_that_none_leads_the_middle_is_taken_and_of_two_the_smaller() -> None:
    """Here .087 and .35 come to accuracies within an error, and 1.4 diverges."""
    reading = found_by(World())
    (item,) = reading.evidence
    assert item.tied == (0.087, 0.35)
    assert (item.value, reading.settings.max_lr) == (0.087, 0.087)
    assert item.reason == "0.087 is the middle of those that none led, of 4 full trainings from 0.022 to 1.4"


def test_they_lie_about_the_users_own_where_there_is_one() -> None:
    reading = found_by(World(), "start.max_lr=0.05")
    assert {0.0125, 0.012, 0.013} & {*tried(reading)}
    assert {0.05, 0.2} <= {*tried(reading)}


def test_no_more_than_five_are_tried() -> None:
    assert len(tried(found_by(World(), "start.max_lr=1e-6"))) <= lr_in_full.MOST


def test_a_short_training_has_it_in_the_place_of_the_range_test() -> None:
    short, long, unconfirmed = asked(*SHORT), asked(*LONG), asked("confirm.trainings=0")
    assert steps_of_run(short) == ("lr-in-full", "batch", "momentum", "confirm", "train")
    assert steps_of_run(long) == ("lr-range", "lr-in-full", "batch", "momentum", "confirm", "train")
    assert "lr-in-full" not in steps_of_run(unconfirmed)
    assert "lr-range" in steps_of_run(asked(*SHORT, "lr_range.max=1"))  # the config says how it is made
    assert Replays(short, lambda spec: None).is_due("lr-in-full")
    assert not Replays(long, lambda spec: None).is_due("lr-in-full")


def test_short_runs_that_could_not_be_read_are_followed_by_full_trainings() -> None:
    question, world = asked(*LONG), World(needed=1e12)  # nothing learns in a short run
    assert read(world, lr_range.decide, question, start_settings(question.config)).abstained
    assert Replays(question, world.find).is_due("lr-in-full")
    nothing_looked_for = asked(*LONG, "lr_range.cycles=false")
    assert not Replays(nothing_looked_for, world.find).is_due("lr-in-full")


def test_confirm_has_the_other_lrs_as_candidates_and_pays_for_none_again() -> None:
    question, world = asked(*SHORT), World()
    first = read(world, lr_in_full.decide, question, start_settings(question.config))
    made = len(world.records)
    reading = read(world, confirm.decide, question, first.settings)
    considered = reading.results["considered"]
    (half_way,) = {one["max_lr"] for one in considered} - {*tried(first)}
    assert min(tried(first)) < half_way < max(tried(first))
    again = sum(len(one["runs"]) for one in considered) - (len(world.records) - made)
    assert again == len(tried(first))


def test_what_was_trained_at_the_lr_found_is_a_candidate_once_where_the_users_lr_is_another() -> None:
    question, world = asked(*SHORT, "start.max_lr=0.003"), World()
    first = read(world, lr_in_full.decide, question, start_settings(question.config))
    assert first.settings.max_lr != 0.003
    considered = read(world, confirm.decide, question, first.settings).results["considered"]
    seeds = sorted((len(one["runs"]) for one in considered), reverse=True)
    assert seeds[:2] == [2, 2]
    assert {*seeds[2:]} == {1}


def test_a_setting_that_a_later_step_answered_is_not_open() -> None:
    settings = Settings(128, 0.1, 0.01, 0.95, 0.85, 1e-4, 10.0)
    nothing = Evidence("learning_rate", None, "abstained", "none", "noise", "section 4.1")
    answer = Evidence("learning_rate", 0.1, "chosen", "low", "the best", "section 4.1")
    abstained, answered = Reading("lr-range", settings, (nothing,)), Reading("lr-in-full", settings, (answer,))
    assert left_open([abstained]) == [abstained]
    assert left_open([abstained, answered]) == []
    assert left_open([answered, abstained]) == [abstained]
