"""A curve's trend is computed once a command, and one command's memory is no other's."""

import numpy as np

from hpcheck.analysis.curve import Curve
from hpcheck.analysis.divergence import find_divergence
from hpcheck.analysis.memory import Memory
from hpcheck.analysis.smooth import smooth

X, Y = np.arange(20.0), np.exp(-np.arange(20.0) / 5)


def test_the_same_values_are_smoothed_once_within_a_command() -> None:
    with Memory():
        first = smooth(X, Y)
        assert smooth(X.copy(), Y.copy()) is first
        assert smooth(X, Y + 1) is not first
    with Memory():
        assert smooth(X, Y) is not first


def test_nothing_is_kept_outside_a_command() -> None:
    with Memory() as memory:
        smooth(X, Y)
        held = len(memory)
    assert smooth(X, Y) is not smooth(X, Y)
    assert len(memory) == held


def test_a_command_within_a_command_uses_the_same_memory() -> None:
    with Memory() as outer, Memory() as inner:
        assert inner is outer
    with Memory() as later:
        assert later is not outer


def test_curves_that_differ_in_a_flag_alone_are_read_apart() -> None:
    with Memory():
        assert find_divergence(Curve(X, X, Y)) is None
        assert find_divergence(Curve(X, X, Y, diverged=True)) is not None
