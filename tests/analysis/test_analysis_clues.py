"""Clues on small hand-written curves, one behaviour a test."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.analysis.beginning import begins_well
from hpcheck.analysis.clue import ADVICE
from hpcheck.analysis.clue import clue as make
from hpcheck.analysis.clues import Clue, find_clues
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.ramp import is_ramp
from hpcheck.steps.evidence import describe

U = np.linspace(0.025, 1, 40)
DESCENT = 0.8 + 1.5 * np.exp(-U / 0.08)  # from 2.3 down to 0.8, and flat from a third on


def noise(sd: float = 0.01, count: int = 40, seed: int = 0) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(count)


def curve(loss: np.ndarray, ramp: bool = False, **more: object) -> Curve:
    count = len(loss)
    lr = more.pop("lr", np.linspace(0.001, 0.1, count) if ramp else np.full(count, 0.05))
    return Curve(step=np.arange(1, count + 1) * 50.0, lr=lr, val_loss=loss, **more)  # type: ignore[arg-type]


def kinds(of: Curve) -> set[str]:
    return {clue.kind for clue in find_clues(of)}


def the(kind: str, of: Curve) -> Clue:
    (found,) = [clue for clue in find_clues(of) if clue.kind == kind]
    return found


def test_a_loss_still_falling_at_the_end_is_underfitting() -> None:
    clue = the("underfitting", curve(2.3 - 1.2 * U + noise()))
    assert clue.section == "section 3.2, Fig. 3"
    assert clue.to_step == 2000


def test_an_lr_that_rises_all_along_tells_where_a_clue_is_and_one_that_comes_back_does_not() -> None:
    cycle = np.concatenate([np.linspace(0.01, 0.1, 20), np.linspace(0.1, 0.01, 20)])
    found = [describe(make(curve(DESCENT, **more), "plateau", "flat", 20, 39, 1.0)) for more in ({"ramp": True}, {"lr": cycle}, {})]
    assert [words.partition(":")[0] for words in found] == [
        "plateau (flat), lr 0.052 to 0.1",
        "plateau (flat), iteration 1050 to 2000",
        "plateau (flat), iteration 1050 to 2000",
    ]


def test_a_horizontal_end_is_a_plateau_and_nothing_else() -> None:
    assert kinds(curve(DESCENT + noise())) == {"plateau"}


def test_a_spike_in_the_ending_hides_no_plateau() -> None:
    loss = (DESCENT + noise())[::3]  # 14 evaluations
    loss[-4] = 50.0
    assert "plateau" in kinds(curve(loss))


def test_a_short_curve_that_bends_to_the_flat_has_a_plateau() -> None:
    """Eight evaluations: the six of an ending reach back into the descent, the last four do not."""
    short = np.array([2.2, 1.9, 1.65, 1.4, 1.0, 0.99, 1.0, 0.99])
    assert "plateau" in kinds(curve(short))
    assert "plateau" not in kinds(curve(np.array([2.2, 1.9, 1.65, 1.4, 1.2, 1.1, 1.05, 1.0])))


def test_the_last_four_of_a_short_curve_that_lie_close_are_a_plateau_whatever_the_bend_before_them_looks_like() -> None:
    hump = np.array([1.179, 1.14, 1.15, 1.211, 1.263, 1.197, 1.125, 1.08, 1.052, 1.057, 1.049, 1.055, 1.049, 1.055])
    assert "plateau" in kinds(curve(hump))
    rising = np.array([2.3, 2.28, 2.22, 2.05, 1.73, 1.16, 0.7, 0.65, 0.84, 0.86, 0.9, 0.96, 0.95])
    assert "plateau" not in kinds(curve(rising))


def test_a_flat_tail_after_a_fall_is_not_underfitting() -> None:
    late = DESCENT - 0.4 * np.clip((U - 0.45) / 0.4, 0, 1)
    assert "underfitting" not in kinds(curve(late + noise()))


def test_what_falls_with_the_lr_is_not_underfitting() -> None:
    """The second half of 1cycle: the loss falls because the lr does."""
    annealed = curve(2.3 - 1.2 * U + noise(), lr=np.interp(U, [0, 0.45, 1], [0.01, 0.1, 1e-5]))
    assert kinds(annealed) == set()


def test_what_still_falls_in_the_tail_is_underfitting() -> None:
    lr = np.interp(U, [0, 0.4, 0.7, 1], [0.01, 0.1, 1e-3, 1e-3])
    assert "underfitting" in kinds(curve(2.3 - 1.2 * U + noise(), lr=lr))
    level = np.where(U < 0.75, 2.3 - 1.2 * U, 1.4)
    assert kinds(curve(level + noise(), lr=lr)) <= {"plateau"}


def test_a_slow_fall_of_the_loss_itself_is_underfitting_though_small_beside_the_whole_descent() -> None:
    """Fig. 3b and 4b: ImageNet's loss falls from 6.9 to 2.5 at once, and then by four per cent in what is left of the run."""
    slow = 2.5 + 4.4 * np.exp(-U / 0.05) - 0.3 * U + noise(0.008)
    assert "underfitting" in kinds(curve(slow))
    assert "plateau" in kinds(curve(slow + 0.3 * U))


