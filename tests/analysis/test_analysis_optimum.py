"""Which weight decays to try next, and rounding."""

import math

import pytest

from hpcheck.analysis.choice import Choice
from hpcheck.analysis.optimum import bisect_exponent, extrapolate_exponent, next_weight_decays, two_significant_figures


def chosen(value: float, scores: tuple[tuple[float, float, float], ...] = (), status: str = "chosen") -> Choice:
    return Choice(value, (value, value), "high", status, "", scores=scores)  # type: ignore[arg-type]


def test_the_exponent_is_bisected_not_the_value() -> None:
    assert bisect_exponent(1e-4, 1e-3) == pytest.approx(3.162e-4, rel=1e-3)


def test_zero_has_no_exponent() -> None:
    with pytest.raises(ValueError, match="above 0 only"):
        bisect_exponent(0.0, 1e-3)


def test_a_grid_of_decades_is_extrapolated_by_a_decade() -> None:
    assert extrapolate_exponent([1e-4, 1e-3, 1e-2], "high") == 0.1
    assert extrapolate_exponent([0.0, 1e-5, 1e-4], "low") == 1e-6


def test_a_grid_of_half_decades_is_extrapolated_by_half_a_decade() -> None:
    assert extrapolate_exponent([3e-5, 1e-4, 3e-4], "high") == 9.5e-4
    assert extrapolate_exponent([3e-5, 1e-4, 3e-4], "low") == 9.5e-6


def test_figure_9_goes_from_half_decades_to_a_quarter_and_stops() -> None:
    """Smith 2018, 4.4: 1e-2, 3.2e-3, 1e-3; then 1.8e-3; then it is known."""
    scores = ((1e-3, 0.90, 0.01), (3.2e-3, 0.80, 0.01), (1e-2, 1.00, 0.01))
    assert next_weight_decays(chosen(3.2e-3, scores), (1e-2, 3.2e-3, 1e-3)) == (1.8e-3,)
    more = ((1e-3, 0.90, 0.01), (1.8e-3, 0.82, 0.01), (3.2e-3, 0.80, 0.01), (1e-2, 1.00, 0.01))
    assert next_weight_decays(chosen(3.2e-3, more), (1e-2, 3.2e-3, 1.8e-3, 1e-3)) == ()


def test_the_best_two_of_a_decade_grid_are_bisected() -> None:
    scores = ((1e-5, 0.90, 0.01), (1e-4, 0.80, 0.01), (1e-3, 0.85, 0.01))
    assert next_weight_decays(chosen(1e-4, scores), (1e-3, 1e-4, 1e-5)) == (3.2e-4,)


def test_the_best_at_the_edge_is_extrapolated() -> None:
    assert next_weight_decays(chosen(1e-2), (1e-2, 1e-3, 1e-4)) == (0.1,)


def test_steps_toward_zero_stop_at_a_millionth() -> None:
    assert next_weight_decays(chosen(1e-5), (1e-3, 1e-4, 1e-5)) == (1e-6,)
    assert next_weight_decays(chosen(1e-6), (1e-4, 1e-5, 1e-6)) == ()


def test_zero_as_the_best_asks_for_a_smaller_value_beside_it() -> None:
    assert next_weight_decays(chosen(0.0), (1e-3, 1e-4, 1e-5, 0.0)) == (1e-6,)
    assert next_weight_decays(chosen(0.0), (1e-5, 1e-6, 0.0)) == ()


def test_a_tie_or_an_abstention_asks_for_nothing() -> None:
    assert next_weight_decays(chosen(1e-4, status="tied"), (1e-3, 1e-4, 1e-5)) == ()
    abstained = Choice(None, None, "none", "abstained", "")
    assert next_weight_decays(abstained, (1e-3, 1e-4, 1e-5)) == ()


def test_significant_figures() -> None:
    assert two_significant_figures(0.0031623) == 0.0032
    assert two_significant_figures(0.0) == 0.0
    assert math.isnan(two_significant_figures(math.nan))
