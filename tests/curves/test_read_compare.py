"""Several curves: what varies, over what they are compared, which is best, and ties and abstentions said as such."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpcheck.analysis.curve import Curve
from hpcheck.curves import describe
from hpcheck.curves.compare import Comparison, common, compare, is_annealed, what_varies
from hpcheck.curves.load import Loaded
from tests.support.read_cases import falling, noise, ramp


def curve(
    losses: Sequence[float],
    label: str = "a",
    lr: float | Sequence[float] = 0.1,
    wd: float | None = None,
    momentum: float | None = None,
    **more: object,
) -> Curve:
    count = len(losses)
    rates = np.full(count, lr) if isinstance(lr, float) else np.array(lr)
    return Curve(
        np.arange(100.0, 100 * count + 1, 100),
        rates,
        np.array(losses),
        weight_decay=wd,
        momentum=None if momentum is None else np.full(count, momentum),
        label=label,
        **more,  # type: ignore[arg-type]
    )


def compared(*curves: Curve) -> Comparison:
    return compare([Loaded(Path(f"{one.label}.csv"), "csv", one, {"step": "iteration", "accuracy": "acc"}, len(one)) for one in curves])


def test_weight_decay_that_varies_is_what_is_chosen() -> None:
    found = compared(curve(falling(end=0.9), "a", wd=1e-2), curve(falling(end=0.5), "b", wd=1e-3), curve(falling(end=0.7), "c", wd=1e-4))
    assert (found.varied.name, found.choice.value, found.choice.status) == ("weight_decay", 1e-3, "chosen")
    assert found.members[1e-3] == ("b",)
    lines = describe.comparison_lines(found)
    assert lines[0] == "weight decay varies"
    assert any(line.startswith("best: weight decay 0.001 (b)") for line in lines)
    assert found.try_next


def test_metrics_in_percent_and_in_shares_of_1_are_not_compared() -> None:
    def annealed(label: str, end: float, scale: float) -> Curve:
        loss = falling(end=end)
        lr = np.linspace(0.1, 0.001, len(loss))
        return replace(curve(loss, label), lr=lr, accuracy=scale * (1 - np.array(loss) / 3))

    apart = compared(annealed("percent", 0.9, 100), annealed("shares", 0.5, 1))
    assert (apart.scales_differ, apart.choice.judged_by, apart.other) == (True, "loss", None)
    assert apart.members[apart.choice.value or 0] == ("shares",)
    assert "some metrics are in percent and others in shares of 1, so they are not compared" in describe.comparison_lines(apart)
    alike = compared(annealed("a", 0.9, 100), annealed("b", 0.5, 100))
    assert (alike.scales_differ, alike.choice.judged_by) == (False, "accuracy")


def test_runs_of_one_weight_decay_are_replicates() -> None:
    runs = [curve(falling(end=end, seed=seed), f"{end}-{seed}", wd=end / 100) for end in (0.5, 0.9) for seed in range(3)]
    found = compared(*runs)
    assert found.members[0.005] == ("0.5-0", "0.5-1", "0.5-2")
    assert found.choice.value == 0.005


def test_repeats_of_finished_trainings_make_an_answer_surer_and_those_of_unfinished_ones_do_not() -> None:
    """Less weight decay often leads until the lr comes down."""
    unfinished = [curve(falling(end=end, seed=seed), f"{end}-{seed}", wd=end / 100) for end in (0.5, 0.9) for seed in range(3)]
    cut = compared(*unfinished)
    assert (cut.unfinished, cut.choice.confidence) == (True, "low")
    assert describe.UNFINISHED in describe.comparison_lines(cut)
    lr = np.linspace(0.1, 0.001, len(unfinished[0]))
    whole = compared(*(replace(one, lr=lr) for one in unfinished))
    assert (whole.unfinished, whole.choice.confidence in ("medium", "high")) == (False, True)
    assert describe.UNFINISHED not in describe.comparison_lines(whole)


def test_curves_go_by_their_names_where_nothing_known_varies() -> None:
    found = compared(curve(falling(end=0.9), "worse"), curve(falling(end=0.5), "better"))
    assert (found.varied.name, found.varied.settings) == ("curve", ())
    assert any("best: better" in line for line in describe.comparison_lines(found))


def test_no_setting_is_credited_where_two_vary() -> None:
    found = compared(curve(falling(end=0.9), "a", 0.1, 1e-3), curve(falling(end=0.5), "b", 0.3, 1e-4))
    assert (found.varied.name, found.varied.settings) == ("curve", ("lr", "weight_decay"))
    assert describe.comparison_lines(found)[0].startswith("lr and weight decay vary, in a way that no one value stands for")


def test_momentum_that_falls_is_told_from_constant_momentum_by_its_lower_end() -> None:
    falls = Curve(np.arange(1.0, 41.0), np.full(40, 0.1), np.array(falling()), momentum=np.linspace(0.95, 0.85, 40))
    assert what_varies([falls, curve(falling(), momentum=0.95)]).value == (0.85, 0.95)


def test_equal_curves_are_a_tie_and_said_to_be() -> None:
    found = compared(curve(falling(seed=1), "a", wd=1e-3), curve(falling(seed=2), "b", wd=1e-4))
    assert found.choice.status == "tied"
    lines = describe.comparison_lines(found)
    assert any(line.startswith("a tie: weight decay 0.0001 (b), weight decay 0.001 (a) cannot be told apart") for line in lines)
    assert any("a second seed" in line for line in lines)


def test_curves_of_nothing_but_noise_are_an_abstention() -> None:
    found = compared(curve(noise(seed=1), "a"), curve(noise(seed=2), "b"))
    assert (found.choice.status, found.choice.value) == ("abstained", None)
    assert any(line.startswith("abstained: ") for line in describe.comparison_lines(found))


def test_a_curve_that_diverged_loses() -> None:
    diverged = [*falling(20), *([math.nan] * 20)]
    found = compared(curve(diverged, "a", 0.5), curve(falling(end=1.0), "b", 0.1))
    assert found.choice.value == 0.1
    assert [describe.verdict(found.choice, value, score) for value, score, _ in found.choice.scores] == ["best", "diverged"]


def test_a_curve_of_three_points_is_left_out() -> None:
    found = compared(curve(falling(end=0.9), "a"), curve(falling(end=0.5), "b"), curve([2.0, 1.5, 0.1], "short"))
    assert found.left_out == ("short",)
    assert any("best: b" in line for line in describe.comparison_lines(found))


def test_one_curve_that_is_left_cannot_be_compared() -> None:
    assert compared(curve(falling()), curve([2.0, 1.5, 0.1])).choice.status == "abstained"


def test_range_tests_are_compared_over_their_common_lr() -> None:
    found = compared(
        curve(falling(60, 0.9), "a", ramp(60, 0.01, 0.6), 1e-3),
        curve(falling(60, 0.5), "b", ramp(60, 0.02, 0.6), 1e-4),
    )
    assert (found.x, found.at, found.span) == ("lr", "span", (0.02, 0.6))


def test_curves_without_a_stretch_in_common_are_not_compared() -> None:
    later = Curve(np.arange(9000.0, 9040.0), np.full(40, 0.1), np.array(falling()), label="later")
    assert compared(curve(falling()), later).choice.reason == "the curves have no stretch in common"


def test_an_early_divergence_does_not_shorten_what_is_compared() -> None:
    short = curve([2.3, 2.0, 1.9, math.nan], "a")
    assert common([short, curve(falling())], by_steps=False) == ("step", (100.0, 4000.0))


def test_finished_trainings_are_judged_at_their_ends_by_the_metric() -> None:
    down = np.linspace(0.5, 0.001, 40).tolist()
    assert is_annealed(curve(falling(), lr=down))
    accuracy = 1 - np.array(falling(seed=3)) / 3
    found = compared(
        curve(falling(end=0.5), "a", down, 1e-3, accuracy=accuracy - 0.1), curve(falling(end=0.7), "b", down, 1e-4, accuracy=accuracy)
    )
    assert (found.at, found.choice.judged_by, found.choice.value) == ("end", "accuracy", 1e-4)
    assert found.disagree
    assert any("section 4.2, Fig. 6" in line for line in describe.comparison_lines(found))
    assert describe.metric_or_loss(found, -0.8) == 0.8


def test_weight_decays_that_had_no_time_to_act_are_said_to() -> None:
    found = compared(
        curve(falling(end=0.9), "a", 0.001, 1e-4, 0.9), curve(falling(end=0.5), "b", 0.001, 1e-5, 0.9)
    )  # 4000 steps * 0.001 / 0.1 * 9e-5 = 0.0036
    assert found.too_short
    assert found.try_next == ()
    assert any("too short to tell" in line for line in describe.comparison_lines(found))


def test_epochs_and_iterations_are_no_common_stretch() -> None:
    by_iteration, by_epoch = (
        Loaded(Path(f"{name}.csv"), "csv", curve([2.3 * 0.9**at for at in range(20)], name), {"step": name}, 20)
        for name in ("iteration", "epoch")
    )
    found = compare([by_epoch, by_iteration])
    assert found.choice.value is None
    assert "some files count epochs and others iterations" in found.choice.reason
    both = compare([by_epoch, by_epoch])
    assert any("in common: epoch 100 to 2000" in line for line in describe.comparison_lines(both))


def test_of_a_best_curve_that_never_leaves_its_noise_that_is_told() -> None:
    flat = curve([loss - 1.3 for loss in noise(20)], "flat")
    found = compared(flat, curve([2.3 * 0.97**at for at in range(20)], "falling"))
    assert found.unlearnt == ("flat",)
    assert any("the loss of flat never leaves its noise" in line for line in describe.comparison_lines(found))


def test_an_error_rate_is_shown_as_it_was_measured() -> None:
    down = np.linspace(0.5, 0.001, 40).tolist()
    error = np.array(falling(end=0.1, seed=3, noise=0.002))
    found = compared(
        *(curve(falling(), name, down, accuracy=error + more, higher_is_better=False) for name, more in (("a", 0.0), ("b", 0.2)))
    )
    assert (found.choice.judged_by, found.choice.value) == ("accuracy", 1.0)
    assert [describe.metric_or_loss(found, score) for _, score, _ in found.choice.scores] == pytest.approx([0.1, 0.3], abs=0.02)


def test_one_run_that_is_long_enough_is_enough_to_tell_weight_decays_apart() -> None:
    short, long = curve(falling(end=0.9), "a", 0.001, 1e-4, 0.9), curve(falling(end=0.5), "b", 0.1, 1e-3, 0.9)
    same = [Loaded(Path("a.csv"), "csv", one, {"step": "iteration"}, 40) for one in (short, replace(long, lr=np.full(40, 0.1)))]
    assert not compare(same).too_short


def test_finished_trainings_are_compared_at_their_ends_though_one_diverged_before_its_lr_came_down() -> None:
    down = np.linspace(0.5, 0.001, 40).tolist()
    broke = curve([*falling(10), math.nan], "broke", 0.5)
    accuracy = 1 - np.array(falling(seed=3)) / 3
    found = compared(broke, *(curve(falling(), name, down, accuracy=accuracy - less) for name, less in (("a", 0.0), ("b", 0.1))))
    assert found.finished
    assert describe.comparison_lines(found)[1] == "compared at their ends, since the lr of each has come down"
