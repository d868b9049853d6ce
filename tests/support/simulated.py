"""Steps driven to their reading on a simulated network, whose best settings are known: nothing is trained."""

from hpcheck.checklist.simulated import World
from hpcheck.config import parse
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked, Decide, Facts, replay


def asked(*overrides: str) -> Asked:
    """A small checklist: 10,000 examples, 10 epochs; nothing is trained in full before `train` unless `overrides` say so."""
    given = ("confirm.trainings=0", *overrides)
    return Asked(parse("data: digits\nmodel: mlp\nbudget: {epochs: 10}\n", "test", given), Facts(10_000, 1_000))


def read(world: World, decide: Decide, question: Asked, settings: Settings) -> Reading:
    """Drive a step to its reading, executing whatever it asks for."""
    for _ in range(60):
        outcome = replay(decide, question, settings, world.find)
        if isinstance(outcome, Reading):
            return outcome
        for spec in outcome.specs:
            world.execute(spec)
    raise AssertionError("the step never stops asking")