def test_a_slow_rise_after_the_minimum_is_overfitting() -> None:
    clue = the("overfitting", curve(DESCENT + 0.3 * np.clip(U - 0.4, 0, 1) + noise(), ramp=True))
    assert clue.form == "gradual-rise"
    assert 0.02 < clue.from_lr < 0.07


def test_a_rise_that_training_loss_shares_is_not_overfitting() -> None:
    """An lr too large for the network: nothing is being learnt by heart while training loss goes up as well."""
    loss = DESCENT + 0.3 * np.clip(U - 0.4, 0, 1) + noise()
    falling, rising = DESCENT - 0.3 * U + noise(seed=5), DESCENT + 0.4 * np.clip(U - 0.4, 0, 1) + noise(seed=5)
    assert "overfitting" in kinds(curve(loss, train_loss=falling))
    assert "overfitting" not in kinds(curve(loss, train_loss=rising))


def test_a_rise_that_a_noisy_training_loss_shares_is_not_overfitting_either() -> None:
    """The quickstart's range test: fourteen evaluations, and a batch's loss beside them that lies within five errors of anything."""
    loss = np.array([2.31, 2.2, 1.58, 0.776, 0.669, 0.4, 0.528, 1.08, 2.12, 2.09, 2.67, 2.25, 40.2, 2.99])
    train = np.array([np.nan, 2.29, 2.04, 0.986, 1.24, 0.484, 0.3, 1.23, 0.911, 2.91, 1.46, 2.6, 4.95, 16.1])
    lr = np.linspace(0.0079, 0.397, 14)
    assert "overfitting" not in kinds(curve(loss, lr=lr, train_loss=train, diverged=True))
    assert "overfitting" in kinds(curve(loss, lr=lr, train_loss=np.linspace(2.3, 0.2, 14), diverged=True))


def test_an_ending_too_noisy_to_tell_is_neither_plateau_nor_underfitting() -> None:
    rough = DESCENT + np.where(U > 0.6, 1.0, 0.1) * noise(0.6, seed=2)
    assert not {"plateau", "underfitting"} & kinds(curve(rough[::3]))


def test_a_fall_that_bends_is_still_a_fall() -> None:
    """Thirteen evaluations of a short run that is far from done: the bend is not noise."""
    u = np.linspace(0, 1, 13)
    assert "underfitting" in kinds(curve(0.3 + 2 / (1 + np.exp((u - 0.6) * 8)) + noise(0.01, 13)))


def test_a_ramp_with_too_few_evaluations_before_it_diverges_is_not_said_to_be_stuck() -> None:
    """It had learnt from 2.3 to 0.6 in six of them."""
    loss = np.array([2.3, 1.0, 0.63, 0.59, 1.26, 3.9e13])
    assert kinds(curve(loss, ramp=True, diverged=True)) == {"no-signal", "divergence"}


