"""Full trainings before a recommendation: what they are spent on, that nothing is trained twice, and that settings follow the evidence."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hpcheck.recommendation.recommended import settings_block
from hpcheck.recommendation.verdict import against_start
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec
from hpcheck.steps import confirm, train
from hpcheck.steps.confirm_again import again
from hpcheck.steps.confirm_plan import first_candidates, neighbours, repeats_of, trainings_of, weight_decays
from hpcheck.steps.contest import Contest
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.nothing_learnt import learnt_nothing
from hpcheck.steps.order import steps_of_run
from hpcheck.steps.reading import FoundLr, Reading, Settings
from hpcheck.steps.step import Asked
from tests.support.full_trainings import FOUND, ON, Seeded
from tests.support.simulated import World, asked, read


def confirmed(world: World, *overrides: str, settings: Settings = FOUND) -> Reading:
    return read(world, confirm.decide, asked(ON, *overrides), settings)


def trained(reading: Reading) -> list[float]:
    return [one["weight_decay"] for one in reading.results["considered"]]


def seeds(reading: Reading) -> list[int]:
    return [len(one["runs"]) for one in reading.results["considered"]]


@dataclass
class OneBest(World):
    """One lr comes to the best end, half of what short runs found where nothing else is said, and one weight decay where that is asked."""

    best_lr: float = 0.15
    by_decade: float = 0.0

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        found = super().finally_(spec, last)
        loss = 0.3 + 0.2 * abs(math.log2(max(at for _, at in spec.lr.points) / self.best_lr))
        loss += self.by_decade * abs(math.log10(spec.weight_decay / self.best_weight_decay)) if self.by_decade else 0.0
        return {split: {"loss": loss, "metric": 1 - 0.2 * loss, "examples": 1000} for split in found}


def as_found(best_weight_decay: float) -> OneBest:
    """The lr that short runs found is the best one."""
    return OneBest(best_weight_decay=best_weight_decay, best_lr=0.3, by_decade=0.1)


@pytest.mark.parametrize("trainings", [4, 5, 6, 7, 8, 9, 12])
def test_exactly_so_many_trainings_are_made_and_two_settings_have_fresh_seeds(trainings: int) -> None:
    reading = confirmed(World(), f"confirm.trainings={trainings}")
    assert len(reading.runs) == sum(seeds(reading)) == trainings
    assert sorted(seeds(reading))[-2] >= 2
    assert any(one["start"] for one in reading.results["considered"])


def test_three_weight_decays_then_half_and_twice_the_lr_then_a_neighbour_of_the_best_then_fresh_seeds() -> None:
    reading = confirmed(as_found(1e-3))
    assert trained(reading) == [1e-4, 1e-3, 1e-2, 1e-3, 1e-3, 3.2e-4]
    assert [one["max_lr"] for one in reading.results["considered"]] == [0.3] * 3 + [0.15, 0.6, 0.3]
    assert seeds(reading) == [2, 2, 1, 1, 1, 1]  # the start and the best have a fresh one each
    assert trained(confirmed(as_found(1e-3), "confirm.trainings=9"))[5:] == [3.2e-4, 3.2e-3]


def test_where_an_edge_wins_it_goes_on_by_half_decades() -> None:
    nine = "confirm.trainings=9"
    assert trained(confirmed(as_found(0.1), nine)) == [1e-4, 1e-3, 1e-2, 1e-2, 1e-2, 0.032, 0.1]
    assert trained(confirmed(as_found(0.01), nine)) == [1e-4, 1e-3, 1e-2, 1e-2, 1e-2, 0.032, 3.2e-3]


def test_the_starts_weight_decay_takes_the_place_of_the_nearest() -> None:
    assert weight_decays(asked("start.weight_decay=5e-4")) == [1e-4, 5e-4, 1e-2]
    assert weight_decays(asked("start.weight_decay=0")) == [0.0, 1e-3, 1e-2]
    assert weight_decays(asked("optimizer=adamw", "start.weight_decay=0.01")) == [1e-3, 1e-2, 1e-1]
    assert weight_decays(asked("confirm.weight_decays=[1e-3]")) == [1e-4, 1e-3]


def test_neighbours_that_were_trained_are_not_trained_again() -> None:
    tried = [replace(FOUND, weight_decay=value) for value in (1e-4, 1e-3, 1e-2)]
    assert [one.weight_decay for one in neighbours(asked(ON), tried[1], tried)] == [3.2e-4, 3.2e-3]
    more = [*tried, replace(FOUND, weight_decay=3.2e-4)]
    assert neighbours(asked(ON), more[-1], more) == []


def test_the_start_costs_nothing_more_at_the_lr_found_and_one_training_at_its_own() -> None:
    assert len(first_candidates(asked(ON), FOUND)) == 3
    own = first_candidates(asked(ON, "start.max_lr=0.02"), FOUND)
    assert [(one.weight_decay, one.max_lr) for one in own] == [(1e-4, 0.02), (1e-4, 0.3), (1e-3, 0.3), (1e-2, 0.3)]


def test_the_start_keeps_its_own_batch_at_the_lr_that_was_found_for_it() -> None:
    moved = with_lr(asked(ON), replace(FOUND, total_batch_size=256), 0.6)
    (start,) = [one for one in first_candidates(asked(ON), moved) if one.total_batch_size == 128]
    assert (start.max_lr, start.weight_decay) == (0.3, 1e-4)


def test_twice_the_lr_is_tried_where_the_range_test_saw_no_upper_limit() -> None:
    reading = confirmed(World(), settings=replace(FOUND, found=FoundLr(0.3, open_above=True)))
    assert [one["max_lr"] for one in reading.results["considered"]] == [0.3, 0.3, 0.3, 0.6, 1.2, 0.6]


@pytest.mark.parametrize("own", [(), ("start.max_lr=0.02",)])
def test_half_the_lr_is_tried_where_short_runs_found_it_and_is_recommended_where_it_wins(own: tuple[str, ...]) -> None:
    """Beside a user's own lr too, which takes a training of its own."""
    assert confirmed(OneBest(), *own).settings.max_lr == 0.15


