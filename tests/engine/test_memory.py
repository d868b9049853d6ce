"""The search for the batch sizes that fit in memory, on memories of known size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcheck.engine.memory import Fitting, fits_free, search


def test_all_sizes_fit_where_there_is_room() -> None:
    assert search([256, 64, 128], lambda size: True) == Fitting((64, 128, 256), ())


def test_nothing_is_tried_above_the_first_that_does_not_fit() -> None:
    tried: list[int] = []
    search([64, 128, 256, 512], lambda size: tried.append(size) is None and size < 100)
    assert tried == [64, 128, 96]


def test_a_machine_too_small_for_one_example_fits_nothing() -> None:
    assert search([4, 8], lambda size: False) == Fitting((), (1, 2, 4, 8))


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.integers(1, 6000))
def test_what_is_said_to_fit_does_and_some_size_always_is_found(sizes: list[int], room: int) -> None:
    found = search(sizes, lambda size: size <= room)
    assert found.fit
    assert max(found.fit) <= room
    assert all(size > room or size > min(found.too_large) for size in found.too_large)
    assert {*sizes} <= {*found.fit, *found.too_large}
    assert max(found.fit) >= min(room, max(sizes)) / 2 - 8 or max(found.fit) >= max(size for size in sizes if size <= room)


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1200, False)])
def test_memory_grows_in_proportion_to_the_examples(size: int, fits: bool) -> None:
    assert fits_free(size, [(8, 10_000), (32, 34_000)], 1_100_000) is fits


def test_memory_that_a_larger_batch_did_not_need_needs_no_more() -> None:
    assert fits_free(10**6, [(8, 5000), (32, 5000)], 1)