def test_one_example_that_changes_its_mind_is_no_disagreement() -> None:
    loss = 0.24 + 2 * np.exp(-U / 0.05) - 0.02 * U + noise(0.001)
    accuracy = np.where(U < 0.8, 0.947, 0.933)  # one of 75
    assert "loss-accuracy-disagree" not in kinds(curve(loss, accuracy=accuracy))


def test_a_sharp_rise_is_divergence_not_overfitting() -> None:
    loss = DESCENT + noise()
    loss[34:] = [1.6, 2.9, 3.5, 3.4, 3.6, 3.5]
    clues = kinds(curve(loss, ramp=True))
    assert "divergence" in clues
    assert "overfitting" not in clues


def test_rise_after_divergence_is_not_overfitting() -> None:
    loss = DESCENT + noise()
    loss[28:] = 2.5 + 0.1 * np.arange(12)
    clues = kinds(curve(loss, ramp=True))
    assert "divergence" in clues
    assert "overfitting" not in clues


def test_a_run_that_goes_on_from_another_has_not_diverged_where_its_loss_is_a_little_worse() -> None:
    """A fork at a larger weight decay: beside the 2.2 that the run before had fallen by, a step from 0.11 to 0.14 is nothing."""
    loss = np.array([0.112, 0.145, 0.161, 0.1435, 0.152, 0.1387, 0.145, 0.1417, 0.1385, 0.1387, 0.1425, 0.1424, 0.1424])
    assert "divergence" not in kinds(curve(loss, continued=True))
    assert "divergence" in kinds(curve(np.where(np.arange(13) > 6, 2.3, loss), continued=True))


def test_a_slow_rise_and_then_divergence_are_both_found() -> None:
    """Fig. 7a, momentum 0.99."""
    loss = DESCENT + 0.4 * np.clip(U - 0.3, 0, 1) + noise()
    loss[36:] = [2.4, 5.0, 8.0, 9.0]
    found = find_clues(curve(loss, ramp=True))
    rise, divergence = (next(c for c in found if c.kind == kind) for kind in ("overfitting", "divergence"))
    assert rise.to_step < divergence.from_step


def test_nan_to_the_end_is_divergence() -> None:
    loss = DESCENT + noise()
    loss[30:] = np.nan
    clue = the("divergence", curve(loss, ramp=True))
    assert (clue.form, clue.from_step, clue.to_step) == ("not-finite", 1550.0, 2000.0)


def test_a_stopped_run_diverged() -> None:
    assert "divergence" in kinds(curve(np.append(DESCENT[:30] + noise(count=30), 40.0), diverged=True))


def test_one_nan_that_recovers_is_not_divergence() -> None:
    loss = DESCENT + noise()
    loss[20] = np.nan
    assert "divergence" not in kinds(curve(loss))


def test_spikes_that_recover_are_not_divergence() -> None:
    """BatchNorm's running averages at a large lr: 640 seen, with nothing wrong."""
    loss = DESCENT + noise()
    loss[[15, 22, 31]] = [12.0, 640.0, 3.0]
    assert kinds(curve(loss, ramp=True)) == {"plateau"}


def test_a_loss_above_its_start_without_learning_is_divergence() -> None:
    loss = 2.3 + 1.5 * U**2 + noise()
    clue = the("divergence", curve(loss, ramp=True))
    assert clue.form in ("above-start", "sharp-rise")


def test_a_loss_above_its_start_while_training_improves_is_overfitting() -> None:
    loss = DESCENT + 2.5 * np.clip(U - 0.1, 0, 1) + noise()
    train = 2.3 * np.exp(-3 * U)
    clues = kinds(curve(loss, train_loss=train))
    assert "overfitting" in clues
    assert "divergence" not in clues


def bumped() -> np.ndarray:
    return DESCENT - 0.5 * np.clip(U - 0.4, 0, 1) + 0.35 * np.exp(-0.5 * ((U - 0.33) / 0.06) ** 2) + noise()


