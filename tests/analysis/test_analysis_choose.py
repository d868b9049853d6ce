"""The one decision rule on small hand-written sets of curves."""

from dataclasses import replace

import numpy as np
import pytest

from hpcheck.analysis.choose import Candidate, Rule, choose, needs_replicates, plateaued, rank_agreement, too_short_to_tell
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.ranking import standings, supposed
from hpcheck.analysis.scores import track

U = np.linspace(1 / 30, 1, 30)


def noise(sd: float, seed: int) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(30)


def run(final: float, seed: int = 0, accuracy: float | None = None, **more: object) -> Curve:
    loss = final + (2.3 - final) * np.exp(-U / 0.1) + noise(0.01, seed)
    metric = None if accuracy is None else 0.1 + (accuracy - 0.1) * (1 - np.exp(-U / 0.1)) + noise(0.003, seed + 100)
    return Curve(1000 * U, 0.1 * U, loss, accuracy=metric, **more)  # type: ignore[arg-type]


def replicated(value: float, finals: tuple[float, ...]) -> Candidate:
    return Candidate(value, tuple(run(final, seed=hash((value, number)) % 1000) for number, final in enumerate(finals)))


DIVERGED = Curve(1000 * U[:12], 0.1 * U[:12], np.append(2.3 - 0.05 * np.arange(11), 90.0), diverged=True)


def test_a_clear_best_is_chosen_between_its_neighbours() -> None:
    choice = choose([replicated(1e-2, (1.1, 1.12)), replicated(3e-3, (0.8, 0.81)), replicated(1e-3, (1.0, 1.01))])
    assert (choice.value, choice.status, choice.edge) == (3e-3, "chosen", None)
    assert choice.interval == pytest.approx((1.73e-3, 5.48e-3), rel=1e-2)
    assert choice.confidence == "high"


def test_a_run_that_did_not_learn_under_one_seed_takes_nothing_from_the_others_loss() -> None:
    """0.075 beside two that were run once at 0.08; a mean of what the second seed did would put it at -0.17, and rule the others out."""
    single = [replicated(0.0, (0.080,)), replicated(1e-5, (0.081,))]
    choice = choose([*single, replicated(1e-4, (0.078, 1.05)), replicated(1e-3, (0.079, 0.070))])
    scores = {value: score for value, score, _ in choice.scores}
    assert scores[1e-3] == pytest.approx(0.0745, abs=0.02)
    assert scores[1e-4] == pytest.approx(0.564, abs=0.02)
    assert choice.tied == (0.0, 1e-5, 1e-3)


def test_what_the_second_seed_does_to_both_is_taken_out() -> None:
    choice = choose([replicated(1e-5, (0.81,)), replicated(1e-4, (0.80, 0.90)), replicated(1e-3, (0.82, 0.93))])
    scores = {value: score for value, score, _ in choice.scores}
    assert scores == pytest.approx({1e-5: 0.81, 1e-4: 0.80, 1e-3: 0.825}, abs=0.02)


def test_a_noisy_leader_does_not_make_all_others_alike() -> None:
    def ends(value: float, final: float, sd: float, seeds: int = 2) -> Candidate:
        losses = [final + (2.3 - final) * np.exp(-U / 0.1) + noise(sd, int(1e6 * value) % 97 + seed) for seed in range(seeds)]
        return Candidate(value, tuple(Curve(1000 * U, 0.1 * U, loss) for loss in losses))

    clear = [ends(1e-5, 0.45, 0.004), ends(1e-4, 0.44, 0.004), ends(1e-3, 0.38, 0.004)]
    assert choose(clear).status == "chosen"
    choice = choose([*clear, ends(1e-2, 0.37, 0.06, seeds=1)])
    assert set(choice.tied) <= {1e-3, 1e-2}
    assert choose([*clear, ends(1e-2, 0.20, 0.06, seeds=1)]).value == 1e-2  # a lead larger than its error is one


