"""What a script's evaluation says of single examples: kept with the full trainings, and the judge pairs them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import hpcheck
from hpcheck import config as configs
from hpcheck.analysis.full_trainings import LOSS_SPREAD, Seeds, ahead
from hpcheck.runs import records
from hpcheck.runs.outcomes import packed, unpacked
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.script.job import ScriptError
from hpcheck.steps.contest import full_training, outcome
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, Facts
from hpcheck.steps.train import repeats
from tests.support.followed import SPEC, Script

JUDGED = replace(SPEC, finally_on=("val",), outcomes=True)
NONE = Seeds(0.0, math.inf)


def outcomes_of(drive, answer, spec=JUDGED, **more):
    """What the record keeps of the examples where the evaluation answers so, given the outputs and the targets."""
    path = drive(spec, **more)
    script = Script()

    def validate():
        return answer(script.model(script.x[:200]), script.y[:200])

    def train():
        hp = hpcheck.follow(script.optimizer, validate, model=script.model, train_examples=640, val_examples=200)
        script.train(hp, hp.epochs(1))

    with pytest.raises(SystemExit):
        train()
    record = records.read(path)
    return record, {of: unpacked(values) for of, values in record.result.get("outcomes", {}).items()}


def right(outputs, targets):
    return (outputs.argmax(1) == targets).float()


@pytest.mark.parametrize("percent", [False, True])
def test_right_and_wrong_are_kept_in_the_unit_of_the_metric(drive, percent):
    scale = 100 if percent else 1

    def answer(outputs, targets):
        each = right(outputs, targets)
        return {"loss": nn.functional.cross_entropy(outputs, targets), "metric": scale * each.mean(), "scores": each}

    record, kept = outcomes_of(drive, answer)
    assert kept["metric"].mean() == pytest.approx(record.result["val"]["metric"])
    assert set(kept["metric"]) == {0.0, float(scale)}


def test_losses_beside_scores_are_kept_too_and_scores_may_be_losses(drive):
    def both(outputs, targets):
        losses, each = nn.functional.cross_entropy(outputs, targets, reduction="none"), right(outputs, targets)
        return {"loss": losses.mean(), "metric": each.mean(), "scores": list(each.split(64)), "losses": losses.numpy()}

    def losses_alone(outputs, targets):
        losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
        return {"loss": losses.mean(), "metric": 0.5, "scores": losses}

    record, kept = outcomes_of(drive, both)
    assert kept["loss"].mean() == pytest.approx(record.result["val"]["loss"], rel=1e-3)
    assert kept["metric"].mean() == pytest.approx(record.result["val"]["metric"])
    assert outcomes_of(drive, losses_alone, run_id="b" * 16)[1].keys() == {"loss"}


def test_short_runs_keep_nothing_of_single_examples(drive):
    assert outcomes_of(drive, lambda outputs, targets: {"loss": 1.0, "metric": 0.5, "scores": [0.5] * 200}, SPEC)[1] == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"scores": [1.0] * 200}, "the mean of the evaluation's scores is 1, which is neither its metric .0.5. nor its loss .2."),
        ({"losses": [1.0] * 200}, "the mean of the evaluation's losses is 1, which is not its loss"),
        ({"losses": [2.0] * 100}, "returned 100 losses, and looked at 100 examples|looked at 100 examples, and val_examples is 200"),
        ({"scores": ["right"] * 200}, "scores that are not one number for each example"),
    ],
)
def test_scores_of_something_else_are_refused(drive, more, words):
    with pytest.raises(ScriptError, match=words):
        outcomes_of(drive, lambda outputs, targets: {"loss": 2.0, "metric": 0.5, **more})


def asked_of(metric="accuracy", metric_is="higher", val_examples=4):
    config = configs.parse("script: [python, train.py]\nstart: {max_lr: 0.1}", "hp.yaml", ["name=hp"])
    data = config.data.model_copy(update={"metric": metric, "metric_is": metric_is})
    return Asked(config.model_copy(update={"data": data}), Facts(100, val_examples))


def trained(asked, val_loss, val_metric, **each):
    rows = ({"step": 1, "metric": val_metric, "val_loss": val_loss},)
    kept = {of: packed(np.array(values)) for of, values in each.items()}
    result = {"val": {"loss": val_loss, "metric": val_metric, "examples": asked.facts.val_examples}, "outcomes": kept}
    return outcome(asked, RunRecord("a" * 16, SPEC, rows, "finished", result))


def test_examples_that_both_trainings_have_right_do_not_count_as_chance():
    asked = asked_of("points", val_examples=20)
    sides = [np.arange(20) < count for count in (15, 10)]
    ours, theirs = (trained(asked, 0.2, side.mean(), metric=side) for side in sides)
    found = ahead([ours], [theirs], "metric", NONE)
    assert found.value == 0.25
    assert found.error == pytest.approx(np.sqrt(np.var([1.0] * 5 + [0.0] * 15, ddof=1) / 20))
    assert (ours.share_of, ours.lacks) == (20, 0.25)


def test_a_scripts_accuracy_is_judged_alike_as_a_share_and_in_percent():
    shares, percent = (
        [trained(asked_of(val_examples=400), 0.2, scale * metric) for metric in (0.97, 0.95)]
        + [trained(asked_of("a metric", val_examples=4), 0.2, scale * 0.75, metric=[scale, scale, scale, 0])]
        for scale in (1, 100)
    )
    for one, other in zip(shares, percent, strict=True):
        assert (100 * one.lacks, one.share_of, 100 * one.whole) == pytest.approx((other.lacks, other.share_of, other.whole))
    errors = [ahead(two[:1], two[1:2], "metric", NONE).errors for two in (shares, percent)]
    assert errors[0] == pytest.approx(errors[1])
    assert errors[0] < 3  # 8 examples of 400: without the examples' chance it would be beyond all doubt


def test_an_error_rate_lacks_what_it_is_above_nothing_and_other_metrics_are_as_they_were():
    lower = trained(asked_of("error", "lower"), 0.2, 0.25, metric=[0, 0, 0, 1])
    assert (lower.metric, lower.lacks, lower.share_of) == (0.25, 0.25, 4)
    assert trained(asked_of("bleu"), 0.2, 31.0).share_of is None
    r2 = trained(asked_of("R2"), 0.2, 0.9, loss=[0.1, 0.3, 0.2, 0.2])
    assert r2.lacks == pytest.approx(0.1)
    assert r2.costs == pytest.approx(np.array([0.05, 0.15, 0.1, 0.1]), rel=1e-3)  # 1 - R2, example by example


def test_a_loss_of_which_no_example_is_known_is_not_taken_as_exact():
    asked = asked_of(val_examples=400)
    ours, theirs = trained(asked, 0.19, 0.95), trained(asked, 0.21, 0.95)
    assert ahead([ours], [theirs], "loss", NONE).error == pytest.approx(LOSS_SPREAD * 0.2 / 20)
    paired = [trained(asked, loss, 0.95, loss=[loss] * 400) for loss in (0.19, 0.21)]
    assert ahead(paired[:1], paired[1:], "loss", NONE).error < 1e-3


def test_the_final_training_of_a_script_is_made_after_those_that_confirmed_it():
    """Its script goes on to its own end and saves what it saves; those of the contest are ended."""
    asked = asked_of()
    settings = replace(start_settings(asked.config), max_lr=0.1, min_lr=0.01)
    contest, final = full_training(asked, settings, 0), repeats(asked, settings, "recommended")[0]
    assert contest.outcomes
    assert not contest.keep
    assert contest != final
    assert replace(contest, finally_on=final.finally_on) == final


def test_a_run_that_blew_up_says_nothing_of_examples(drive):
    record, kept = outcomes_of(
        drive,
        lambda outputs, targets: {"loss": torch.tensor(math.inf), "metric": 0.1, "scores": right(outputs, targets)},
        replace(JUDGED, lr=constant(0.1), evaluate_after=(40,)),
    )
    assert record.status == "finished"
    assert kept == {}
