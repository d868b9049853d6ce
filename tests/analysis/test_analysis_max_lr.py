"""The maximum lr from short 1cycles at several maxima, on small hand-written runs."""

from dataclasses import replace

import numpy as np
import pytest

from hpcheck.analysis.curve import Curve
from hpcheck.analysis.max_lr import middle_maximum, next_maxima, settled, to_repeat
from hpcheck.analysis.scores import Candidate
from hpcheck.analysis.stretch import Bounds, stretch

U = np.linspace(0, 1, 26)
START = 2.3


def ends_at(final: float, seed: int = 0) -> Curve:
    loss = final + (START - final) * np.exp(-U / 0.15) + 0.005 * np.random.default_rng(seed).standard_normal(26)
    return Curve(200 * U, 0.1 * U, loss)


def diverged() -> Curve:
    return Curve(200 * U[:6], 0.1 * U[:6], np.append(2.3 - 0.1 * np.arange(5), np.inf), diverged=True)


def runs(finals: dict[float, float | None], seeds: int = 1) -> list[Candidate]:
    made = {lr: tuple(diverged() if final is None else ends_at(final, seed) for seed in range(seeds)) for lr, final in finals.items()}
    return [Candidate(lr, curves) for lr, curves in made.items()]


BOWL = {0.00625: 1.1, 0.025: 0.45, 0.1: 0.3, 0.2: 0.32, 0.4: None}  # a tenth of the descent from 2.3 to 0.3 is 0.2
APART = {lr: final for lr, final in BOWL.items() if lr != 0.1}  # none of these is next to the middle


def test_the_middle_of_what_gives_little_away_is_taken() -> None:
    found = stretch(runs(BOWL), "loss")
    assert found is not None
    assert found.inside == (0.025, 0.2)
    assert found.beyond == (0.00625, 0.4)
    assert 0.0125 < found.low < 0.025
    assert 0.2 < found.high < 0.4
    assert found.middle == pytest.approx(found.low**0.4 * found.high**0.6, rel=0.02)
    assert middle_maximum(runs(BOWL)).value == 0.1  # which is next to the middle
    choice = middle_maximum(runs(APART))
    assert choice.value == pytest.approx(0.09, rel=0.1)
    assert choice.good == (0.025, 0.2)
    assert (choice.status, choice.edge, choice.confidence) == ("chosen", None, "low")  # 0.02 to 0.28
    assert choice.interval == pytest.approx((0.00625**0.4 * 0.2**0.6, 0.025**0.4 * 0.4**0.6))


# A tenth of the descent from 2.3 is 0.23, six times the best loss.
LEARNT = {0.003: 0.25, 0.0125: 0.15, 0.05: 0.07, 0.1: 0.04, 0.2: None}


def test_where_almost_all_is_learnt_a_maximum_may_at_most_double_the_loss() -> None:
    found = stretch(runs(LEARNT), "loss")
    assert found is not None
    assert found.inside == (0.05, 0.1)
    assert found.beyond[0] == 0.0125


def test_a_metric_of_which_less_is_better_has_no_such_bound() -> None:
    by_error = [
        Candidate(one.value, tuple(replace(curve, accuracy=curve.val_loss, higher_is_better=False) for curve in one.curves))
        for one in runs(LEARNT)
    ]
    found = stretch(by_error, "accuracy")
    assert found is not None
    assert found.inside == (0.003, 0.1)


def test_what_a_constant_answer_knows_is_no_descent() -> None:
    """2.3 to 1.0 can be had without an input: 0.45 loses little of the whole descent, but more than a tenth of the rest."""
    rows = runs({0.00625: 1.1, 0.025: 0.45, 0.1: 0.3, 0.2: 0.32, 0.4: None})
    assert stretch(rows, "loss").inside == (0.025, 0.2)  # type: ignore[union-attr]
    assert stretch(rows, "loss", Bounds(constant_loss=1.0)).inside == (0.1, 0.2)  # type: ignore[union-attr]
    nothing_learnt = middle_maximum(rows, Bounds(constant_loss=0.29))
    assert (nothing_learnt.status, nothing_learnt.reason) == (
        "abstained",
        "no maximum learns more than a constant answer knows (loss 0.29)",
    )
    assert next_maxima(rows, Bounds(1.0, 0.29)) == (0.0016,)
    assert to_repeat(rows, Bounds(1.0, 0.29)) == ()
    by_metric = [replace(one, curves=tuple(replace(curve, accuracy=-curve.val_loss) for curve in one.curves)) for one in rows]
    assert stretch(by_metric, "accuracy", Bounds(constant_loss=0.29)) == stretch(by_metric, "accuracy")