def test_a_challenger_that_is_the_users_own_setting_is_not_trained_again_side_by_side() -> None:
    reading = confirmed(OneBest(best_lr=0.3, best_weight_decay=1e-4, by_decade=0.1), "start.max_lr=0.15", "confirm.trainings=12")
    own, best, *others = seeds(reading)
    assert (own, best) == (3, 4)  # what is left are fresh seeds, the best's first
    assert set(others) == {1}


def test_an_lr_that_a_challenger_moved_is_told_beside_the_others_that_were_trained_in_full() -> None:
    reading = confirmed(OneBest(best_lr=0.15))
    (lr,) = [item for item in reading.evidence if item.setting == "learning_rate"]
    assert [value for value, *_ in lr.considered] == [0.15, 0.3, 0.6]
    assert lr.interval == pytest.approx((math.sqrt(0.075 * 0.15), math.sqrt(0.15 * 0.3)))
    assert lr.source == "hpcheck's own full trainings"


@pytest.mark.parametrize("own", [(), ("start.max_lr=0.02",)])
@pytest.mark.parametrize("best", [0.15, 0.6])
def test_the_lr_is_tried_in_both_directions(best: float, own: tuple[str, ...]) -> None:
    assert confirmed(OneBest(best_lr=best), *own).settings.max_lr == best


def test_with_one_training_after_half_of_the_lr_a_quarter_is_tried_where_half_has_won() -> None:
    """An own lr leaves two: half and then a quarter, or half and then twice."""
    lrs = [one["max_lr"] for one in confirmed(OneBest(best_lr=0.075), "start.max_lr=0.005").results["considered"]]
    assert lrs[4:] == [0.15, 0.075]
    lrs = [one["max_lr"] for one in confirmed(OneBest(best_lr=0.3), "start.max_lr=0.005").results["considered"]]
    assert lrs[4:] == [0.15, 0.6]


