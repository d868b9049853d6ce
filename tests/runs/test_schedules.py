"""Schedules: each policy at its boundary values, and what every piecewise-linear schedule has in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcheck.runs.schedules import Knots, constant, cut, cyclical_momentum, exp_range, inv, multistep, one_cycle, ramp, triangular, values


def test_one_cycle_is_the_authors_own_shape() -> None:
    # base 0.1, max 1.0, stepsize 2246, 4882 iterations: the wide ResNet's log has lr 0.180142 at 200 and 0.041 near 4400
    lr = values(one_cycle(1.0, 0.1, 2246, 4882), 4882)
    assert lr[0] == pytest.approx(0.1)
    assert lr[200] == pytest.approx(0.180142, abs=1e-5)
    assert lr[2246] == pytest.approx(1.0)
    assert lr[4400] == pytest.approx(0.041, abs=5e-4)
    assert lr[4492] == pytest.approx(1e-4)
    assert lr[-1] == pytest.approx(1e-4)


def test_one_cycle_passes_below_its_base_before_the_cycle_ends() -> None:
    lr = values(one_cycle(1.0, 0.1, 100, 220), 220)
    assert lr[195] < 0.1
    assert np.all(np.diff(lr[100:]) <= 1e-12)


def test_cyclical_momentum_mirrors_the_lr_and_halves_in_the_tail() -> None:
    momentum = values(cyclical_momentum(0.95, 0.85, 100, 260), 260)
    assert momentum[[0, 50, 100, 200]].tolist() == pytest.approx([0.95, 0.90, 0.85, 0.95])
    assert momentum[259] == pytest.approx(0.95 - 0.05 * 59 / 100)


def test_ramp_reaches_its_ends_exactly() -> None:
    assert values(ramp(0.0, 1.0, 5), 5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_logarithmic_ramp_multiplies_by_the_same_factor() -> None:
    assert values(ramp(1e-4, 1.0, 5, log=True), 5).tolist() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_triangular2_halves_each_cycle() -> None:
    lr = values(triangular(0.0, 1.0, 10, 41, decay=0.5), 41)
    assert lr[[10, 20, 30, 40]].tolist() == pytest.approx([1.0, 0.0, 0.5, 0.0])


def test_multistep_falls_at_its_milestones() -> None:
    lr = values(multistep(1.0, 0.5, (3, 5)), 7)
    assert lr.tolist() == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def test_inv_follows_caffes_formula() -> None:
    steps = np.arange(10_000)
    assert values(inv(0.01, 10_000), 10_000) == pytest.approx(0.01 * (1 + 1e-4 * steps) ** -0.75, rel=1e-4)


def test_constant_stays() -> None:
    assert set(values(constant(0.3), 4)) == {0.3}


def test_knots_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order of their steps"):
        Knots(((5, 1.0), (2, 1.0)))


@given(st.integers(1, 200), st.integers(0, 199), st.floats(1e-5, 10), st.integers(1, 120))
def test_cutting_a_schedule_continues_it(steps: int, first: int, highest: float, stepsize: int) -> None:
    first = min(first, steps - 1)
    knots = one_cycle(highest, highest / 10, stepsize, steps)
    assert values(cut(knots, first), steps - first) == pytest.approx(values(knots, steps)[first:], rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1e3)), min_size=1, max_size=8), st.integers(1, 600))
def test_values_stay_between_the_knots(points: list[tuple[int, float]], steps: int) -> None:
    knots = Knots(tuple(sorted(points, key=lambda point: point[0])))
    found = values(knots, steps)
    assert found.shape == (steps,)
    assert np.all(found >= knots.smallest - 1e-9)
    assert np.all(found <= knots.largest + 1e-9)


def test_exp_range_goes_on_in_a_cycle_that_the_training_cuts_short() -> None:
    lr = values(exp_range(0.0, 1.0, 10, 36, gamma=0.9), 36)
    assert lr[35] == pytest.approx(0.5 * 0.9**35, rel=0.01)
