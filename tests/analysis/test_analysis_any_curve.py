"""Whatever a run measured, every reading answers or abstains; it never fails and never gives a number that is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.analysis.choose import Candidate, Rule, choose, needs_replicates, plateaued
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.lr_range import read_range, read_sweep

VALUE = st.one_of(st.floats(0, 10), st.floats(), st.just(2.303))


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    rows = draw(st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=25))
    array = np.array(rows, dtype=np.float64).reshape(-1, 3)
    lr = np.linspace(0.01, 1.0, len(rows)) if draw(st.booleans()) else np.full(len(rows), 0.1)
    return Curve(np.arange(float(len(rows))), lr, array[:, 0], array[:, 1], array[:, 2], diverged=draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(curves())
def test_any_range_test_gives_an_lr_of_the_range_or_abstains(curve: Curve) -> None:
    for choice in (read_range(curve).lr_limit, read_range(curve).stable_lr):
        assert (choice.value is None) == (choice.status == "abstained")
        assert choice.value is None or curve.lr.min() <= choice.value <= curve.lr.max()
        assert choice.reason
    read_sweep(curve)
    assert plateaued(curve) in (True, False)


@settings(max_examples=40, deadline=None)
@given(st.lists(curves(), max_size=4), st.sampled_from(["end", "span", "own-best"]), st.sampled_from(["loss", "accuracy", "auto"]))
def test_any_candidates_give_one_of_their_values_or_an_abstention(runs: list[Curve], at: str, judge: str) -> None:
    candidates = [Candidate(float(number + 1), (run,)) for number, run in enumerate(runs)]
    choice = choose(candidates, Rule(at=at, judge=judge))  # type: ignore[arg-type]
    assert choice.value is None or choice.value in [one.value for one in candidates]
    assert (choice.value is None) == (choice.status == "abstained")
    assert set(needs_replicates(candidates, Rule(at=at, judge=judge))) <= {one.value for one in candidates}  # type: ignore[arg-type]


@pytest.mark.parametrize("at", ["end", "span", "own-best"])
def test_a_candidate_without_runs_loses(at: str) -> None:
    u = np.linspace(0.05, 1, 20)
    run = Curve(100 * u, u, 2.3 * np.exp(-3 * u))
    assert choose([Candidate(1.0, ()), Candidate(2.0, (run,))], Rule(at=at)).value == 2.0  # type: ignore[arg-type]