def test_a_temporary_rise_at_constant_lr_is_the_form_of_fig_11a() -> None:
    assert the("overfitting", curve(bumped())).form == "early-rise"


def test_a_bump_that_a_larger_lr_removes_is_the_form_of_fig_1a() -> None:
    clue = the("overfitting", curve(bumped(), ramp=True))
    assert clue.form == "small-lr-bump"
    assert clue.to_lr < 0.07


def test_a_hump_that_a_falling_lr_removes_is_not_overfitting() -> None:
    """1cycle: a large lr holds the loss up."""
    of = Curve(np.arange(1, 41) * 50.0, np.interp(U, [0, 0.33, 0.9, 1], [0.01, 0.1, 0.001, 0.0001]), bumped())
    assert "overfitting" not in kinds(of)


def test_a_gap_that_opens_under_a_flat_loss_is_overfitting() -> None:
    clue = the("overfitting", curve(DESCENT + noise(), train_loss=DESCENT * (1 - 0.9 * U)))
    assert clue.form == "generalization-gap"


def test_chance_level_until_nan_is_a_ramp_too_fast_and_no_signal() -> None:
    loss = 2.303 + noise(0.005)
    loss[25:] = np.nan
    assert kinds(curve(loss, ramp=True)) == {"ramp-too-fast", "no-signal", "divergence"}


def test_a_ramp_that_turns_while_falling_fast_is_too_fast() -> None:
    loss = 2.3 - 1.4 * U + noise()
    loss[22:] = 4.0
    assert the("ramp-too-fast", curve(loss, ramp=True)).form == "cut-short"


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.7])
def test_a_warm_up_before_a_constant_lr_is_no_ramp(share: float) -> None:
    lr = np.minimum(np.linspace(0.001, 0.1, 40) / share, 0.1)
    assert not is_ramp(curve(DESCENT, lr=lr))


def test_a_ramp_in_stairs_is_one() -> None:
    assert is_ramp(curve(DESCENT, lr=np.repeat(np.linspace(0.01, 0.1, 5), 8)))
    assert is_ramp(curve(DESCENT[:2], lr=np.array([0.01, 0.1])))


@pytest.mark.parametrize("falls_back", [4, 10])
def test_a_jump_that_is_made_good_again_is_an_instability_and_no_overfitting(falls_back: int) -> None:
    at = np.arange(40)
    jump = np.where(at >= 16, 0.5 * np.exp(-(at - 16) / falls_back), 0.0)
    gradual = 0.5 * np.exp(-(((at - 18) / 4) ** 2))
    falling = 1.6 - 0.9 * U + noise(0.005)
    assert "overfitting" not in kinds(curve(falling + jump))
    assert the("overfitting", curve(falling + gradual)).form == "early-rise"
    assert "overfitting" not in kinds(curve(falling + gradual, train_loss=falling + gradual))


def test_a_ramp_that_levels_off_before_it_diverges_is_not_too_fast() -> None:
    loss = DESCENT + noise()
    loss[34:] = 9.0
    assert "ramp-too-fast" not in kinds(curve(loss, ramp=True))


def test_loss_up_and_accuracy_up_disagree() -> None:
    """Fig. 6."""
    loss = DESCENT + 0.4 * np.clip(U - 0.3, 0, 1) + noise()
    accuracy = 0.5 + 0.3 * U + noise(0.005, seed=1)
    assert the("loss-accuracy-disagree", curve(loss, accuracy=accuracy)).form == "loss-rises-metric-improves"


def test_an_error_rate_is_read_the_other_way_round() -> None:
    loss = DESCENT + 0.4 * np.clip(U - 0.3, 0, 1) + noise()
    error = 0.5 - 0.3 * U + noise(0.005, seed=1)
    assert "loss-accuracy-disagree" in kinds(curve(loss, accuracy=error, higher_is_better=False))
    agreeing = 0.3 * loss + noise(0.003, seed=2)
    assert "loss-accuracy-disagree" not in kinds(curve(loss, accuracy=agreeing, higher_is_better=False))