def test_without_replicates_confidence_is_low() -> None:
    assert choose([replicated(1e-3, (0.8,)), replicated(1e-4, (1.2,))]).confidence == "low"


def test_what_seeds_could_explain_is_a_tie_and_the_preferred_value_is_taken() -> None:
    choice = choose([replicated(0.9, (0.800, 0.812)), replicated(0.95, (0.806, 0.799)), replicated(0.99, (1.5, 1.5))], Rule(prefer=0.95))
    assert choice.status == "tied"
    assert choice.tied == (0.9, 0.95)
    assert choice.value == 0.95


def test_a_preferred_value_outside_the_tie_is_not_taken() -> None:
    choice = choose([replicated(0.9, (0.800, 0.812)), replicated(0.95, (0.806, 0.799)), replicated(0.99, (1.5, 1.5))], Rule(prefer=0.99))
    assert choice.value in (0.9, 0.95)


def test_a_tie_of_batch_sizes_keeps_the_users_own_or_the_nearest_to_it() -> None:
    tie = [replicated(64, (0.80, 0.81)), replicated(128, (0.81, 0.80)), replicated(256, (0.805, 0.80))]
    assert {size: choose(tie, Rule(tie="nearest", prefer=size)).value for size in (64, 128, 256)} == {64: 64, 128: 128, 256: 256}
    beaten = replicated(32, (1.2, 1.2))
    assert choose([beaten, *tie], Rule(tie="nearest", prefer=32)).value == 64  # and not the largest, whose training would be longest
    assert choose([tie[0], replicated(128, (1.2, 1.2)), tie[2]], Rule(tie="nearest", prefer=128)).value == 64


def test_the_upper_middle_of_a_tie() -> None:
    tie = [replicated(10.0**-power, (0.80 + 0.001 * power, 0.81)) for power in (5, 4, 3)]
    rule = Rule(tie="upper-middle")
    assert choose(tie, rule).value == 1e-4
    assert choose(tie[1:], rule).value == 1e-3
    assert choose([*tie[1:], replicated(1e-2, (1.5, 1.5))], rule).value == 1e-3
    assert choose([tie[0], replicated(1e-2, (1.5, 1.5))], rule).value == 1e-5


def test_a_diverged_run_loses_and_is_counted() -> None:
    choice = choose([Candidate(0.1, (DIVERGED,)), Candidate(0.05, (run(0.9),))])
    assert choice.value == 0.05
    assert {value: score for value, score, _ in choice.scores}[0.1] == np.inf


def test_one_diverged_replicate_loses_too() -> None:
    candidates = [Candidate(0.1, (run(0.7), DIVERGED)), Candidate(0.05, (run(0.9, 1), run(0.9, 2)))]
    assert choose(candidates).value == 0.05


def test_all_diverged_abstains() -> None:
    choice = choose([Candidate(0.1, (DIVERGED,)), Candidate(0.2, (DIVERGED,))])
    assert (choice.value, choice.status) == (None, "abstained")
    assert "diverged" in choice.reason


def test_no_candidates_abstain() -> None:
    assert choose([]).status == "abstained"


def test_curves_at_chance_abstain() -> None:
    stuck = [Candidate(value, (Curve(1000 * U, 0.1 * U, 2.303 + noise(0.01, seed)),)) for seed, value in enumerate((0.1, 0.2, 0.4))]
    choice = choose(stuck)
    assert choice.status == "abstained"
    assert choice.value is None


def test_runs_that_go_on_from_one_that_has_learnt_are_tied_where_nothing_tells_them_apart() -> None:
    """They begin near their end: that none of them falls by more than its noise says nothing against them."""
    late = [Candidate(value, (Curve(1000 * U, 0.1 * U, 0.05 + noise(0.01, seed)),)) for seed, value in enumerate((1e-4, 1e-3, 1e-2))]
    assert choose(late).status == "abstained"
    choice = choose(late, Rule(learnt=True))
    assert choice.status == "tied"
    assert choice.tied == (1e-4, 1e-3, 1e-2)
    assert choice.judged_by == "loss"


