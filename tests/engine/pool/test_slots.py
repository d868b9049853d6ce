"""Runs spread over the devices of one machine."""

import pytest

from hpcheck.engine.pool.slots import Slots


def test_members_of_a_grid_are_spread_evenly() -> None:
    slots = Slots({"cuda:0": None, "cuda:1": None, "cuda:2": None}, at_once=5)
    assert [slots.take("a") for _ in range(6)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1", None]
    slots.give_back("cuda:1", "a")
    assert slots.take("a") == "cuda:1"
    slots.give_back("cuda:2", "a")
    assert slots.take("a") == "cuda:2"  # the one with the fewest


def test_a_run_of_unknown_size_is_measured_by_itself_first() -> None:
    slots = Slots({"cuda:0": 80}, at_once=4)
    assert slots.take("large") == "cuda:0"
    assert slots.take("large") is None
    assert slots.take("small") is None
    slots.give_back("cuda:0", "large", peak=30)
    assert slots.take("large") == "cuda:0"
    assert slots.take("small") is None  # not seen yet
    assert slots.take("large") == "cuda:0"
    assert slots.take("large") is None  # 90 of 80 bytes
    slots.give_back("cuda:0", "large", peak=25)
    assert slots.take("large") == "cuda:0"
    assert slots.take("large") is None  # the most that was seen counts, not the last


def test_a_run_that_alone_is_too_large_is_tried_alone() -> None:
    slots = Slots({"cuda:0": 80}, at_once=2)
    slots.take("huge")
    slots.give_back("cuda:0", "huge", peak=100)
    assert slots.take("huge") == "cuda:0"
    assert slots.take("huge") is None


@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_no_more_than_asked_for_run_at_once(at_once: int) -> None:
    slots = Slots({"cpu": None}, at_once)
    assert [slots.take(0) for _ in range(8)] == ["cpu"] * at_once + [None] * (8 - at_once)