@pytest.mark.parametrize(
    ("loss", "form"),
    [
        (2.3 + noise(0.02), "noise"),
        (np.full(40, 2.3), "flat"),
        (np.array([2.0, 1.0, 0.5]), "too-few-points"),
        (np.array([]), "too-few-points"),
    ],
)
def test_a_curve_that_says_nothing_is_said_to(loss: np.ndarray, form: str) -> None:
    (clue,) = find_clues(curve(loss))
    assert (clue.kind, clue.form) == ("no-signal", form)


@pytest.mark.parametrize(
    "loss",
    [
        [2.70, 2.40, 2.13, 2.31, 2.55, 2.87, 2.88, 3.35],  # down and up: its order
        [2.509, 2.433, 2.433, 2.431, 2.446, 2.436, 2.452, 2.442, 2.433, 2.437, 2.455],  # all is learnt before the second: its start
    ],
)
def test_a_short_curve_that_goes_somewhere_is_not_said_to_be_noise(loss: list[float]) -> None:
    """Its steepness counts as noise where there are so few values; their order and their start do not need to know how much."""
    assert "no-signal" not in kinds(curve(np.array(loss)))


def test_noise_is_said_to_be_noise_at_any_length() -> None:
    """Long curves have more places to choose two from, Student t3 more that stand out."""
    said = [
        "no-signal" in kinds(curve(2.3 + 0.02 * np.random.default_rng(seed).standard_t(3, size=count)))
        for count in (8, 12, 40, 300)
        for seed in range(25)
    ]
    assert np.mean(said) >= 0.95


def test_to_rise_above_the_start_is_a_signal() -> None:
    found = kinds(curve(np.array([1.43, 1.02, 0.94, 1.22, 1.49, 1.89, 1.91, 2.08, 2.29, 2.41, 2.6])))
    assert "divergence" in found
    assert "no-signal" not in found


def test_all_nan_has_no_signal() -> None:
    assert "no-signal" in kinds(curve(np.full(20, np.nan)))


def test_a_missing_lr_is_passed_over() -> None:
    of = Curve(np.arange(40) * 1.0, np.where(np.arange(40) == 39, np.nan, 0.1), DESCENT + noise())
    assert the("plateau", of).to_lr == 0.1


def test_clues_do_not_depend_on_the_unit_of_the_loss() -> None:
    loss = DESCENT + 0.3 * np.clip(U - 0.4, 0, 1) + noise()
    scaled = [(c.kind, c.form, c.from_step, c.to_step) for c in find_clues(curve(loss * 1000))]
    assert scaled == [(c.kind, c.form, c.from_step, c.to_step) for c in find_clues(curve(loss))]


def test_evaluations_out_of_order_are_put_in_order() -> None:
    of = curve(DESCENT + noise())
    shuffled = np.random.default_rng(0).permutation(40)
    assert find_clues(Curve(of.step[shuffled], of.lr[shuffled], of.val_loss[shuffled])) == find_clues(of)


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="val_loss must be one value for each of its 3 steps"):
        Curve(np.arange(3.0), np.ones(3), np.ones(2))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(), st.floats(), st.floats(0, 1), st.floats()), max_size=30),
    st.booleans(),
)
def test_any_curve_can_be_read(rows: list[tuple[float, float, float, float]], diverged: bool) -> None:
    array = np.array(rows, dtype=np.float64).reshape(-1, 4)
    of = Curve(np.arange(float(len(rows))), array[:, 0], array[:, 1], array[:, 2], array[:, 3], diverged=diverged)
    assert all(isinstance(clue, Clue) for clue in find_clues(of))


@pytest.mark.parametrize("array", ["step", "lr", "val_loss", "accuracy", "train_loss"])
def test_values_near_the_largest_float_overflow_nowhere(array: str) -> None:
    huge = np.array([-4.6e304, 1.7e308] * 10)
    given = {name: np.linspace(2.0, 1.0, 20) for name in ("step", "lr", "val_loss", "accuracy", "train_loss")} | {array: huge}
    assert all(isinstance(clue, Clue) for clue in find_clues(Curve(**given)))  # type: ignore[arg-type]


