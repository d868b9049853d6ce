"""Optimizers that ask for no settings: measured at their averages, and trained beside the recommendation."""

import math

import pytest
import torch
from torch import nn

from hpcheck.optimizers.groups import at_rest, moving, parameter_groups, set_hyper
from hpcheck.plugins import find
from hpcheck.runs.schedules import cosine, values
from hpcheck.steps import train
from hpcheck.steps.reading import Settings
from tests.support.simulated import asked

SETTINGS = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-3, 10.0)


def made(name: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    pytest.importorskip({"schedule_free": "schedulefree", "prodigy": "prodigyopt"}[name])
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    return model, find.load("optimizers", name)(parameter_groups(model))


def updated(model: nn.Module, optimizer: torch.optim.Optimizer, lr: float) -> None:
    set_hyper(optimizer, lr, 0.9, 0.01)
    optimizer.zero_grad()
    (model(torch.randn(8, 4)) - 3).square().mean().backward()
    optimizer.step()


def test_schedule_free_is_measured_at_its_averages_and_goes_on_where_it_was() -> None:
    model, optimizer = made("schedule_free")
    for _ in range(5):
        updated(model, optimizer, 0.1)
    before = model.weight.detach().clone()
    with at_rest(optimizer):
        averaged = model.weight.detach().clone()
    assert not torch.equal(averaged, before)
    torch.testing.assert_close(model.weight.detach(), before)


@pytest.mark.parametrize("name", ["schedule_free", "prodigy"])
def test_lr_momentum_and_weight_decay_are_set(name: str) -> None:
    model, optimizer = made(name)
    updated(model, optimizer, 0.02)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"][0], group["weight_decay"]) == (0.02, 0.9, 0.01)


def test_other_optimizers_are_left_alone() -> None:
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with at_rest(optimizer):
        moving(optimizer)
    assert model.weight.requires_grad


def test_they_are_trained_beside_the_recommendation_at_their_packages_own_settings() -> None:
    question = asked("train.compare=[schedule-free, prodigy]", "train.repeats=2")
    arms = train.all_arms(question, SETTINGS)
    assert [spec.optimizer.name for spec in arms["schedule-free"]] == ["schedule_free"] * 2
    free, prodigy, ours = arms["schedule-free"][0], arms["prodigy"][0], arms["recommended"][0]
    assert (free.lr.largest, free.weight_decay, prodigy.lr.largest) == (0.0025, 0.0, 1.0)
    assert free.steps == prodigy.steps == ours.steps
    assert free.data == ours.data


def test_the_cosine() -> None:
    found = values(cosine(2.0, 100), 100)
    expected = [1 + math.cos(math.pi * step / 100) for step in range(100)]
    assert found == pytest.approx(expected, abs=1e-3)