def test_the_best_at_the_end_of_the_grid_is_marked() -> None:
    assert choose([replicated(1e-2, (0.8, 0.8)), replicated(1e-3, (1.0, 1.0)), replicated(1e-4, (1.2, 1.2))]).edge == "high"


def test_a_raw_minimum_does_not_decide() -> None:
    lucky = run(1.0)
    lucky.val_loss[-2] = 0.2
    assert choose([Candidate(1.0, (lucky,)), Candidate(2.0, (run(0.8, 1),))]).value == 2.0


def test_batch_sizes_are_judged_by_accuracy_where_that_is_asked() -> None:
    """Fig. 6: the smaller batch ends at the lower loss, the larger at the better accuracy."""
    small = Candidate(128, (run(0.30, 1, accuracy=0.900), run(0.30, 2, accuracy=0.900)))
    large = Candidate(512, (run(0.36, 3, accuracy=0.930), run(0.36, 4, accuracy=0.930)))
    assert choose([small, large], Rule(judge="accuracy")).value == 512
    assert choose([small, large], Rule(judge="loss")).value == 128


def test_an_unreadable_loss_hands_over_to_the_metric() -> None:
    """Fig. 13b."""
    wild = [
        Candidate(value, (Curve(1000 * U, 0.1 * U, 8 + noise(4.0, seed), accuracy=run(1.0, seed, accuracy=top).accuracy),))
        for seed, (value, top) in enumerate(((0.9, 0.9), (0.97, 0.7)))
    ]
    choice = choose(wild)
    assert choice.judged_by == "accuracy"
    assert choice.value == 0.9


def range_test(minimum: float, turns_at: float) -> Curve:
    loss = minimum + (2.3 - minimum) * np.exp(-U / 0.1) + 3.0 * np.clip(U - turns_at, 0, 1) + noise(0.01, int(100 * turns_at))
    return Curve(1000 * U, 0.01 * U, loss)


def test_staying_low_over_a_longer_range_wins_a_range_test() -> None:
    """Fig. 10a: 1.8e-3 is stable to larger lrs and about as low."""
    choice = choose(
        [
            Candidate(3.2e-3, (range_test(0.80, 0.5),)),
            Candidate(1.8e-3, (range_test(0.79, 0.75),)),
            Candidate(1e-2, (range_test(1.1, 0.4),)),
        ],
        Rule(at="span", x="lr"),
    )
    assert choice.value == 1.8e-3


def test_a_range_test_that_diverges_early_loses_to_a_higher_one_that_does_not() -> None:
    early = range_test(0.75, 0.9)
    early = Curve(early.step[:14], early.lr[:14], np.append(early.val_loss[:13], np.inf), diverged=True)
    choice = choose([Candidate(1e-2, (early,)), Candidate(1e-3, (range_test(0.85, 0.9),))], Rule(at="span", x="lr"))
    assert choice.value == 1e-3


def test_over_steps_a_run_that_diverged_half_way_loses_to_a_slow_one_that_did_not() -> None:
    fast = 0.5 + 1.8 * np.exp(-U / 0.03) + noise(0.01, 1)
    slow = 2.3 - 1.7 * U + noise(0.01, 2)
    broke = Curve(1000 * U[:24], np.full(24, 0.1), np.append(fast[:23], np.inf), diverged=True)
    steady = Curve(1000 * U, np.full(30, 0.1), slow)
    choice = choose([Candidate(1.0, (broke,)), Candidate(2.0, (steady,))], Rule(at="span"))
    assert choice.value == 2.0
    assert choice.scores[0][1] == np.inf
    assert choose([Candidate(1.0, (broke,)), Candidate(2.0, (broke,))], Rule(at="span")).status != "abstained"