@pytest.mark.parametrize(("best", "neighbour"), [(5e-4, 3.2e-4), (2e-3, 3.2e-3)])
def test_of_two_neighbours_that_on_the_better_side_is_trained_where_there_is_one_training(best: float, neighbour: float) -> None:
    reading = confirmed(as_found(best), "start.weight_decay=1e-3", "confirm.weight_decays=[1e-4, 1e-2]", "confirm.trainings=8")
    assert trained(reading) == [1e-4, 1e-3, 1e-2, 1e-3, 1e-3, neighbour]


@pytest.mark.parametrize(("best", "neighbour"), [(0.1, 0.032), (1e-5, 3.2e-5)])
def test_beside_a_challenger_that_won_an_edge_is_gone_beyond(best: float, neighbour: float) -> None:
    reading = confirmed(OneBest(best_weight_decay=best, by_decade=0.1))
    last = reading.results["considered"][-1]
    assert (last["max_lr"], last["weight_decay"]) == (0.15, neighbour)


def test_half_way_to_the_better_neighbour_is_tried_where_full_trainings_found_the_lr() -> None:
    """Here .15 is best, and of .075 and 1.2 the smaller is better."""
    world, question = OneBest(), asked(ON)
    found = replace(FOUND, found=FoundLr(0.3, trained=(0.075, 0.3, 1.2)))
    reading = read(world, confirm.decide, question, found)
    lrs = [one["max_lr"] for one in reading.results["considered"]]
    assert {*lrs} == {0.075, 0.3, 1.2, 0.15}
    assert reading.settings.max_lr == 0.15


class Indifferent(World):
    """A weight decay of 1e-2 seems a little better than the others, by less than seeds do; the lr of 1e-4 is far too small."""

    gain = 0.002

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        found = super().finally_(spec, last)
        loss = 0.3 - self.gain * (spec.weight_decay == 0.01) + (max(at for _, at in spec.lr.points) < 0.01)
        return {split: {"loss": loss, "metric": 1 - 0.2 * loss, "examples": 1000} for split in found}


class Telling(Indifferent):
    """The same, and the 1e-2 is better by far."""

    gain = 0.2


def test_what_speaks_against_the_users_lr_does_not_move_their_weight_decay() -> None:
    tied, led = (confirmed(world, "start.max_lr=1e-4") for world in (Indifferent(), Telling()))
    assert (tied.settings.max_lr, tied.settings.weight_decay) == (0.3, 1e-4)
    (decay,) = [one for one in tied.evidence if one.setting == "weight_decay"]
    assert decay.reason.endswith("your weight decay stays, since no other led it by more than chance")
    assert (led.settings.max_lr, led.settings.weight_decay) == (0.3, 1e-2)


def test_half_the_batch_at_half_the_lr_is_tried_where_epochs_are_held() -> None:
    """And no step found the lr: it is the user's own."""
    reading = confirmed(World(), "budget.hold=epochs", settings=replace(FOUND, found=None))
    tried = [(one["total_batch_size"], one["max_lr"]) for one in reading.results["considered"]]
    assert tried == [(128, 0.3)] * 3 + [(64, 0.15)] + [(128, 0.3)] * 2


class BarelyFaster(Seeded):
    """Twice the lr is better by less than seeds differ."""

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        better = 0.004 if max(at for _, at in spec.lr.points) > 0.5 else 0.0
        return {
            split: {"loss": one["loss"] - better, "metric": one["metric"] + better / 5, "examples": 1000}
            for split, one in super().finally_(spec, last).items()
        }


def test_of_two_lrs_that_were_found_the_better_over_all_seeds_is_taken_and_a_users_own_is_kept() -> None:
    reading = confirmed(BarelyFaster(best_weight_decay=1e-4))
    said = against_start(asked(ON), [reading])
    starts = [one["max_lr"] for one in reading.results["considered"] if one["start"]]
    assert (reading.settings.max_lr, starts, said.says) == (0.6, [0.6], "not better")
    reason = next(item.reason for item in reading.evidence if item.setting == "learning_rate")
    assert reason == "0.6 was the learning rate of the best full training"
    assert "lr 0.3) reached" in said.words
    assert said.words.endswith(" Your config gives no learning rate, so yours has the one that the search found: 0.6.")
    assert confirmed(BarelyFaster(best_weight_decay=1e-4), "start.max_lr=0.3").settings.max_lr == 0.3


