"""Smoothing and noise on small hand-written curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.analysis.smooth import smooth

STEPS = np.arange(40) * 10.0


def noise(sd: float, count: int = 40, seed: int = 0) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(count)


def test_a_straight_line_is_its_own_trend() -> None:
    line = 3.0 - 0.01 * STEPS
    np.testing.assert_allclose(smooth(STEPS, line).fit, line, atol=1e-9)


def test_noise_is_the_deviation_of_one_raw_value() -> None:
    levels = [smooth(STEPS, 2.0 + noise(0.1, seed=seed)).noise for seed in range(40)]
    assert np.mean(levels) == pytest.approx(0.1, rel=0.15)


def test_noise_does_not_see_a_steep_trend() -> None:
    steep = 5 * np.exp(-STEPS / 80)
    assert smooth(STEPS, steep + noise(0.02)).noise < 0.05


def test_one_wild_value_moves_neither_trend_nor_noise() -> None:
    values = 1.0 + noise(0.01)
    spiked = values.copy()
    spiked[20] = 640.0
    calm, wild = smooth(STEPS, values), smooth(STEPS, spiked)
    assert wild.fit[20] == pytest.approx(1.0, abs=0.03)
    assert wild.noise == pytest.approx(calm.noise, rel=0.3)


def test_a_steep_start_keeps_its_first_value() -> None:
    values = np.array([2.3, 1.2, 0.9, 0.82, 0.8, 0.8, 0.79, 0.8, 0.8, 0.79, 0.8, 0.8])
    assert smooth(np.arange(12.0), values).fit[0] > 1.9


def test_nan_and_inf_are_left_out_and_nan_in_the_fit() -> None:
    values = 1.0 + noise(0.01)
    values[3], values[7] = np.nan, np.inf
    fit = smooth(STEPS, values).fit
    assert np.flatnonzero(np.isnan(fit)).tolist() == [3, 7]


def test_four_points_have_no_noise() -> None:
    smoothed = smooth(np.arange(4.0), np.array([4.0, 3.0, 2.5, 2.0]))
    assert smoothed.fit.tolist() == [4.0, 3.0, 2.5, 2.0]
    assert np.isnan(smoothed.noise)


def test_no_points_give_an_empty_fit() -> None:
    assert smooth(np.array([]), np.array([])).fit.tolist() == []


def test_a_constant_curve_has_no_noise() -> None:
    smoothed = smooth(STEPS, np.full(40, 2.3))
    assert smoothed.noise == 0.0
    assert smoothed.fit.tolist() == [2.3] * 40


def test_unequal_spacing_reads_the_same_line() -> None:
    at = np.array([0, 1, 2, 10, 11, 50, 51, 52, 90, 100.0])
    np.testing.assert_allclose(smooth(at, 2 - 0.01 * at).fit, 2 - 0.01 * at, atol=1e-9)


def test_a_long_curve_is_read_through_its_blocks() -> None:
    at = np.arange(20_000.0)
    smoothed = smooth(at, 1 + np.exp(-at / 2000) + noise(0.05, 20_000))
    assert smoothed.fit[-1] == pytest.approx(1.0, abs=0.01)
    assert smoothed.noise == pytest.approx(0.05, rel=0.1)


def test_noise_that_grows_is_seen_where_it_is() -> None:
    values = 1 + np.concatenate([noise(0.01, 30), noise(0.2, 30, seed=1)])
    smoothed = smooth(np.arange(60.0), values)
    assert smoothed.local_noise[5] < 0.04 < smoothed.local_noise[50]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40))
def test_any_values_give_a_fit_of_their_length(values: list[float]) -> None:
    assert len(smooth(np.arange(float(len(values))), np.array(values, dtype=np.float64)).fit) == len(values)


def test_the_trend_behind_a_cliff_stays_with_the_values() -> None:
    raw = np.array([2.304, 0.253, 0.157, 0.160, 0.155, 0.154, 0.156, 0.153, 0.154, 0.152, 0.153, 0.151])
    fit = smooth(np.arange(12.0), raw).fit
    assert fit.min() > 0.14
    assert fit[2] < 0.3


def test_the_quiet_tail_of_a_loss_that_is_noisy_while_large_is_followed() -> None:
    """DenseNet on CIFAR-10: 12 and jumping at large lr, 0.37 and still in the tail; one noise level for all of it read 0.20 there."""
    raw = np.array([12.4, 10.6, 19.1, 7.6, 4.4, 5.0, 12.8, 7.4, 11.1, 9.7, 6.2, 2.7, 2.9, 2.4, 1.06, 0.77, 0.77, 0.52, 0.43, 0.44, 0.4])
    raw = np.append(raw, [0.366, 0.363, 0.384])
    found = smooth(np.arange(24.0), raw)
    assert found.fit[-1] == pytest.approx(0.37, abs=0.05)
    assert found.local_noise[-1] < 0.1
    assert found.local_noise[3] > 1.0


def test_constant_noise_stays_one_level_however_far_the_loss_falls() -> None:
    u = np.linspace(0, 1, 60)
    found = smooth(u, 0.2 + 4 * np.exp(-u / 0.15) + 0.05 * np.random.default_rng(3).standard_normal(60))
    assert np.all(found.local_noise > 0.02)


def test_the_local_noise_of_a_long_curve_is_that_of_a_raw_value_too() -> None:
    at = np.arange(20_000.0)
    smoothed = smooth(at, 1 + np.exp(-at / 2000) + noise(0.05, 20_000))
    assert np.median(smoothed.local_noise) == pytest.approx(0.05, rel=0.2)