def test_mild_overfitting_does_not_disqualify() -> None:
    """Smith 2018, 5.5: slight early overfitting marks the best value."""
    mild = run(0.8)
    mild = Curve(mild.step, mild.lr, mild.val_loss + 0.05 * np.clip(U - 0.5, 0, 1))
    choice = choose([Candidate(1e-4, (mild,)), Candidate(1e-3, (run(1.0, 1),))])
    assert choice.value == 1e-4


def test_each_momentum_is_judged_at_its_own_best() -> None:
    """At one lr a large momentum always loses: its ramp is shorter, and turns at its own end."""
    a, b = range_test(0.9, 0.6), range_test(0.75, 0.4)
    candidates = [Candidate(0.9, (a,)), Candidate(0.99, (Curve(b.step, b.lr / 10, b.val_loss),))]
    assert choose(candidates, Rule(at="own-best", scale="log1m")).value == 0.99


def test_intervals_of_momentum_bisect_one_minus_it() -> None:
    choice = choose([replicated(0.9, (1.2, 1.2)), replicated(0.97, (0.8, 0.8)), replicated(0.99, (1.1, 1.1))], Rule(scale="log1m"))
    assert choice.interval == pytest.approx((0.9452, 0.9827), abs=1e-4)


def test_a_weight_decay_of_zero_has_an_interval() -> None:
    choice = choose([replicated(0.0, (0.8, 0.8)), replicated(1e-5, (1.1, 1.1))])
    assert choice.interval == (0.0, 5e-6)


def test_a_close_race_asks_for_replicates_of_the_leading_two() -> None:
    close = [replicated(1e-2, (0.80,)), replicated(1e-3, (0.82,)), replicated(1e-4, (1.5,))]
    assert needs_replicates(close) == (1e-3, 1e-2)


def test_a_leader_far_ahead_asks_for_none() -> None:
    assert needs_replicates([replicated(1e-2, (0.5,)), replicated(1e-3, (1.5,))]) == ()


def test_twins_ask_for_none() -> None:
    same = run(0.8)
    assert needs_replicates([Candidate(1e-2, (same,)), Candidate(1e-3, (same,))]) == ()


def test_one_candidate_needs_no_replicate_and_is_taken() -> None:
    assert needs_replicates([replicated(1e-2, (0.5,))]) == ()
    assert choose([replicated(1e-2, (0.5,))]).value == 1e-2


def test_what_a_seed_does_to_all_is_taken_out() -> None:
    """The second seed is worse by 0.3 for both; only the leading two have it, and the third does not profit."""
    choice = choose([replicated(1e-2, (0.80, 1.10)), replicated(1e-3, (0.90, 1.20)), replicated(1e-4, (0.95,))])
    assert choice.value == 1e-2


def test_a_loss_that_has_levelled_off_has_plateaued() -> None:
    assert plateaued(run(0.8))
    assert not plateaued(Curve(1000 * U, 0.1 * U, 2.3 - 1.2 * U + noise(0.01, 0)))


def test_chance_level_is_no_plateau() -> None:
    assert not plateaued(Curve(1000 * U, 0.1 * U, 2.3 + noise(0.01, 0)))
    assert not plateaued(Curve(U[:3], U[:3], U[:3]))


def test_too_few_steps_cannot_tell_weight_decays_apart() -> None:
    lr, momentum = np.full(200, 0.01), np.full(200, 0.9)  # 200 * 0.01 / 0.1 = 20
    assert too_short_to_tell(lr, momentum, 1e-3, 1e-4)
    assert not too_short_to_tell(lr, momentum, 1e-2, 1e-3)


def test_rank_agreement_is_kendalls_tau() -> None:
    assert rank_agreement([1, 2, 3, 4], [10, 20, 30, 40]) == 1.0
    assert rank_agreement([1, 2, 3], [3, 2, 1]) == -1.0
    assert np.isnan(rank_agreement([1.0], [2.0]))


