"""The train step on a simulated network: longer budgets for what it is compared with, early against final ranks, and the best weights."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import RunSpec, run_id
from hpcheck.steps import early_ranking, train
from hpcheck.steps.build_runs import curve
from hpcheck.steps.reading import Settings
from tests.support.simulated import World, asked, read

KNOWN = Settings(100, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0)  # 1,000 steps of the simulated 10,000 examples
THREE = ("train.compare=[step, constant]", "train.repeats=1")


@dataclass
class Finals(World):
    """A network whose trainings end with figures on the validation split."""

    upside_down: bool = False

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        if "val" not in spec.finally_on or record.diverged:
            return record
        metric = record.rows[-1]["metric"]
        return replace(record, result={"val": {"metric": 1 - metric if self.upside_down else metric, "loss": 0.1}})


def test_policies_are_compared_at_the_same_and_at_a_longer_budget() -> None:
    arms = train.all_arms(asked(*THREE, "train.compare_epochs=40"), KNOWN)
    assert list(arms) == ["recommended", "step", "step, 40 epochs", "constant", "constant, 40 epochs"]
    assert [specs[0].steps for specs in arms.values()] == [1000, 1000, 4000, 1000, 4000]
    milestones = {step for step, _ in arms["step, 40 epochs"][0].lr.points}
    assert milestones == {0, 2000, 3000, 3500, 3750}


def test_what_the_user_had_is_trained_at_its_own_budget_alone() -> None:
    assert list(train.all_arms(asked("start.max_lr=0.1", "train.compare_epochs=40"), KNOWN)) == ["recommended", "start"]


def test_early_losses_that_order_the_trainings_as_they_end_agree_fully() -> None:
    reading = read(Finals(noise=0.001, needed=400.0), train.decide, asked(*THREE), KNOWN)
    found = reading.results["early_ranking"]
    assert set(found["early_loss"]) == {"recommended", "step", "constant"}
    assert found["iterations"] == 100
    assert found["kendall_tau"] == 1.0
    assert any("Kendall's tau" in remark and "agrees with the final one to 1.00" in remark for remark in reading.remarks)


def test_early_losses_that_order_them_the_other_way_disagree_fully() -> None:
    reading = read(Finals(noise=0.001, needed=400.0, upside_down=True), train.decide, asked(*THREE), KNOWN)
    assert reading.results["early_ranking"]["kendall_tau"] == -1.0


def test_a_metric_that_is_better_when_lower_is_ranked_so() -> None:
    question = asked(*THREE, "data.metric=own:error", "data.metric_is=lower")
    reading = read(Finals(noise=0.001, needed=400.0, upside_down=True), train.decide, question, KNOWN)
    assert reading.results["early_ranking"]["kendall_tau"] == 1.0


def test_two_trainings_are_too_few_to_rank() -> None:
    world = Finals()
    reading = read(world, train.decide, asked("train.compare=[step]", "train.repeats=1"), KNOWN)
    assert "early_ranking" not in reading.results
    assert len(world.records) == 2


def test_a_training_in_small_has_the_whole_schedule_and_never_sees_the_test_split() -> None:
    whole = train.final_run(asked(), KNOWN, "recommended")
    small = early_ranking.in_small(whole)
    assert small.steps == 100
    assert small.lr.largest == whole.lr.largest
    assert small.lr.points[1][0] == pytest.approx(whole.lr.points[1][0] / 10)
    assert small.finally_on == ()


def test_the_direction_of_the_metric_reaches_every_reading_and_changes_no_run() -> None:
    own = "data.metric=own:error"
    higher, lower = (train.final_run(asked(own, *given), KNOWN, "recommended") for given in ((), ("data.metric_is=lower",)))
    assert run_id(higher, "f") == run_id(lower, "f")
    assert curve(World().trained(lower)).higher_is_better is False
    assert curve(World().trained(higher)).higher_is_better is True


def test_a_diverged_small_run_is_the_worst() -> None:
    record = RunRecord("x", train.final_run(asked(), KNOWN, ""), (), "diverged")
    assert early_ranking.early_loss(record) == math.inf


def test_the_papers_variation_adds_an_example_to_each_part_of_the_batch_and_alternates_inits() -> None:
    specs = train.repeats(asked("train.variation=paper", "run.bn_splits=4"), KNOWN, "recommended")
    assert [(spec.total_batch_size, spec.init) for spec in specs] == [(100, "xavier"), (104, "msra"), (108, "xavier"), (112, "msra")]


def test_a_policy_it_is_compared_with_ends_with_each_repeat() -> None:
    specs = train.comparison(asked("train.variation=paper", "train.repeats=4"), replace(KNOWN, total_batch_size=16), "step")
    assert [spec.steps for spec in specs] == [6250, 5882, 5556, 5263]
    for spec in specs:
        assert {step for step, _ in spec.lr.points[1:]} == {round(spec.steps * share) for share in (1 / 2, 3 / 4, 7 / 8, 15 / 16)}


def test_the_first_runs_of_two_arms_leave_their_weights_and_no_other_runs() -> None:
    arms = train.all_arms(asked("train.compare=[step]", "train.compare_epochs=30", "train.repeats=2", "start.max_lr=0.01"), KNOWN)
    kept = {name: [spec.keep for spec in specs] for name, specs in arms.items()}
    assert kept == {"recommended": ["best", ""], "step": ["", ""], "step, 30 epochs": ["", ""], "start": ["best", ""]}


def test_where_the_validation_split_is_trained_on_the_last_weights_alone_are_kept() -> None:
    def kept(*overrides: str) -> str:
        return train.repeats(asked(*overrides), KNOWN, "recommended")[0].keep

    assert (kept(), kept("train.fit=all"), kept("train.fit=all", "data.validate_on=test")) == ("best", "last", "best")


def test_where_the_validation_split_is_trained_on_early_losses_are_held_against_the_test_split() -> None:
    @dataclass
    class Tested(Finals):
        def trained(self, spec: RunSpec) -> RunRecord:
            record = super().trained(spec)
            return (
                replace(record, result={**record.result, "test": {"metric": 1 - record.result["val"]["metric"], "loss": 0.1}})
                if record.result
                else record
            )

    world = Tested(noise=0.001, needed=400.0)
    reading = read(world, train.decide, asked(*THREE, "train.fit=all"), KNOWN)
    assert reading.results["early_ranking"]["kendall_tau"] == -1.0
    small = [record.run for record in world.records.values() if "in small" in record.spec.label]
    assert {spec.data.fit for spec in small} == {"train"}
    assert any("train.fit is all" in remark for remark in reading.remarks)
    on_test = read(Tested(), train.decide, asked("train.fit=all", "data.validate_on=test", "train.repeats=1"), KNOWN)
    assert not any("train.fit is all" in remark for remark in on_test.remarks)


def test_a_training_whose_loss_still_falls_at_its_end_is_told_to_be_longer() -> None:
    given = asked("train.policy=constant", "train.repeats=1")
    falling, flat = (read(Finals(noise=0.001, needed=needed), train.decide, given, replace(KNOWN, max_lr=0.1)) for needed in (1500.0, 50.0))
    assert any(remark.endswith("train longer (Smith 2018, 4.2, Remark 4)") for remark in falling.remarks)
    assert (falling.findings, flat.findings) == ({"still falling"}, frozenset())
    assert not any("train longer" in remark for remark in flat.remarks)
    assert any("training on gains nothing more" in remark for remark in flat.remarks)


@dataclass
class Overfits(Finals):
    """A network whose validation loss rises from a fifth of its training on."""

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        random = np.random.default_rng(spec.seed)
        shares = [(each, each["step"] / spec.steps) for each in record.rows]
        losses = [2.3 - 7 * share if share < 0.2 else 0.9 + 1.5 * (share - 0.2) for _, share in shares]
        rows = [{**each, "val_loss": loss + random.normal(0, 0.01)} for (each, _), loss in zip(shares, losses, strict=True)]
        return replace(record, rows=tuple(rows))


def test_a_training_that_overfits_is_told_to_be_shorter() -> None:
    reading = read(Overfits(needed=50.0), train.decide, asked("train.repeats=1"), replace(KNOWN, max_lr=0.1))
    assert "overfits" in reading.findings
    (words,) = [remark for remark in reading.remarks if remark.startswith("the validation loss is lowest after")]
    assert 1.5 <= float(words.split()[6]) <= 2.5  # of 10 epochs
    assert words.endswith(f"train about {words.split()[6]} epochs, or try a weight decay of 0.00032 or 0.001 instead of 0.0001")
    found = reading.results["overfits"]
    assert (found["lowest_after_epochs"], found["of_epochs"], found["steps"]) == (float(words.split()[6]), 10.0, 1000)
    lengthened = read(
        Overfits(needed=50.0), train.decide, asked("train.repeats=1"), replace(KNOWN, max_lr=0.1, epochs=20.0, weight_decay=0)
    )
    twice = lengthened.results["overfits"]
    assert twice["budget_epochs"] == pytest.approx(twice["lowest_after_epochs"] / 2, rel=0.06)  # the config says 10 epochs
    assert twice["larger_weight_decays"] == [1e-4, 1e-3]
    folded = read(Overfits(needed=50.0), train.decide, asked("train.repeats=1", "train.fit=all"), replace(KNOWN, max_lr=0.1))
    assert "overfits" not in folded.findings


def test_what_a_1cycle_is_compared_with_holds_the_largest_momentum() -> None:
    (spec,) = train.comparison(asked("train.repeats=1"), KNOWN, "step")
    assert spec.momentum == constant(0.95)


def test_final_runs_that_diverged_are_told_of_and_left_out_of_the_figures() -> None:
    reading = read(Finals(), train.decide, asked("train.repeats=2"), replace(KNOWN, max_lr=50.0, min_lr=5.0))
    assert "recommended: 2 of 2 final runs diverged" in reading.remarks
    assert reading.results["recommended"]["diverged"] == 2
    assert "val" not in reading.results["recommended"]
    assert not any("diverged" in remark for remark in read(Finals(), train.decide, asked("train.repeats=1"), KNOWN).remarks)


def test_repeats_differ_in_their_seed_and_their_spread_is_that_of_a_sample() -> None:
    specs = train.repeats(asked("train.repeats=2"), KNOWN, "recommended")
    assert [spec.seed for spec in specs] == [0, 1]
    records = [
        RunRecord(str(metric), spec, (), "finished", {"test": {"metric": metric}}) for metric, spec in zip((0.9, 0.92), specs, strict=True)
    ]
    assert train.summary(records)["test"]["std"] == pytest.approx(0.02 / math.sqrt(2))