@pytest.mark.parametrize("best", [0.075, 0.6])
def test_a_check_trains_the_recommended_lr_which_a_challenger_had_moved(best: float) -> None:
    world, question = OneBest(best_lr=best, best_weight_decay=1e-2, by_decade=0.1), asked(ON, "start.max_lr=0.005")
    reading = read(world, confirm.decide, question, FOUND)
    told = {"settings": settings_block(question, [reading]), "results": {"confirm": reading.results}, "verdict": {"says": "better"}}
    assert read(world, again(told), question, FOUND).settings.max_lr == best
    assert read(world, again(told), question, with_lr(question, FOUND, 0.1)).settings.max_lr == pytest.approx(best / 3, rel=0.05)


def test_train_makes_no_training_again() -> None:
    world, question = World(), asked(ON)
    reading = confirmed(world)
    final = read(world, train.decide, question, reading.settings)
    assert set(final.runs) <= set(reading.runs)


def test_repeats_and_fit_all_cost_trainings_of_their_own() -> None:
    world = World()
    reading = confirmed(world)
    four = read(world, train.decide, asked(ON, "train.repeats=4"), reading.settings)
    assert len(set(four.runs) - set(reading.runs)) == 2  # two seeds of the best are there
    folded = read(world, train.decide, asked(ON, "train.fit=all"), reading.settings)
    assert len(set(folded.runs) - set(reading.runs)) == 1


def test_a_better_weight_decay_is_recommended_and_said_to_be_better() -> None:
    reading = confirmed(Seeded(best_weight_decay=1e-2))
    said = against_start(asked(ON), [reading])
    assert reading.settings.weight_decay == 1e-2
    assert said.words.startswith("Better than yours. ")
    assert said.interval is not None
    assert said.interval[0] > 0
    assert (said.against, said.fresh_seeds) == ("start at the learning rate found", 1)


SAME = "was trained with otherwise the same settings"


@pytest.mark.parametrize(
    ("best", "best_lr", "overrides", "ends"),
    [
        (1e-3, 0.3, (), "its neighbours: 0.00032 (0.9301, loss 0.349) and 0.01 (0.92, loss 0.4)"),
        (0.1, 0.3, (), "its neighbour: 0.01 (0.92, loss 0.4); it lies at the edge of what was trained"),
        (1.5e-3, 0.6, (), f"its neighbour: 0.0032 (0.9334, loss 0.333); no smaller one {SAME}"),
        (2e-3, 0.6, (), f"its neighbour: 0.001 (0.934, loss 0.33); no larger one {SAME}"),
        (0.032, 0.075, ("start.max_lr=0.02",), f"no other weight decay {SAME}"),
    ],
)
def test_a_weight_decay_says_what_was_trained_beside_it(best: float, best_lr: float, overrides: tuple[str, ...], ends: str) -> None:
    """Between half a decade below and a decade above it is at no edge. Beside an lr that won full trainings less is trained."""
    world = OneBest(best_weight_decay=best, best_lr=best_lr, by_decade=0.1)
    assert confirmed(world, *overrides).evidence[0].reason.endswith(ends)


def test_a_start_that_is_best_already_is_kept() -> None:
    reading = confirmed(Seeded(best_weight_decay=1e-4))
    said = against_start(asked(ON), [reading])
    assert reading.settings.weight_decay == 1e-4
    assert said.words.startswith("Keep yours, with learning rate ")
    assert "nothing better was found" in said.words


def without_learning(constant_loss: float) -> Asked:
    question = asked(ON, "start.max_lr=0.02")
    return replace(question, facts=replace(question.facts, constant_loss=constant_loss))