def test_confidence_is_high_at_a_tenth_of_the_chance_that_separates_and_with_replicates_of_both() -> None:
    best, beyond = replicated(1e-2, (0.80, 0.80)), replicated(1e-1, (1.5,))
    assert choose([best, replicated(1e-3, (0.90, 0.90)), beyond]).confidence == "high"
    close = choose([Candidate(1e-2, (run(0.80, 1), run(0.80, 2))), Candidate(1e-3, (run(0.82, 3), run(0.82, 4))), beyond])
    assert (close.status, close.confidence) == ("chosen", "medium")
    assert choose([best, replicated(1e-3, (0.90,)), beyond]).confidence == "low"


def test_the_last_value_tried_is_no_sure_answer_but_names_have_no_last_one() -> None:
    two = [replicated(1e-2, (0.80, 0.80)), replicated(1e-3, (0.90, 0.90))]
    choice = choose(two)
    assert (choice.edge, choice.confidence) == ("high", "medium")
    names = choose(two, Rule(scale="names"))
    assert (names.edge, names.confidence) == (None, "high")


def test_seeds_that_order_two_candidates_the_opposite_way_are_seen() -> None:
    """The first seed has 1e-2 ahead of 1e-3, the second has it behind; both have it ahead of 1e-1."""
    leader, *others = standings(
        [replicated(1e-2, (0.5, 0.6)), replicated(1e-3, (0.9, 0.5)), replicated(1e-1, (1.5, 1.5))], "loss", "end", "step"
    )
    assert leader.candidate.value == 1e-2
    assert {row.candidate.value: row.changes_places(leader) for row in others} == {1e-3: True, 1e-1: False}


def test_without_a_metric_a_loss_that_cannot_be_read_is_still_what_is_judged_by() -> None:
    stuck = [Candidate(value, (Curve(1000 * U, 0.1 * U, 2.303 + noise(0.01, seed)),)) for seed, value in enumerate((0.1, 0.2))]
    assert choose(stuck).judged_by == "loss"


def test_a_run_that_diverged_has_not_plateaued() -> None:
    flat = run(0.8)
    assert not plateaued(Curve(flat.step, flat.lr, np.where(U > 0.9, np.nan, flat.val_loss)))


def test_an_accuracy_near_1_is_told_apart_by_what_it_still_lacks() -> None:
    """0.998 and 0.99 are a fifth of the errors and all of them, though within a hundredth of each other."""

    def accurate(top: float, seed: int) -> Curve:
        return Curve(1000 * U, 0.1 * U, 2.3 - U, accuracy=0.1 + (top - 0.1) * (1 - np.exp(-U / 0.1)) + noise(0.0003, seed))

    sizes = [Candidate(64, (accurate(0.998, 1), accurate(0.998, 2))), Candidate(128, (accurate(0.99, 3), accurate(0.99, 4)))]
    assert choose(sizes, Rule(judge="accuracy", tie="nearest", prefer=128)).value == 64


def test_a_span_is_scored_where_the_best_are_near_their_best() -> None:
    """A head start is worth nothing by itself: the first is ahead until the second, once it has fallen, stays below it."""
    first = np.interp(U, [0, 0.5, 0.7, 1], [2.3, 1.0, 0.5, 0.5]) + noise(0.01, 1)
    second = np.interp(U, [0, 0.5, 0.55, 1], [2.3, 2.2, 0.4, 0.4]) + noise(0.01, 2)
    runs = [Candidate(value, (Curve(1000 * U, np.full(30, 0.1), loss),)) for value, loss in ((1.0, first), (2.0, second))]
    assert choose(runs, Rule(at="span")).value == 2.0


def test_the_noise_within_curves_counts_until_seeds_have_shown_what_it_does() -> None:
    once = standings([replicated(1e-2, (0.8,)), replicated(1e-3, (0.9,))], "loss", "end", "step")
    twice = standings([replicated(1e-2, (0.8, 0.8)), replicated(1e-3, (0.9, 0.9))], "loss", "end", "step")
    prior = [2 * supposed(*rows, "loss") ** 2 for rows in (once, twice)]
    spread = np.var([row.value - best.value for best, row in zip(twice[0].scores, twice[1].scores, strict=True)], ddof=1)
    assert once[1].error == pytest.approx(np.sqrt(prior[0] + once[0].within ** 2 + once[1].within ** 2))
    assert twice[1].error == pytest.approx(np.sqrt((spread + 4 * prior[1]) / 5 / 2))


