"""Verdicts on logs that were once read wrongly, each with its right value, and that none of them depends on a unit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.lr_range import read_range, read_sweep
from hpcheck.curves import describe
from hpcheck.curves.compare import compare
from hpcheck.curves.files import load_all
from hpcheck.curves.judge import CurveReading, Found, read_all, read_one
from hpcheck.curves.load import Loaded
from hpcheck.steps.evidence import series

LOGS = Path(__file__).parent / "verdicts"


def read(*names: str) -> Found:
    return read_all(load_all([LOGS / f"{name}.csv" for name in names], {}))


def loaded(curve: Curve) -> Loaded:
    return Loaded(Path(curve.label or "a.csv"), "csv", curve, {"step": "step", "accuracy": "accuracy"}, len(curve))


def one(curve: Curve) -> CurveReading:
    return read_one(loaded(curve))


def said(reading: CurveReading) -> set[tuple[str, str]]:
    return {(clue.kind, clue.form) for clue in reading.clues}


def noise(sd: float, count: int, seed: int = 0) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(count)


def steps(drops: tuple[int, ...], count: int) -> np.ndarray:
    return 0.1 / 10.0 ** np.searchsorted(drops, np.arange(count), side="right")


def test_a_language_model_that_still_falls_is_no_plateau_however_far_it_fell_at_first() -> None:
    (reading,) = read("language-model").readings
    assert said(reading) == {("underfitting", "still-falling")}
    falling = replace(reading.curve, lr=np.linspace(6e-4, 6e-5, len(reading.curve)))
    assert said(one(falling)) == set()


def test_a_plateau_is_the_stretch_that_was_tested_for_it() -> None:
    loss = 0.8 + 1.5 * np.exp(-np.arange(60) / 5) + noise(0.01, 60)
    (clue,) = [clue for clue in find_clues(Curve(np.arange(1.0, 61), np.full(60, 0.1), loss)) if clue.kind == "plateau"]
    assert clue.from_step == pytest.approx(42, abs=1.5)


def test_percent_and_fractions_have_one_verdict() -> None:
    for unit in ("percent", "fraction"):
        found = read(f"a_{unit}", f"b_{unit}").comparison
        assert found is not None
        assert found.choice.value is not None
        assert found.members[found.choice.value] == (f"b_{unit}",)
        assert (found.choice.status, found.choice.confidence) == ("chosen", "low")


def test_a_rise_that_the_next_drop_of_the_lr_ends_is_overfitting_and_noise_at_the_large_lr_is_not() -> None:
    (reading,) = read("step-decay").readings
    (rise,) = [clue for clue in reading.clues if clue.kind == "overfitting"]
    assert (rise.from_step, rise.to_step, rise.from_lr) == (121.0, 200.0, 0.01)
    assert 4 < rise.strength < 8  # in the noise of its own stretch


def test_every_rise_of_a_curve_is_found() -> None:
    at = np.arange(120)
    humps = sum(0.3 * np.exp(-(((at - place) / 5) ** 2)) for place in (35, 70))
    found = find_clues(Curve(at + 1.0, np.full(120, 0.1), 2.0 - 0.01 * at + humps + noise(0.01, 120)))
    assert [clue.form for clue in found if clue.kind == "overfitting"] == ["early-rise", "early-rise"]


def test_nothing_is_said_of_underfitting_while_the_lr_comes_down() -> None:
    u = np.linspace(0.02, 1, 50)
    loss = 2.3 - 1.2 * u + noise(0.005, 50)
    for lr in (0.1 * (1 - 0.9 * u), 0.05 * (1 + np.cos(np.pi * u)), 0.1 * 0.3**u):
        assert "underfitting" not in {clue.kind for clue in find_clues(Curve(50 * u, lr, loss))}


def test_slight_overfitting_is_plain_where_two_seeds_are_given() -> None:
    at = np.arange(40)
    rise = 2.0 + 2.0 * np.exp(-at / 2) + 0.2 * np.clip((at - 12) / 28, 0, 1)
    seeds = [Curve(at + 1.0, np.full(40, 0.1), rise + noise(0.1, 40, seed), label=f"seed {seed}") for seed in (6, 7)]
    assert not any(clue.kind == "overfitting" for seed in seeds for clue in find_clues(seed))
    found = compare([loaded(seed) for seed in seeds])
    assert found.overfits == (("seed 6", "seed 7"),)
    assert any("overfit a little" in line for line in describe.comparison_lines(found))
    level = [replace(seed, val_loss=seed.val_loss - rise + rise.min()) for seed in seeds]
    assert compare([loaded(seed) for seed in level]).overfits == ()


def test_a_sweep_of_noise_does_not_diverge() -> None:
    (reading,) = read("noise-sweep").readings
    assert reading.sweep is not None
    assert (reading.sweep.diverges_at, bool(reading.abstained)) == (None, True)


@pytest.mark.parametrize("shape", ["gaussian", "student", "growing", "correlated"])
def test_noise_of_any_shape_does_not_diverge(shape: str) -> None:
    diverged = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = rng.standard_t(3, 80) if shape == "student" else rng.standard_normal(80)
        if shape == "growing":
            values *= np.linspace(0.3, 3, 80)
        if shape == "correlated":
            for at in range(1, 80):
                values[at] = 0.6 * values[at - 1] + 0.8 * values[at]
        sweep = Curve(np.arange(80.0), np.geomspace(1e-6, 1e-2, 80), 2.3 + 0.05 * values)
        diverged += read_sweep(sweep).diverges_at is not None
    assert diverged <= 1


def test_too_few_evaluations_before_a_range_test_diverges_still_give_its_limit() -> None:
    lr = np.linspace(0.06, 0.48, 8)
    reading = one(Curve(np.arange(8.0) * 50, lr, np.array([2.3, 1.4, 0.9, 0.7, 0.66, 60.0, 70.0, 80.0])))
    assert reading.range is not None
    limit = reading.range.lr_limit
    assert (limit.status, limit.confidence, reading.abstained) == ("chosen", "low", "")
    assert limit.value == pytest.approx(0.3)
    assert "diverges at 0.36" in limit.reason


def test_a_range_test_alone_is_never_sure_of_its_limit() -> None:
    u = np.linspace(0.025, 1, 40)
    ramp = Curve(np.arange(40.0) * 50, 0.1 * u, 0.8 + 1.5 * np.exp(-u / 0.08) + 8.0 * np.clip(u - 0.6, 0, 1) + noise(0.01, 40, 1))
    reading = one(ramp)
    assert reading.range is not None
    assert read_range(ramp).lr_limit.confidence != "none"
    assert reading.range.lr_limit.confidence == "medium"
    advice = " ".join(clue.advice for clue in reading.clues)
    assert "overfitting" in {clue.kind for clue in reading.clues}
    assert "larger learning rate" not in advice


def test_a_collapse_with_a_weak_recovery_is_not_read_through() -> None:
    u = np.linspace(0.025, 1, 40)
    loss = 0.5 + 1.8 * np.exp(-u / 0.1) + noise(0.02, 40)
    loss[20:] = 2.3 - 0.9 * np.clip((u[20:] - 0.5) / 0.5, 0, 1) + noise(0.3, 20, 1)
    limit = read_range(Curve(np.arange(40.0) * 50, u, loss)).lr_limit
    assert limit.value == pytest.approx(0.5, abs=0.06)


def test_a_metric_at_chance_has_learnt_nothing_and_a_constant_one_is_named() -> None:
    rng = np.random.default_rng(3)
    lr = np.linspace(0.01, 1, 40)
    rare = np.where(np.arange(40) < 3, [0.02] * 40, 0.98) + np.where(rng.random(40) < 0.2, 0.002, 0.0)
    reading = one(Curve(np.arange(40.0), lr, 2.3 + noise(0.02, 40), accuracy=rare))
    assert reading.range is not None
    assert reading.range.lr_limit.status == "abstained"
    fit = one(Curve(np.arange(40.0), np.full(40, 0.1), 0.1 + np.exp(-np.arange(40) / 4) + noise(0.002, 40), accuracy=np.full(40, 0.98)))
    assert any("0.98 again and again" in line for line in describe.conclusions(fit))
    learnt = replace(fit.curve, accuracy=np.linspace(0.5, 0.99, 40))
    assert not any("again and again" in line for line in describe.conclusions(one(learnt)))


def test_a_run_that_was_stopped_early_does_not_decide_the_rest() -> None:
    u = np.linspace(0.01, 1, 100)
    early, late = 0.6 + np.exp(-u / 0.02), 0.3 + np.exp(-u / 0.2)
    lr = 0.1 * (1 - u) + 1e-4
    runs = [
        Curve(100 * u, lr, loss + noise(0.005, 100, seed), label=name) for seed, (name, loss) in enumerate({"a": early, "b": late}.items())
    ]
    cut = Curve(100 * u[:25], lr[:25], 0.5 + np.exp(-u[:25] / 0.02) + noise(0.005, 25, 7), label="cut")
    found = compare([loaded(run) for run in (*runs, cut)])
    assert found.stopped == ("cut",)
    assert found.choice.value is not None
    assert found.members[found.choice.value] == ("b",)
    assert any(line.startswith("cut was stopped early") for line in describe.comparison_lines(found))


def test_a_drawn_trend_passes_through_its_few_dots() -> None:
    loss = np.array([2.31, 2.2, 1.58, 0.776, 0.669, 0.4, 0.528, 1.08, 2.12, 2.09, 2.67, 2.25, 2.4, 2.99])
    line = series(Curve(np.arange(14.0), np.linspace(0.01, 0.4, 14), loss), "lr")
    assert line.smooth == line.raw


def test_a_drawn_trend_does_not_pass_its_dots_by_on_one_side() -> None:
    """A range test whose end at 40 times the start drew the trend of its good part off all of its dots."""
    loss = np.array([2.3, 2.15, 1.02, 0.74, 1.04, 0.49, 1.65, 1.77, 5.9, 40.0, 33.0, 2.7, 2.4, 2.4, 2.36, *np.full(13, 2.35)])
    trend = np.array(series(Curve(np.arange(28.0), np.linspace(0.01, 1.2, 28), loss), "lr").smooth)
    off = np.sign(np.round(loss - trend, 3))[:7]
    assert not any(abs(off[at : at + 4].sum()) == 4 for at in range(4))


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    count = draw(st.integers(8, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    u = np.linspace(1 / count, 1, count)
    loss = 2.0 * (1 + u / draw(st.floats(0.005, 0.3))) ** -draw(st.floats(0.0, 3.0)) + draw(st.floats(0, 1)) * np.clip(u - 0.5, 0, 1)
    loss = loss + draw(st.floats(0.001, 0.2)) * rng.standard_normal(count)
    if draw(st.booleans()):
        loss[count - count // 5 :] += draw(st.floats(0, 20))
    drop = int(count * draw(st.floats(0.3, 0.9)))
    lr = draw(st.sampled_from([np.full(count, 0.1), 0.1 * u, 10.0 ** (-6 + 4 * u), 0.1 * (1 - 0.99 * u), steps((drop,), count)]))
    metric = np.round(np.clip(1 - loss / 3 + 0.01 * rng.standard_normal(count), 0, 1), 3)
    train = loss - draw(st.floats(0, 1)) * u
    return Curve(100 * u, lr, loss, metric, train)


def everything(curve: Curve) -> list[object]:
    reading = one(curve)
    clues = [(clue.kind, clue.form, clue.from_step, clue.to_step) for clue in reading.clues]
    sweep = reading.sweep and (reading.sweep.learns_from, reading.sweep.diverges_at)
    limits = reading.range and [(c.value, c.interval, c.confidence, c.status) for c in (reading.range.lr_limit, reading.range.stable_lr)]
    return [clues, sweep, limits, reading.abstained]


@settings(max_examples=60, deadline=None)
@given(curves(), st.sampled_from([100.0, 1000.0]), st.sampled_from([-3.0, 0.7, 50.0]))
def test_no_reading_depends_on_a_unit(curve: Curve, factor: float, shift: float) -> None:
    assert curve.train_loss is not None
    assert curve.accuracy is not None
    expected = everything(curve)
    assert everything(replace(curve, val_loss=factor * curve.val_loss, train_loss=factor * curve.train_loss)) == expected
    assert everything(replace(curve, val_loss=curve.val_loss + shift, train_loss=curve.train_loss + shift)) == expected
    assert everything(replace(curve, accuracy=factor * curve.accuracy)) == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(curves(), min_size=2, max_size=3), st.sampled_from([100.0, 1000.0]), st.sampled_from([-3.0, 0.7, 50.0]))
def test_no_comparison_depends_on_a_unit(runs: list[Curve], factor: float, shift: float) -> None:
    named = [replace(run, label=f"run {number}") for number, run in enumerate(runs)]

    def verdict(curves: list[Curve]) -> list[object]:
        found = compare([loaded(curve) for curve in curves])
        return [found.choice.value, found.choice.tied, found.choice.confidence, found.choice.judged_by, found.stopped, found.overfits]

    expected = verdict(named)
    assert (
        verdict([replace(run, val_loss=factor * run.val_loss, train_loss=factor * np.asarray(run.train_loss)) for run in named]) == expected
    )
    assert (
        verdict([replace(run, val_loss=run.val_loss + shift, train_loss=np.asarray(run.train_loss) + shift) for run in named]) == expected
    )
    assert verdict([replace(run, accuracy=factor * np.asarray(run.accuracy)) for run in named]) == expected


def test_a_metric_of_few_examples_that_returns_to_one_value_now_and_then_is_not_stuck() -> None:
    """126 examples: six of nineteen accuracies are 0.9127, and others lie above and below."""
    shares = [113, 111, 114, 117, 116, 116, 113, 115, 114, 115, 115, 115, 116, 113, 116, 111, 111, 117, 115]
    loss = np.array([0.46, 0.42, 0.34, 0.32, 0.29, 0.31, 0.23, 0.30, 0.36, 0.39, 0.39, 0.38, 0.39, 0.52, 0.33, 0.44, 0.61, 0.40, 0.69])
    curve = Curve(np.arange(19.0), np.full(19, np.nan), loss, accuracy=np.array(shares) / 126)
    assert not any("again and again" in line for line in describe.conclusions(one(curve)))


@pytest.mark.parametrize(
    "lr", [np.full(60, 0.1), np.geomspace(1e-4, 1.0, 60), np.linspace(0.01, 0.6, 60)], ids=["constant", "sweep", "ramp"]
)
def test_a_curve_that_diverges_gets_no_advice_of_a_larger_lr(lr: np.ndarray) -> None:
    """It falls, overfits little by little, and then breaks."""
    at = np.arange(60.0)
    loss = 0.5 + 1.8 * np.exp(-at / 4) + 0.012 * np.maximum(0, at - 15) + noise(0.005, 60)
    loss[54:] = np.linspace(2, 40, 6)
    reading = one(Curve(at, lr, loss))
    assert ("overfitting", "gradual-rise") in said(reading)
    assert "divergence" in {kind for kind, _ in said(reading)}
    assert not any("larger learning rate" in clue.advice for clue in reading.clues)


SHORT_NOISE = {
    "that follows itself": [
        *(1.8176, 1.8193, 1.8189, 1.8209, 1.8259, 1.8277, 1.8256, 1.8218, 1.8215, 1.8194, 1.8172, 1.8174, 1.8205, 1.8188, 1.8177, 1.8196),
        *(1.8193, 1.8167, 1.8137, 1.8144, 1.8121, 1.8144, 1.8155, 1.8181, 1.8188, 1.8199, 1.8192, 1.8183, 1.8161, 1.8153, 1.8195, 1.8171),
    ],
    "that grows": [
        *(1.4139, 1.4142, 1.4143, 1.4154, 1.4141, 1.4139, 1.4145, 1.4141, 1.4136, 1.4141, 1.4161, 1.4137, 1.4112, 1.4099, 1.4152, 1.4185),
        *(1.406, 1.4167, 1.4159, 1.413, 1.4123, 1.4133, 1.4157, 1.4166, 1.414, 1.4125, 1.4174, 1.4159, 1.418),
    ],
    "that is skewed": [
        *(2.6477, 2.6108, 2.5868, 2.576, 2.5851, 2.5784, 2.5767, 2.6478, 2.587, 2.5833, 2.5731, 2.5822, 2.5793, 2.5742, 2.5969, 2.6092),
        *(2.592, 2.5729, 2.5749, 2.6268, 2.5963, 2.6268),
    ],
}


@pytest.mark.parametrize("name", SHORT_NOISE)
def test_a_short_sweep_of_noise_does_not_diverge(name: str) -> None:
    loss = np.array(SHORT_NOISE[name])
    assert read_sweep(Curve(np.arange(float(len(loss))), np.geomspace(1e-6, 1e-3, len(loss)), loss)).diverges_at is None


def test_an_ending_that_falls_by_three_and_a_half_errors_after_a_long_level_is_flat() -> None:
    """One threshold says what falls and what does not: four errors."""
    loss = np.array([2.292, 1.291, 0.838, 0.656, 0.575, 0.543, 0.502, 0.509, 0.514, 0.492, 0.512, 0.508, 0.509, 0.501, 0.494, 0.478])
    assert said(one(Curve(np.arange(16.0), np.full(16, 0.1), loss))) == {("plateau", "flat")}