def test_ends_whose_error_is_more_than_a_tenth_of_the_descent_name_no_maximum() -> None:
    def noisy(deviation: float) -> list[Candidate]:
        random = np.random.default_rng(0)
        losses = [0.29 + 0.09 * np.exp(-U / 0.15) + deviation * random.standard_normal(26) for _ in range(4)]
        return [Candidate(lr, (Curve(200 * U, lr * U, loss),)) for lr, loss in zip((0.15, 0.6, 2.4, 4.8), losses, strict=True)]

    unclear = [*noisy(0.03), *runs({9.6: None, 0.3: 2.3})]  # the one at its start is readable, and the worst
    choice = middle_maximum(unclear)
    assert (choice.status, choice.reason) == ("abstained", "no curve leaves its noise so far that one maximum can be told from another")
    assert middle_maximum(noisy(0.003)).status == "chosen"


def test_where_no_longer_runs_are_left_what_the_noise_hides_is_alike() -> None:
    def ends(lr: float, final: float) -> Candidate:
        loss = final + (0.4 - final) * np.exp(-U / 0.1) + 0.012 * np.random.default_rng(int(100 * lr)).standard_normal(26)
        return Candidate(lr, (Curve(200 * U, lr * U, loss),))

    rows = [ends(0.01, 0.31), ends(0.04, 0.25), ends(0.15, 0.26), ends(0.6, 0.25), ends(2.4, 0.30), *runs({9.6: None})]
    assert middle_maximum(rows, Bounds(constant_loss=0.32)).status == "abstained"
    choice = middle_maximum(rows, Bounds(constant_loss=0.32, coarse=True))
    assert (choice.status, choice.confidence, choice.good) == ("chosen", "low", (0.04, 0.15, 0.6))
    assert 0.04 < (choice.value or 0) < 0.6
    assert "trains nearly as well by its validation loss, or no worse than the noise hides" in choice.reason
    assert next_maxima(rows, Bounds(10, 0.32, coarse=True)) == (1.2,)
    nothing = [ends(lr, 0.32) for lr in (0.04, 0.15, 0.6)]
    assert middle_maximum(nothing, Bounds(constant_loss=0.32, coarse=True)).status == "abstained"


def test_a_maximum_at_which_one_seed_of_two_diverged_is_beyond_the_stretch() -> None:
    split = Candidate(0.2, (ends_at(0.32), diverged()))
    found = stretch([*(one for one in runs(BOWL) if one.value != 0.2), split], "loss")
    assert found is not None
    assert found.inside[1] == 0.1
    assert found.beyond[1] == 0.2


def test_further_maxima_are_tried_where_an_end_has_not_been_found_and_none_above_once_the_middle_is_beyond_the_limit() -> None:
    open_ended = runs({0.1: 0.3, 0.2: 0.31, 0.4: 0.32})
    assert next_maxima(open_ended, Bounds(1.0)) == (0.025, 0.8)
    assert next_maxima(open_ended, Bounds(0.2)) == (0.025,)
    assert middle_maximum(open_ended).edge == "high"
    assert middle_maximum(open_ended).confidence == "low"


def test_no_maximum_above_the_limit_is_recommended() -> None:
    middle = middle_maximum(runs(BOWL)).value or 0.0
    assert middle > 0.04
    capped = middle_maximum(runs(BOWL), Bounds(0.04))
    assert capped.value == 0.04
    assert "limit" in capped.reason
    assert to_repeat(runs(BOWL), Bounds(0.04)) == (0.04,)
    assert middle_maximum(runs(BOWL), Bounds(0.4)).value == middle


def test_a_maximum_at_which_a_seed_diverged_is_not_hidden_by_noise_nor_settled_on() -> None:
    noisy = [Candidate(lr, (ends_at(0.3, seed),)) for seed, lr in enumerate((0.025, 0.05, 0.1))]
    split = Candidate(0.2, (ends_at(0.3), diverged()))
    found = stretch([*noisy, split], "loss", Bounds(coarse=True))
    assert found is not None
    assert found.inside[1] == 0.1
    choice = replace(middle_maximum(runs(BOWL)), value=0.19, interval=(0.15, 0.25))
    assert settled(choice, [*noisy, split]).status == "abstained"


def test_a_maximum_known_before_stays_where_it_loses_little() -> None:
    known = middle_maximum(runs(BOWL), Bounds(known=0.025))
    assert known.value == 0.025
    kept = "any maximum from 0.02 to 0.28 trains nearly as well. We keep 0.025 from the earlier step; 0.1 had the lowest loss (0.303)"
    assert known.reason.startswith(kept)
    best = middle_maximum(runs({**BOWL, 0.025: 0.29}), Bounds(known=0.025))
    assert "We keep 0.025 from the earlier step; it had the lowest loss (0.29" in best.reason
    assert to_repeat(runs(BOWL), Bounds(known=0.025)) == (0.025,)
    assert next_maxima(runs(BOWL), Bounds(0.4, known=0.025)) == ()  # where the upper end is moves only the middle
    beyond = middle_maximum(runs(BOWL), Bounds(known=0.00625))
    assert (beyond.value, "We keep" in beyond.reason) == (0.1, False)
    assert middle_maximum(runs(BOWL), Bounds(0.01, known=0.025)).value == 0.01
    assert middle_maximum(runs(BOWL), Bounds(known=0.2)).value == 0.1  # good, but above the middle


