"""What the search may cost before full trainings: momentum's look is left out first, then batch's, and it is said."""

import pytest

from hpcheck.checklist.costs import among_ten_classes, costs, easy, hard
from hpcheck.runs.records import RunRecord
from hpcheck.steps import batch, build_runs, momentum
from hpcheck.steps.order import STEPS, Replays
from hpcheck.steps.reading import FoundLr, Settings
from hpcheck.steps.share_of_search import LOOKS, expected, left_out, share
from hpcheck.steps.step import Missing
from tests.support.simulated import World, asked, read

ON = "confirm.trainings=8"
KNOWN = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0, FoundLr(0.3))


def timing(world: World) -> RunRecord:
    spec = batch.measurement(asked(ON), KNOWN)
    world.execute(spec)
    found = world.find(spec)
    assert found is not None
    return found


def test_the_share_is_two_trainings_and_four_where_one_is_short() -> None:
    assert share(asked(ON)) == 4 * 781 * 128
    assert share(asked(ON, "budget.epochs=100")) == 2 * 7812 * 128


def test_a_look_is_made_where_there_is_room_and_left_out_where_there_is_none() -> None:
    question = asked(ON)
    wanted = expected(question, "momentum", KNOWN, None)
    assert left_out(question, "momentum", KNOWN, share(question) - wanted, None) is None
    why = left_out(question, "momentum", KNOWN, share(question) - wanted + 1, None)
    assert why is not None
    assert why.startswith("left out, so yours stays. The search may cost 3,124 iterations of 128")
    assert why.endswith("To run it anyway: hpcheck momentum")


def test_what_batch_sizes_would_cost_is_known_once_their_steps_are_timed() -> None:
    question, world = asked(ON), World()
    wanted = expected(question, "batch", KNOWN, timing(world))
    looked = read(world, batch.decide, question, KNOWN)
    assert looked.examples <= wanted


@pytest.mark.parametrize("proportional", [False, True])
def test_before_steps_are_timed_the_least_that_batch_sizes_may_cost_decides(proportional: bool) -> None:
    question = asked(ON)
    world = World(seconds_a_step=0.0) if proportional else World(seconds_an_example=0.0)
    least, wanted = expected(question, "batch", KNOWN, None), expected(question, "batch", KNOWN, timing(world))
    assert 0 < least <= wanted
    assert left_out(question, "batch", KNOWN, share(question) - least, None) is None
    why = left_out(question, "batch", KNOWN, share(question) - least + 1, None)
    assert why is not None
    assert "this step would cost at least " in why


def test_nothing_is_left_out_where_nothing_is_confirmed_and_nothing_of_other_steps() -> None:
    assert left_out(asked(), "momentum", KNOWN, 1e12, None) is None
    assert left_out(asked(ON), "lr-range", KNOWN, 1e12, None) is None


def test_a_look_that_is_left_out_is_a_reading_that_says_so() -> None:
    question, world = asked(ON, "budget.epochs=3", "lr_range.steps=400"), World()
    replays = Replays(question, world.find)
    for _ in range(20):
        outcome = replays.outcome(STEPS["lr-range"], replays.settings_before("lr-range"))
        if not isinstance(outcome, Missing):
            break
        for spec in outcome.specs:
            world.execute(spec)
    world.execute(batch.measurement(question, replays.settings_before("batch")))
    found = replays.left_out("momentum"), replays.left_out("batch")
    assert [one.step for one in found if one is not None] == ["momentum", "batch"]
    after = replays.settings_before("confirm")
    assert (after.total_batch_size, after.max_momentum) == (128, 0.95)
    assert not read(world, momentum.decide, question, after).undone  # as a command it looks all the same


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_that_was_begun_goes_no_further_than_the_share(look: str) -> None:
    """Each round is asked for by what its runs really cost; what the look has cost already counts."""
    question, runs = asked(ON), (build_runs.cycle(asked(ON), KNOWN, 500, "one more"),)
    measured = timing(World()) if look == "batch" else None
    begun = Missing(runs, 1, done=2, examples=100_000)
    room = share(question) - 100_000 - 500 * 128
    assert left_out(question, look, KNOWN, room, measured, begun) is None
    why = left_out(question, look, KNOWN, room + 1, measured, begun)
    assert why is not None
    assert "It has cost 2,624, and this step would cost 500 more." in why


def test_looks_and_lr_cost_no_more_than_the_share_in_any_simulated_search() -> None:
    """The lr alone may cost more."""
    question = among_ten_classes(asked(ON, "budget.epochs=40"))
    found = [costs(question, world) for world in (*easy(question), *hard(question))]
    search = [sum(one[step].examples for step in ("lr-range", *LOOKS)) for one in found]
    assert all(cost <= max(share(question), one["lr-range"].examples) for cost, one in zip(search, found, strict=True))
    assert any(one["momentum"].examples for one in found)
