"""What a search costs does not depend on how little a constant prediction of the user's targets loses."""

import math
from dataclasses import replace

import pytest

from hpcheck.analysis.memory import Memory
from hpcheck.checklist import costs
from hpcheck.checklist.simulated import FINEST, World, looked_at
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly
from tests.support.simulated import asked


@pytest.mark.parametrize("constant_loss", [math.log(2), 0.1])
def test_simulated_networks_learn_whatever_the_targets_are(constant_loss: float) -> None:
    question = asked("confirm.trainings=8")
    two_classes = replace(question, facts=replace(question.facts, constant_loss=constant_loss))
    with Memory():
        found = costs.bounds(two_classes)
        assert found == costs.bounds(question)
    assert found["confirm"].examples[0] > 0


def ramped(steps: int) -> RunSpec:
    parts = (DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd"))
    return RunSpec(*parts, 32, steps, ramp(0.001, 0.2, steps), constant(0.9), 1e-3, (0, *evenly(steps, 20)))


def test_a_million_steps_of_a_simulated_run_are_looked_at_evenly_and_say_what_fewer_do() -> None:
    few = World(needed=2000.0, fastest=1.5, noise=0.0).trained(ramped(20_000))
    many = World(needed=50 * 2000.0, fastest=1.5, noise=0.0).trained(ramped(1_000_000))
    assert (few.status, many.status) == ("diverged", "diverged")
    assert many.rows[-1]["step"] == pytest.approx(50 * few.rows[-1]["step"], rel=0.001)
    losses, expected = ([row["val_loss"] for row in record.rows[:-1]] for record in (many, few))
    assert losses == pytest.approx(expected, rel=0.001)
    assert len(looked_at(ramped(1_000_000))[1]) == FINEST
    assert len(looked_at(ramped(2 * FINEST - 1))[1]) == 2 * FINEST - 1  # every one of them