def test_the_upper_end_is_bisected_and_the_lower_one_interpolated() -> None:
    assert next_maxima(runs(BOWL), Bounds(0.4)) == (0.28,)
    assert next_maxima(runs({**BOWL, 0.28: 0.9}), Bounds(0.4)) == ()


def test_another_seed_runs_the_middle() -> None:
    (middle,) = to_repeat(runs(APART))
    assert middle == middle_maximum(runs(APART)).value
    assert to_repeat([*runs(APART), *runs({middle: 0.3})]) == (middle,)
    assert to_repeat([*runs(APART), *runs({middle: 0.3}, seeds=2)]) == ()


def test_a_maximum_next_to_the_middle_that_was_tried_is_taken_for_it_and_one_run_twice_first() -> None:
    middle = middle_maximum(runs(APART)).value or 0.0
    near = [*runs(APART), *runs({middle * 1.05: 0.3})]
    assert middle_maximum(near).value == middle * 1.05
    assert to_repeat(near) == (middle * 1.05,)
    choice = middle_maximum([*near, *runs({middle * 1.08: 0.3}, seeds=2)])
    assert choice.value == middle * 1.08
    assert middle_maximum([*runs(APART), *runs({middle * 1.3: 0.3}, seeds=2)]).value != middle * 1.3


def test_where_every_run_diverged_a_smaller_maximum_is_tried_and_none_is_named() -> None:
    lost = runs({0.1: None, 0.4: None})
    assert next_maxima(lost, Bounds(0.4)) == (0.025,)
    choice = middle_maximum(lost)
    assert (choice.value, choice.status) == (None, "abstained")
    assert "diverged" in choice.reason


def test_runs_that_never_leave_their_noise_name_no_maximum() -> None:
    rng = np.random.default_rng(1)
    dead = [Candidate(lr, (Curve(200 * U, 0.1 * U, 2.3 + 0.01 * rng.standard_normal(26)),)) for lr in (0.1, 0.2, 0.4)]
    assert middle_maximum(dead).status == "abstained"
    assert middle_maximum([]).status == "abstained"


def test_where_no_maximum_is_seen_to_learn_lower_ones_are_tried_before_longer_runs() -> None:
    """Too large an lr can keep a network at chance without diverging; what the range test learnt, it learnt below."""

    def stuck(*maxima: float) -> list[Candidate]:
        noise = np.random.default_rng(3)
        return [Candidate(lr, (Curve(200 * U, 0.1 * U, START + 0.01 * noise.standard_normal(26)),)) for lr in maxima]

    assert next_maxima(stuck(0.26, 0.065, 0.016), Bounds(0.13)) == (0.004,)
    assert next_maxima(stuck(0.26, 0.065, 0.016, 0.004), Bounds(0.13)) == (0.001,)
    assert next_maxima(stuck(0.26, 0.065, 0.016, 0.004, 0.001), Bounds(0.13)) == ()
    assert to_repeat(stuck(0.26, 0.065, 0.016, 0.004, 0.001), Bounds(0.13)) == ()
    learns = [*stuck(0.26, 0.065, 0.016), Candidate(0.004, (ends_at(0.3),))]
    assert 0.001 in next_maxima(learns, Bounds(0.13))  # and from there on as ever


def test_twenty_seeds_and_twenty_grids_give_the_same_maximum_within_a_factor_of_one_and_a_half() -> None:
    """Losses of a multilayer perceptron on digits; what a seed does to them, and where the grid lies, moves the best of them by 8."""
    at = np.log2([0.004, 0.008, 0.016, 0.031, 0.062, 0.125, 0.25, 0.5, 1.0])
    usual = np.log([1.8, 0.75, 0.29, 0.172, 0.13, 0.115, 0.12, 0.9, 2.3])
    middles = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        top = 0.5 * 2 ** rng.uniform(-0.5, 0.5)
        lrs = top / np.array([1, 2, 4, 16, 64])
        finals = {lr: float(np.exp(np.interp(np.log2(lr), at, usual) + 0.12 * rng.standard_normal())) for lr in lrs}
        middles.append(middle_maximum(runs(finals)).value)
    assert max(middles) / min(middles) < 1.5