def test_a_far_step_among_equal_ones_overflows_nowhere() -> None:
    find_clues(Curve(np.array([0.0, 1.0, *np.zeros(6)]), np.zeros(8), np.array([1.0, *np.zeros(7)])))  # a warning is an error here


def test_a_fall_without_any_noise_has_a_finite_strength() -> None:
    loss = np.array([*np.zeros(7), -4.0])
    assert all(np.isfinite(clue.strength) for clue in find_clues(Curve(np.zeros(8), np.zeros(8), loss)))


def test_analysis_imports_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, hpcheck.analysis.choose, hpcheck.analysis.lr_range, hpcheck.analysis.optimum;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("kind", "form", "remedy"),
    [
        ("underfitting", "still-falling", "a larger learning rate"),
        ("overfitting", "gradual-rise", "more weight decay"),
        ("overfitting", "early-rise", "a larger weight decay"),
        ("overfitting", "small-lr-bump", "raise the smallest learning rate"),
        ("divergence", "sharp-rise", "a smaller maximum learning rate or momentum, or a slower rise"),
        ("plateau", "flat", "which is the goal"),
    ],
)
def test_each_clue_advises_what_the_paper_does(kind: str, form: str, remedy: str) -> None:
    assert remedy in ADVICE[kind, form][1]


def test_a_gap_under_a_loss_that_still_falls_is_not_overfitting() -> None:
    falling = 2.3 - 1.2 * U
    assert "overfitting" not in kinds(curve(falling + noise(), train_loss=falling * (1 - 0.9 * U)))


def test_training_begins_well_where_the_loss_falls_and_shows_no_overfitting() -> None:
    assert begins_well(curve(DESCENT + noise()))
    assert not begins_well(curve(DESCENT + 0.3 * np.clip(U - 0.4, 0, 1) + noise()))
    assert not begins_well(curve(2.3 + noise(0.02)))


def test_a_plateau_begins_where_the_loss_has_come_to_its_last_level() -> None:
    clue = the("plateau", curve(DESCENT + noise()))
    assert DESCENT[int(clue.from_step / 50) - 1] == pytest.approx(0.82, abs=0.02)
    assert clue.to_step == 2000


def test_a_gap_of_a_twentieth_of_the_loss_is_not_overfitting() -> None:
    assert kinds(curve(DESCENT + noise(0.001), train_loss=DESCENT - 0.08 * U)) == {"plateau"}
    assert "overfitting" in kinds(curve(DESCENT + noise(0.001), train_loss=DESCENT - 0.4 * U))


def test_a_bump_late_in_the_run_is_no_early_rise() -> None:
    bump = DESCENT - 0.3 * U + 0.35 * np.exp(-0.5 * ((U - 0.82) / 0.05) ** 2) + noise()
    assert "overfitting" not in kinds(curve(bump))


def test_loss_down_and_accuracy_down_disagree_too() -> None:
    accuracy = 0.5 + 0.3 * np.minimum(U, 0.3) - 0.3 * np.clip(U - 0.3, 0, 1) + noise(0.005, seed=1)
    clue = the("loss-accuracy-disagree", curve(2.3 - 1.2 * U + noise(), accuracy=accuracy))
    assert clue.form == "loss-falls-metric-worsens"
    assert clue.from_step == pytest.approx(600, abs=100)


def test_a_long_gradual_rise_to_above_the_start_is_overfitting() -> None:
    """Fig. 7a; without a training loss or a metric the time that it takes is all there is to go by."""
    clues = kinds(curve(DESCENT + 2.5 * np.clip(U - 0.1, 0, 1) + noise()))
    assert "overfitting" in clues
    assert "divergence" not in clues


def test_every_clue_has_a_few_words_for_a_picture() -> None:
    from hpcheck.analysis.clue import ADVICE, MEANING

    assert MEANING.keys() == ADVICE.keys()
    assert all(len(words) <= 32 for words in MEANING.values())
