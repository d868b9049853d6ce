"""What a search costs does not depend on how little a constant prediction of the user's targets loses."""

import math
from dataclasses import replace

import pytest

from hpcheck.analysis.memory import Memory
from hpcheck.checklist import costs
from tests.support.simulated import asked


@pytest.mark.parametrize("constant_loss", [math.log(2), 0.1])
def test_simulated_networks_learn_whatever_the_targets_are(constant_loss: float) -> None:
    question = asked("confirm.trainings=8")
    two_classes = replace(question, facts=replace(question.facts, constant_loss=constant_loss))
    with Memory():
        found = costs.bounds(two_classes)
        assert found == costs.bounds(question)
    assert found["confirm"].examples[0] > 0