def test_trainings_that_learn_no_more_than_a_constant_prediction_compare_nothing() -> None:
    question = without_learning(0.01)  # far below what the simulated network reaches
    tried = replace(FOUND, max_momentum=0.99)
    reading = read(Seeded(), confirm.decide, question, tried)
    said = against_start(question, [reading])
    assert len(reading.runs) == 4  # the first ones alone: no neighbours and no fresh seeds
    assert reading.abstained
    assert (said.says, said.ours) == ("not tested", None)
    assert said.words.startswith("No answer: yours stays. No full training beat a constant prediction: the lowest")
    kept = reading.settings
    assert (kept.max_lr, kept.max_momentum, kept.weight_decay) == (0.02, 0.95, 1e-4)
    assert {item.setting for item in reading.evidence if item.status == "abstained"} == {"weight_decay", "learning_rate", "momentum"}


@pytest.mark.parametrize(("constant", "nothing"), [(0.02, False), (0.94, True), (math.inf, True)])
def test_trainings_that_are_right_far_more_often_than_a_constant_prediction_have_learnt(constant: float, nothing: bool) -> None:
    """With wrong labels and many classes their losses may be above a constant prediction's all the way."""
    question = without_learning(0.01)
    question = replace(question, facts=replace(question.facts, constant_accuracy=constant))
    reading = read(Seeded(), confirm.decide, question, FOUND)
    assert reading.abstained is nothing


@pytest.mark.parametrize(
    ("losses", "nothing"),
    [
        ((2.40, 2.31, 2.30), True),
        ((2.40, 2.295, 2.31), True),  # below it by less than the chance of the examples
        ((2.40, 1.50, 2.90), False),  # it overfits, and has learnt
        ((2.40, 1.50, 1.20), False),
    ],
)
def test_what_has_learnt_was_once_below_a_constant_prediction(losses: tuple[float, ...], nothing: bool) -> None:
    record = SimpleNamespace(diverged=False, rows=[{"val_loss": loss} for loss in losses], result={})
    contest = Contest(without_learning(2.303), FOUND, 8, {FOUND: [record]})  # type: ignore[list-item]
    assert learnt_nothing(contest) is nothing
    assert not learnt_nothing(replace(contest, asked=without_learning(math.inf)))
    assert not learnt_nothing(replace(contest, records={FOUND: [SimpleNamespace(diverged=True, rows=record.rows)]}))  # type: ignore[list-item]


def test_a_start_that_stays_at_its_own_lr_has_no_interval_where_no_other_weight_decay_was_trained_there() -> None:
    reading = confirmed(Seeded(best_weight_decay=1e-4), "start.max_lr=0.02")
    decay = next(item for item in reading.evidence if item.setting == "weight_decay")
    assert (reading.settings.max_lr, decay.value) == (0.02, 1e-4)
    assert decay.interval is None


def test_a_start_whose_trainings_diverge_is_beaten() -> None:
    reading = confirmed(Seeded(), "start.max_lr=5")
    said = against_start(asked(ON, "start.max_lr=5"), [reading])
    assert said.words == "Better than yours. With your settings the training diverged (two of two)."
    assert reading.settings.max_lr == 0.3


def test_nothing_is_recommended_where_every_training_diverges() -> None:
    reading = confirmed(Seeded(fastest=0.01))
    assert reading.abstained
    assert against_start(asked(ON), [reading]).says == "not tested"


@pytest.mark.parametrize("seed", range(12))
def test_the_first_line_and_the_settings_never_disagree(seed: int) -> None:
    """A world in which nothing matters but chance."""
    question = asked(ON, f"seed={seed}")

    class Chance(Seeded):
        def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
            own = np.random.default_rng([spec.seed, round(1e9 * spec.weight_decay)])
            figures = {"loss": own.normal(0.3, 0.02), "metric": own.normal(0.9, 0.005), "examples": 1000}
            return dict.fromkeys(spec.finally_on, figures)

    reading = read(Chance(), confirm.decide, question, FOUND)
    said = against_start(question, [reading])
    yours = settings_block(question, [reading])["weight_decay"] == 1e-4
    assert (said.says == "not better") == yours
    assert said.says in ("better", "probably better", "not better")


