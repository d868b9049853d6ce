"""What a step names as certain is asked for in the end, whatever the answers are; and when runs end decides nothing."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hpcheck.analysis.memory import Memory
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, Spec
from hpcheck.steps import confirm, lr_in_full
from hpcheck.steps.confirm_again import again
from hpcheck.steps.reading import FoundLr, Reading, Settings
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, Decide, Facts, Missing, Round, Steps, replay
from tests.support.full_trainings import FOUND, ON, Seeded
from tests.support.simulated import World, asked

OPEN = replace(FOUND, found=FoundLr(0.3, open_above=True))
WORLDS = {
    "the middle is best": World(best_weight_decay=1e-3),
    "the start is best": Seeded(best_weight_decay=1e-4),
    "the lower edge wins": Seeded(best_weight_decay=1e-6),
    "the upper edge wins": World(best_weight_decay=0.1),
    "everything diverges": World(fastest=0.01),
    "nothing can be told apart": Seeded(worse_by_decade=0.0),
}
OVERRIDES = {
    "as it comes": (),
    "with challengers, the first of twice the lr": ("budget.hold=epochs",),
    "for sure": ("confirm.sure=true",),
    "twelve": ("confirm.trainings=12",),
    "four": ("confirm.trainings=4",),
    "own lr": ("start.max_lr=0.1",),
    "own lr that diverges": ("start.max_lr=5",),
}


def finished_one_by_one(
    world: World, decide: Decide, question: Asked, settings: Settings, seed: int
) -> tuple[Reading, set[Spec], set[Spec]]:
    """Drive a step by runs that end in any order, early ones among them: its reading, the runs made, and all that was named as sure."""
    order, sure = random.Random(seed), set[Spec]()
    while isinstance(outcome := replay(decide, question, settings, world.find), Missing):
        sure |= set(outcome.sure)
        world.execute(order.choice([*outcome.specs, *outcome.sure]))
    return outcome, set(world._by_spec), sure


def fresh(world: World) -> World:
    return replace(world)


@pytest.mark.parametrize("overrides", OVERRIDES.values(), ids=OVERRIDES)
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_confirm_makes_what_it_named_as_certain_and_reads_the_same_in_any_order(world: World, overrides: tuple[str, ...]) -> None:
    question = asked(ON, *overrides)
    settings = OPEN if question.config.budget.hold == "epochs" else FOUND
    with Memory():
        plain = replay(confirm.decide, question, settings, fresh(world).answer)
        reading, made, sure = finished_one_by_one(fresh(world), confirm.decide, question, settings, len(overrides))
    assert isinstance(plain, Reading)
    assert repr(reading) == repr(plain)  # as text: a NaN of a training that diverged is not equal to itself
    assert made >= sure
    assert len(made) == len(plain.runs)


def decays_and_seeds(named: Sequence[Spec]) -> list[tuple[float, int]]:
    return [(spec.weight_decay, spec.seed) for spec in named if isinstance(spec, RunSpec)]


def test_the_starts_fresh_seed_is_certain_once_a_training_has_learnt_something() -> None:
    world, question = World(best_weight_decay=1e-3), asked(ON)
    first = replay(confirm.decide, question, FOUND, world.find)
    assert isinstance(first, Missing)
    assert (len(first.specs), first.sure) == (3, ())
    world.execute(first.specs[1])
    then = replay(confirm.decide, question, FOUND, world.find)
    assert isinstance(then, Missing)
    assert len(then.specs) == 2
    assert decays_and_seeds(then.sure) == [(1e-4, 1)]
    world.execute(then.sure[0])
    after = replay(confirm.decide, question, FOUND, world.find)
    assert isinstance(after, Missing)
    assert (after.specs, after.sure) == (then.specs, ())  # it is there


def test_nothing_is_certain_while_no_training_has_learnt_more_than_a_constant_prediction() -> None:
    question = asked(ON)
    question = replace(question, facts=replace(question.facts, constant_loss=0.01))
    reading, made, sure = finished_one_by_one(Seeded(), confirm.decide, question, FOUND, 0)
    assert reading.abstained
    assert (len(made), sure) == (3, set())


def test_sure_names_both_fresh_seeds_of_the_start_and_asks_for_all_others_in_one_round() -> None:
    world, question = Seeded(best_weight_decay=1e-3), asked(ON, "confirm.sure=true")
    rounds: list[int] = []
    while isinstance(outcome := replay(confirm.decide, question, FOUND, world.find), Missing):
        rounds.append(len(outcome.specs))
        if len(rounds) > 1:
            assert decays_and_seeds(outcome.sure) in ([(1e-4, 1), (1e-4, 2)], [])
        for spec in outcome.specs:
            world.execute(spec)
    assert len(rounds) == 4  # the first ones, half and twice the lr, a neighbour, and then everything that is left
    assert rounds[3] > 8


RUN = RunSpec(DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd"), 32, 20, constant(0.1), constant(0.9), 0.0, (10, 20))
SHORT = Asked(asked(ON).config, Facts(5_000, 500))


@pytest.mark.parametrize("fastest", [0.05, 4.0, 100.0])
@pytest.mark.parametrize("lr", [0.003, 0.1, 2.0])
def test_maxima_about_the_users_own_lr_need_no_sweep(lr: float, fastest: float) -> None:
    question = replace(SHORT, config=asked(ON, f"start.max_lr={lr}").config)
    settings = start_settings(question.config)
    outcome = replay(lr_in_full.decide, question, settings, World(fastest=fastest).find)
    assert isinstance(outcome, Missing)
    assert [spec.label for spec in outcome.specs][:1] == ["lr sweep"]
    assert len(outcome.specs) == 4
    plain = replay(lr_in_full.decide, question, settings, World(fastest=fastest).answer)
    assert isinstance(plain, Reading)
    for seed in range(2):
        reading, made, _ = finished_one_by_one(World(fastest=fastest), lr_in_full.decide, question, settings, seed)
        assert repr(reading) == repr(plain)
        assert len(made) == len(plain.runs)


def test_without_an_own_lr_the_maxima_wait_for_the_sweep() -> None:
    outcome = replay(lr_in_full.decide, SHORT, start_settings(SHORT.config), World().find)
    assert isinstance(outcome, Missing)
    assert (len(outcome.specs), outcome.sure) == (1, ())


def test_a_second_look_has_no_fresh_seeds_and_names_none() -> None:
    before = {"settings": {"total_batch_size": 128, "weight_decay": 1e-3}}
    _, _, sure = finished_one_by_one(Seeded(), again(before), asked(ON), FOUND, 0)
    assert sure == set()


def test_a_round_is_told_the_records_that_are_there() -> None:
    told: list[list[int]] = []
    runs = [replace(RUN, seed=seed) for seed in range(3)]

    def step(asked: Asked, settings: Settings) -> Steps:
        def sure(found: Sequence[RunRecord]) -> list[Spec]:
            told.append([record.run.seed for record in found])
            return [runs[2]] if found else []

        yield Round(runs[:2], sure)
        yield [runs[2]]
        return Reading("test", settings, ())

    world, question = World(), asked(ON)
    assert getattr(replay(step, question, FOUND, world.find), "sure", None) == ()
    world.execute(runs[1])
    outcome = replay(step, question, FOUND, world.find)
    assert isinstance(outcome, Missing)
    assert (outcome.specs, outcome.sure, told) == ((runs[0],), (runs[2],), [[], [1]])