def test_what_is_recommended_has_been_run_with_two_seeds() -> None:
    choice = middle_maximum(runs(APART))
    once = runs(APART)
    assert settled(choice, once).status == "abstained"
    twice = [*once, *runs({0.12: 0.31}, seeds=2)]
    assert settled(choice, twice).value == 0.12
    assert "0.12 is the nearest that two seeds have run" in settled(choice, twice).reason
    ran = [*once, *runs({choice.value or 0: 0.3}, seeds=2)]
    assert settled(choice, ran) == choice


def test_of_several_maxima_that_two_seeds_have_run_the_nearest_is_recommended() -> None:
    choice = middle_maximum(runs(APART))  # about 0.09
    assert settled(choice, [*runs(APART), *runs({0.08: 0.31, 0.15: 0.31}, seeds=2)]).value == 0.08


def test_a_maximum_a_little_above_the_limit_is_not_taken_for_it() -> None:
    assert middle_maximum(runs({0.1: 0.3, 0.2: 0.31, 0.4: 0.32}), Bounds(0.19)).value == 0.19


SLIM = {0.0125: 1.1, 0.05: 0.45, 0.2: 0.32, 0.4: None}  # good from about 0.04 to 0.28


def twice(finals: dict[float, tuple[float, float]]) -> list[Candidate]:
    return [Candidate(lr, tuple(ends_at(final, seed) for seed, final in enumerate(pair))) for lr, pair in finals.items()]


def test_a_middle_that_two_seeds_ran_and_nothing_contradicts_is_sure() -> None:
    middle = middle_maximum(runs(SLIM)).value or 0.0
    choice = middle_maximum([*runs(SLIM), *twice({middle: (0.3, 0.3)})])
    assert (choice.value, choice.confidence) == (middle, "high")


def test_a_maximum_that_another_beats_by_more_than_its_error_is_not_sure() -> None:
    """A middle at 0.40 loses less than a tenth of the descent, and is far behind 0.32 all the same."""
    middle = middle_maximum(runs(SLIM)).value or 0.0
    choice = middle_maximum([*runs(SLIM), *twice({middle: (0.40, 0.40)})])
    assert (choice.value, choice.confidence) == (middle, "low")
    assert choice.reason.endswith("low confidence, since 0.2 is better by more than its error")


def test_a_stretch_wider_than_ten_times_leaves_its_middle_unsure() -> None:
    wide = {0.00625: 1.1, 0.02: 0.32, 0.2: 0.31, 0.4: None}
    middle = middle_maximum(runs(wide)).value or 0.0
    choice = middle_maximum([*runs(wide), *twice({middle: (0.3, 0.3)})])
    assert (choice.value, choice.confidence) == (middle, "low")
    assert "low confidence, since rates over a factor of 28 do nearly as well" in choice.reason


def test_maxima_that_two_seeds_order_the_opposite_way_leave_their_middle_unsure() -> None:
    middle = middle_maximum(runs(SLIM)).value or 0.0
    others = [one for one in runs(SLIM) if one.value != 0.2]
    agree, split = ((0.30, 0.31), (0.33, 0.29))
    for at_middle, confidence in ((agree, "high"), (split, "low")):
        choice = middle_maximum([*others, *twice({middle: at_middle, 0.2: (0.31, 0.325)})])
        assert (choice.value, choice.confidence) == (middle, confidence), at_middle
    assert choice.reason.endswith("two seeds order the candidates the opposite way")


def test_scores_are_said_on_the_scale_they_are_judged_on_where_a_seed_shifts_all() -> None:
    shifted = {0.1: 0.03, 0.2: 0.03}  # what another seed adds
    candidates = [
        replace(one, curves=(*one.curves, ends_at(BOWL[one.value] + shifted[one.value]))) if one.value in shifted else one
        for one in runs(BOWL)
    ]
    scores = {value: score for value, score, _ in middle_maximum(candidates).scores}
    alone = {value: score for value, score, _ in middle_maximum(runs(BOWL)).scores}
    assert scores == pytest.approx(alone, abs=1e-3)
    once, again = stretch(runs(BOWL), "loss"), stretch(candidates, "loss")
    assert once is not None
    assert again is not None
    assert (once.low, once.high) == pytest.approx((again.low, again.high), rel=0.01)


def test_an_interval_that_had_to_reach_for_the_kept_maximum_makes_it_no_surer() -> None:
    kept = 0.05  # good, but below where the middle may lie
    rows = [*runs({0.025: 1.1, 0.2: 0.32, 0.4: None}), *twice({kept: (0.3, 0.3)})]
    found, choice = stretch(rows, "loss"), middle_maximum(rows, Bounds(known=kept))
    assert found is not None
    assert choice.value == kept < found.interval[0]
    assert choice.confidence == "medium"
    assert "medium confidence, since it is not inside the range" in choice.reason