def test_confirmation_is_on_where_a_training_is_short_and_off_where_it_is_long() -> None:
    short, long = asked("confirm.trainings=null"), asked("confirm.trainings=null", "budget.epochs=300")
    assert (trainings_of(short), trainings_of(long)) == (8, 0)
    assert (repeats_of(short), repeats_of(long), repeats_of(asked(ON, "train.repeats=3"))) == (1, 4, 3)
    assert steps_of_run(short) == ("lr-in-full", "batch", "momentum", "confirm", "train")
    assert steps_of_run(long) == ("lr-range", "batch", "momentum", "wd-grid", "lr-reprobe", "train")


def test_without_confirmation_nothing_is_trained_before_train() -> None:
    reading = read(World(), confirm.decide, asked(), FOUND)
    assert reading.undone
    assert not reading.runs
    assert against_start(asked(), []).words == "Not confirmed: nothing was trained in full (confirm.trainings is 0)."


def test_sure_trains_the_neighbours_in_lr_and_weight_decay_with_two_fresh_seeds() -> None:
    reading = confirmed(Seeded(best_weight_decay=1e-3), "confirm.sure=true")
    by_settings = {(one["max_lr"], one["weight_decay"]): len(one["runs"]) for one in reading.results["considered"]}
    wanted = [(0.3, 1e-3), (0.15, 1e-3), (0.6, 1e-3), (0.3, 3.2e-4), (0.3, 3.2e-3)]
    assert [by_settings[one] for one in wanted] == [3, 3, 3, 3, 3]
    assert reading.results["confidence"]["weight_decay"] == "high"


class Odd(Seeded):
    """Full trainings of which some end as `of` says: by their number, from 1, and their spec; None: as they would."""

    def __init__(self, of: Callable[[int, RunSpec], dict[str, Any] | None]) -> None:
        super().__init__()
        self.of, self.number = of, 0

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        self.number += 1
        found, odd = super().finally_(spec, last), self.of(self.number, spec)
        return found if odd is None else {split: {**figures, **odd} for split, figures in found.items()}


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("odd", [{"metric": math.nan}, {"metric": -math.inf}, {"loss": math.nan}, {"loss": math.inf}, {"loss": 1e200}])
def test_a_training_that_came_to_no_number_is_told_and_leads_nobody(at: int, odd: dict[str, float]) -> None:
    reading = confirmed(Odd(lambda number, spec: odd if number == at else None))
    said = against_start(asked(ON), [reading])
    assert "nan" not in said.words
    name = next(iter(odd))
    words = f"the {name} is NaN, or too large to compare, after one of eight full trainings, which count as if they had diverged"
    assert any(remark.startswith(words) for remark in reading.remarks)
    assert "diverged" not in said.words


def test_a_metric_that_is_never_a_number_is_no_divergence() -> None:
    reading = confirmed(Odd(lambda number, spec: {"metric": math.nan}))
    assert reading.abstained
    assert "the metric is NaN, or too large to compare, after three of three full trainings" in reading.remarks[0]
    assert "diverged: the lr is too large" not in " ".join(reading.remarks)


def test_it_is_told_how_many_trainings_of_how_many_diverged() -> None:
    class OneFreshDiverges(Seeded):
        def trained(self, spec: RunSpec) -> RunRecord:
            record = super().trained(spec)
            return replace(record, status="diverged", result={}) if spec.seed == 1 and spec.weight_decay == 1e-4 else record

    reading = confirmed(OneFreshDiverges(best_weight_decay=1e-2))
    assert against_start(asked(ON), [reading]).words == "Better than yours. With your settings the training diverged (one of two)."


def test_where_a_training_of_both_diverged_that_is_said() -> None:
    class FreshDiverge(Seeded):
        def trained(self, spec: RunSpec) -> RunRecord:
            record = super().trained(spec)
            return replace(record, status="diverged", result={}) if spec.seed else record

    reading = confirmed(FreshDiverge(best_weight_decay=1e-2))
    words = "Nothing better was found, and yours diverges. recommended.yaml keeps yours all the same."
    assert against_start(asked(ON), [reading]).words == words
