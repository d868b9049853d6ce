"""The learning-rate policies and momentum shapes of the final training: those of the rows of Tables 1 and 2 (Smith 2018)."""

from dataclasses import replace

import numpy as np
import pytest

from hpcheck.config import overlay, parse
from hpcheck.recommendation import recommended, snippets, wording
from hpcheck.report import overview
from hpcheck.runs.schedules import constant, cyclical_momentum, inv, one_cycle, values
from hpcheck.steps import momentum, train
from hpcheck.steps.build_runs import stepsize_of
from hpcheck.steps.order import Replays
from hpcheck.steps.reading import Settings
from tests.support.simulated import asked

KNOWN = Settings(100, 0.5, 0.05, 0.95, 0.85, 1e-4, 10.0)  # 1,000 steps of the simulated 10,000 examples


def final(*overrides: str, settings: Settings = KNOWN):
    return train.final_run(asked(*overrides), settings, "recommended")


def test_a_training_is_a_1cycle_with_falling_momentum_unless_told_otherwise() -> None:
    spec = final()
    stepsize = stepsize_of(asked(), 1000)
    assert spec.lr == one_cycle(0.5, 0.05, stepsize, 1000)
    assert spec.momentum == cyclical_momentum(0.95, 0.85, stepsize, 1000)


def test_a_constant_lr_with_falling_momentum_cycles_the_momentum_alone() -> None:
    spec = final("train.policy=constant")
    assert spec.lr == constant(0.5)
    assert spec.momentum == final().momentum


def test_rising_momentum_starts_at_its_smallest_and_may_reach_one() -> None:
    spec = final("train.momentum=rising", settings=replace(KNOWN, max_momentum=1.0, min_momentum=0.9))
    momentum = values(spec.momentum, spec.steps)
    assert momentum[0] == pytest.approx(0.9)
    assert momentum[stepsize_of(asked(), 1000)] == pytest.approx(1.0)
    assert spec.lr == final().lr


def test_constant_momentum_stays_at_the_largest() -> None:
    assert final("train.momentum=constant").momentum == constant(0.95)


def test_the_step_policy_falls_half_a_decade_at_each_of_the_authors_milestones() -> None:
    lr = values(final("train.policy=step").lr, 1000)
    assert lr[[0, 499, 500, 750, 875, 938]] == pytest.approx([0.5, 0.5, 0.5 * 0.316, 0.5 * 0.316**2, 0.5 * 0.316**3, 0.5 * 0.316**4])


def test_inv_is_caffes() -> None:
    assert final("train.policy=inv").lr == inv(0.5, 1000)


def test_exp_falls_by_six_hundredths_every_two_epochs() -> None:
    lr = values(final("train.policy=exp").lr, 1000)
    assert lr[[0, 199, 200, 999]] == pytest.approx([0.5, 0.5, 0.47, 0.5 * 0.94**4])


def test_momentum_that_rises_to_one_at_a_constant_lr_can_be_compared_with_others() -> None:
    question = asked("train.policy=constant", "train.momentum=rising", "start.momentum={max: 1, min: 0.9}", "start.max_lr=0.1")
    settings = Replays(question, lambda _: None).settings_before("momentum")
    first = next(momentum.decide(question, settings))
    assert max(spec.lr.largest for spec in first) == pytest.approx(0.2)  # at 0.9, the momentum that the lr is known with


def test_the_smallest_lr_may_be_given_with_the_largest() -> None:
    overrides = ("start.max_lr=4", "start.min_lr=0.1")
    settings = Replays(asked(*overrides), lambda _: None).settings_before("train")
    assert (settings.max_lr, settings.min_lr) == (4.0, 0.1)


def test_a_recommendation_of_another_policy_says_so_and_offers_no_1cycle() -> None:
    question = asked("train.policy=constant", "start.max_lr=0.5")
    reading = train.Reading("train", Replays(question, lambda _: None).settings_before("train"), ())
    block = recommended.settings_block(question, [reading])["learning_rate"]
    assert block == {"policy": "constant", "max": 0.5, "epochs": question.config.budget.epochs}
    assert wording.lr_words(block) == ("0.5", "constant over 10 epochs")


SHAPES = {
    "falling": ({"max": 0.95, "min": 0.85}, "0.95 to 0.85"),
    "constant": ({"max": 0.95, "min": 0.95}, "0.95"),
    "rising": ({"max": 0.95, "min": 0.85, "shape": "rising"}, "0.85 to 0.95"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_momentum_that_is_recommended_is_the_one_that_is_trained_with(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    question = asked(f"train.momentum={shape}")
    settings = recommended.settings_block(question, [train.Reading("train", KNOWN, ())])
    assert (settings["momentum"], wording.short("momentum", settings["momentum"])) == SHAPES[shape]
    panels = []
    monkeypatch.setattr(overview, "figures", lambda several, *_: panels.extend(several))
    overview.schedule(settings)
    line = panels[1].series[0]
    drawn = np.interp(np.arange(1000) / 100, line.x, line.raw)  # 100 steps an epoch
    assert drawn == pytest.approx(values(final(f"train.momentum={shape}").momentum, 1000), abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_training_from_a_recommendation_has_its_momentum(shape: str) -> None:
    question = asked(f"train.momentum={shape}")
    settings = recommended.settings_block(question, [train.Reading("train", KNOWN, ())])
    again = replace(question, config=overlay(asked("batch.steps=50").config, settings))
    known = Replays(again, lambda _: None).settings_before("train")
    trained = [spec.momentum for spec in (train.final_run(again, known, "recommended"), final(f"train.momentum={shape}"))]
    assert values(trained[0], 1000) == pytest.approx(values(trained[1], 1000))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_snippet_is_of_the_momentum_that_is_trained_with_or_refused(shape: str) -> None:
    settings = recommended.settings_block(asked(f"train.momentum={shape}"), [train.Reading("train", KNOWN, ())])
    if shape == "rising":
        with pytest.raises(ValueError, match="momentum rises with the lr"):
            snippets.write("pytorch", settings, "sgd", {})
    else:
        lowest = settings["momentum"]["min"]
        assert f"MAX_MOMENTUM, MIN_MOMENTUM, WEIGHT_DECAY = 0.95, {lowest}, 0.0001" in snippets.write("pytorch", settings, "sgd", {})


def test_momentum_of_one_is_accepted_as_a_peak_alone() -> None:
    config = parse("data: digits\nmodel: mlp\nstart: {momentum: {max: 1, min: 0.9}}", "c.yaml")
    assert config.start.momentum.max == 1.0