def test_a_noisy_loser_does_not_make_itself_unbeatable() -> None:
    """Its own noise would widen its error until no lead were enough: behind by 0.12 where the quiet one is behind by 0.07."""

    def ends(value: float, final: float, sd: float) -> Candidate:
        losses = [final + (2.3 - final) * np.exp(-U / 0.1) + noise(sd, int(value) + seed) for seed in range(2)]
        return Candidate(value, tuple(Curve(1000 * U, 0.1 * U, loss) for loss in losses))

    quiet = [ends(64, 0.45, 0.004), ends(128, 0.38, 0.004)]
    choice = choose([*quiet, ends(256, 0.50, 0.12)])
    assert (choice.value, choice.status) == (128, "chosen")
    assert 256 in choose([*quiet, ends(256, 0.388, 0.01)]).tied  # noise that is not far above the usual counts as it is


PHASE = np.linspace(0.1, 1, 10)  # ten evaluations of a 1cycle: the lr rises, comes down and ends far below where it began
ONE_CYCLE = np.interp(PHASE, [0, 0.45, 0.9, 1], [0.01, 0.1, 1e-5, 1e-5])


def annealed(accuracy: float, dip: float = 0.0) -> Curve:
    """A run whose accuracy falls by `dip` where the lr is largest, and has come to rest at the end."""
    metric = accuracy - 0.3 * np.exp(-PHASE / 0.15) + 0.0005 * np.array([1, -1, 1, 1, -1, -1, 1, -1, 1, 0])
    metric[3] -= dip
    metric[5] -= dip / 2
    return Curve(1000 * PHASE, ONE_CYCLE, 1 - metric, accuracy=metric)


def test_a_dip_in_mid_cycle_is_no_noise_of_an_annealed_end() -> None:
    for dip in (0.0, 0.2):
        ends = [Candidate(size, (annealed(top, dip),)) for size, top in ((64.0, 0.95), (256.0, 0.90))]
        choice = choose(ends, Rule(judge="accuracy", tie="nearest", prefer=256))
        assert (choice.value, choice.status) == (64, "chosen"), dip
        assert choice.scores[0][1] == pytest.approx(-0.95, abs=0.003)


def test_where_the_lr_stays_large_mid_curve_noise_is_that_of_the_end() -> None:
    steady = replace(annealed(0.95, 0.2), lr=np.full(10, 0.1))
    assert track(steady, "accuracy").end.noise > 5 * track(annealed(0.95, 0.2), "accuracy").end.noise  # type: ignore[union-attr]


def test_a_share_of_few_examples_is_no_better_known_than_those_let_it_be() -> None:
    """0.95 and 0.93 differ by six of 300 examples, which chance alone does; of 30,000 they do not."""
    ends = [Candidate(size, (annealed(top),)) for size, top in ((64.0, 0.95), (256.0, 0.93))]
    few, many = (choose(ends, Rule(judge="accuracy", prefer=256, examples=examples)) for examples in (300, 30_000))
    assert (few.status, few.value) == ("tied", 256)
    assert few.scores[0][2] == pytest.approx(np.sqrt(0.95 * 0.05 / 300), rel=0.05)
    assert (many.status, many.value) == ("chosen", 64)
    assert choose(ends, Rule(judge="loss", prefer=256, examples=300)).status == "chosen"  # a loss is no share
    twice = [replace(one, curves=one.curves * 2) for one in ends]
    assert choose(twice, Rule(judge="accuracy", prefer=256, examples=300)).status == "tied"  # no seed makes it smaller
