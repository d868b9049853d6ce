"""The lr-range step's further readings on a simulated network: ramp speed, overlays, minimum lr, policies."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hpcheck.analysis.choice import Choice
from hpcheck.recommendation import recommended, wording
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, values
from hpcheck.runs.spec import RunSpec, run_id
from hpcheck.steps import lr_range, train
from hpcheck.steps.build_runs import cycle, short_steps
from hpcheck.steps.policies import lr_over, momentum_over
from hpcheck.steps.range_tests import sweep_spec
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.start import start_settings
from tests.support.simulated import World, asked, read

KNOWN = Settings(100, 0.5, 0.05, 0.95, 0.85, 1e-4, 10.0)  # 1,000 steps of the simulated 10,000 examples
LONG = ("lr_range.steps=800",)


def reading_of(world: World, *overrides: str) -> Reading:
    question = asked(*overrides)
    return read(world, lr_range.decide, question, start_settings(question.config))


def runs(world: World, words: str) -> list[RunRecord]:
    return [record for record in world.records.values() if words in record.spec.label]


@dataclass
class RampSpeedLimited(World):
    """A network that diverges where the lr has risen too fast, whatever it is."""

    steps_needed: int = 600

    def trained(self, spec: RunSpec) -> RunRecord:
        if "range test" not in spec.label or spec.steps - spec.at_step >= self.steps_needed:
            return super().trained(spec)
        return World(self.fastest / 8, self.best_weight_decay, self.needed, self.noise).trained(spec)


@dataclass
class OverfitsBelow(World):
    """A network that overfits at a constant lr below a limit and does not begin to converge above another."""

    converges_up_to: float = 1.0

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        if "constant lr" not in spec.label or spec.lr.largest <= self.converges_up_to:
            return record
        random = np.random.default_rng(3)
        return replace(record, rows=tuple({**row, "val_loss": math.log(10) + random.normal(0, 0.01)} for row in record.rows))


def test_a_second_ramp_twice_as_fast_tells_whether_the_first_was_too_fast() -> None:
    world = World()
    reading = reading_of(world, *LONG)
    (faster,) = runs(world, "2 times as fast")
    assert faster.run.steps == 400
    words = [remark for remark in reading.remarks if remark.startswith("let the lr rise")]
    assert len(words) == 1
    assert "read the same limit" in words[0]


def test_a_limit_that_rises_with_the_ramps_length_is_read_from_a_longer_ramp() -> None:
    world = RampSpeedLimited()
    reading = reading_of(world, "lr_range.steps=400", "lr_range.max=0.6")
    lengths = sorted(record.run.steps for record in runs(world, "range test") if record.run.parent is None)
    assert lengths[-1] >= 800
    assert reading.settings.max_lr is not None
    assert reading.settings.max_lr > 0.1  # an eighth of the true limit is what the fast ramps would have given


def test_a_limit_near_which_no_1cycle_came_through_is_not_sure() -> None:
    limit = Choice(0.4, (0.3, 0.5), "high", "chosen", "the loss turns")
    scores = ((0.05, 0.3, 0.01), (0.2, 0.4, 0.01), (0.8, math.inf, 0.0))
    cycles = Choice(0.1, (0.05, 0.2), "high", "chosen", "in the middle", scores=scores)
    lower = lr_range.beside_cycles(limit, cycles)
    assert lower.confidence == "medium"
    assert "medium confidence, since no short 1cycle with a maximum near it came through" in lower.reason
    assert lr_range.beside_cycles(limit, replace(cycles, scores=(*scores, (0.3, 0.5, 0.01)))) == limit


@pytest.mark.parametrize(("epochs", "longest"), [(5, 800), (10, 800), (15, 1172), (60, 1600)])  # 781 iterations are ten epochs
def test_no_run_is_lengthened_beyond_a_full_training_but_to_800_anyway(epochs: int, longest: int) -> None:
    world = World(needed=math.inf)  # nothing is learnt at any lr
    reading = reading_of(world, "lr_range.steps=200", f"budget.epochs={epochs}")
    assert reading.abstained
    assert max(record.run.steps for record in world.records.values()) == longest


def test_a_network_that_knows_no_more_than_a_constant_answer_gets_longer_runs_and_then_no_lr() -> None:
    """The loss of the classes' shares alone is 0.3; short runs come down to it from 2.3 at many maxima and no further."""
    learnt, shares = (World(), World())
    question = asked(*LONG)
    assert not read(learnt, lr_range.decide, question, start_settings(question.config)).abstained
    imbalanced = replace(question, facts=replace(question.facts, constant_loss=0.3))
    reading = read(shares, lr_range.decide, imbalanced, start_settings(question.config))
    (item,) = reading.evidence
    assert (item.status, item.reason) == ("abstained", "no maximum learns more than a constant answer knows (loss 0.3)")


def test_a_ramp_that_went_on_upwards_is_not_made_again_because_the_faster_one_ended_lower() -> None:
    world = World()
    reading_of(world, "lr_range.max=0.3", *LONG)
    assert any(record.run.parent is not None for record in world.records.values())
    assert {record.run.steps for record in runs(world, "range test") if record.run.parent is None} == {400, 800}


def test_the_fewest_evaluations_that_a_config_may_ask_for_are_enough_to_read() -> None:
    assert not reading_of(World(), "budget.evals=7", *LONG).abstained


def test_a_ramp_that_the_sweep_leaves_no_room_for_is_not_run_and_why_is_said() -> None:
    """`lr_range.min` alone is known to be too large only once the sweep has found the end: 4 (1 - 0.95), twice."""
    world = World()
    reading = reading_of(world, "lr_range.min=5", "start.max_lr=0.1", *LONG)
    assert not runs(world, "range test")
    (item,) = reading.evidence
    assert (item.status, item.value, reading.settings.max_lr) == ("abstained", 0.1, 0.1)
    assert item.reason.startswith("lr_range.min is 5, but the ramp ends at 0.")
    assert reading.abstained


def test_a_stepsize_is_recommended_from_the_fastest_ramp_that_was_confirmed() -> None:
    world = World()
    reading_of(world, *LONG)
    (faster,) = runs(world, "2 times as fast")
    low, high = faster.run.lr.smallest, faster.run.lr.largest
    tested = lr_range.RangeTested(None, None, (runs(world, "range test")[0],), None, faster)  # type: ignore[arg-type]
    assert lr_range.shortest_sound_stepsize(tested, high, low) == 400
    assert lr_range.shortest_sound_stepsize(tested, low + (high - low) / 4, low) == 100


def test_weight_decays_are_overlaid_in_one_picture_and_set_nothing() -> None:
    plain, overlaid = World(), World()
    settings = reading_of(plain, *LONG).settings
    reading = reading_of(overlaid, *LONG, "lr_range.weight_decays=[1e-3, 1e-4, 0]")
    assert reading.settings == settings
    (panel,) = [panel for panel in reading.panels if "several weight decays" in panel.title]
    assert [line.label for line in panel.series] == ["weight decay 0", "weight decay 0.0001", "weight decay 0.001"]
    ramps = [record.run for record in overlaid.records.values() if "range test" in record.spec.label and record.run.steps == 800]
    assert {spec.weight_decay for spec in ramps} == {0.0, 1e-4, 1e-3}
    assert len({spec.lr for spec in ramps}) == 1
    assert any(remark.startswith("lr limit by weight decay: 0: ") for remark in reading.remarks)


def test_range_tests_alone_read_the_limit_and_set_no_lr() -> None:
    world = World()
    reading = reading_of(world, *LONG, "lr_range.cycles=false", "lr_range.weight_decays=[1e-3]")
    assert [item.setting for item in reading.evidence] == ["lr_limit"]
    assert reading.evidence[0].value is not None
    assert reading.settings.max_lr is None
    assert not runs(world, "1cycle")
    assert any("several weight decays" in panel.title for panel in reading.panels)
    given = reading_of(World(), *LONG, "lr_range.cycles=false", "start.max_lr=0.2")
    assert given.settings.max_lr == 0.2


def test_the_minimum_lr_by_runs_is_the_largest_at_which_training_begins_well() -> None:
    world = OverfitsBelow(converges_up_to=0.05, needed=20.0)
    reading = reading_of(world, "lr_range.min_lr_rule=runs", *LONG)
    (item,) = [one for one in reading.evidence if one.setting == "min_lr"]
    tried = sorted(record.run.lr.largest for record in runs(world, "constant lr"))
    assert len(tried) == 3
    assert item.value == max(lr for lr in tried if lr <= 0.05)
    assert reading.settings.min_lr == item.value


def test_where_training_begins_well_at_no_minimum_a_tenth_is_kept() -> None:
    reading = reading_of(OverfitsBelow(converges_up_to=0.0), "lr_range.min_lr_rule=runs", *LONG)
    (item,) = [one for one in reading.evidence if one.setting == "min_lr"]
    assert (item.status, item.kept) == ("abstained", "a tenth of the largest")
    assert reading.settings.max_lr is not None
    assert reading.settings.min_lr == pytest.approx(reading.settings.max_lr / 10)


def test_a_minimum_found_by_runs_keeps_its_share_when_the_lr_moves() -> None:
    settings = replace(KNOWN, max_lr=0.6, min_lr=0.2)
    assert lr_range.with_lr(asked("lr_range.min_lr_rule=runs"), settings, 0.3).min_lr == pytest.approx(0.1)


def test_repeated_cycles_start_from_a_quarter_by_default_and_1cycle_from_a_tenth() -> None:
    assert lr_range.with_lr(asked("lr_range.policy=triangular"), KNOWN, 0.4).min_lr == 0.1
    assert lr_range.with_lr(asked(), KNOWN, 0.4).min_lr == 0.04
    assert lr_range.with_lr(asked("lr_range.policy=triangular", "lr_range.min_lr_rule=max/3"), KNOWN, 0.3).min_lr == 0.1


@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range"])
def test_short_runs_and_the_training_follow_the_configs_policy(policy: str) -> None:
    world, question = World(), asked(f"lr_range.policy={policy}", *LONG)
    reading = read(world, lr_range.decide, question, start_settings(question.config))
    assert {record.run.lr for record in runs(world, f"{policy} to ")}
    final = train.final_run(question, KNOWN, "recommended")
    stepsize = 1000 // 8  # four cycles
    assert final.lr == lr_over(policy, 0.5, 0.05, stepsize, 1000)
    assert final.momentum == momentum_over(policy, 0.95, 0.85, stepsize, 1000)
    block = recommended.settings_block(question, [reading])["learning_rate"]
    assert block["policy"] == policy
    assert "final" not in block
    assert wording.lr_words(block)[1].startswith(policy)


def test_momentum_is_smallest_where_the_lr_is_largest_under_every_cyclical_policy() -> None:
    for policy in ("triangular", "triangular2", "exp_range"):
        lr, momentum = values(lr_over(policy, 0.5, 0.05, 125, 1000), 1000), values(momentum_over(policy, 0.95, 0.85, 125, 1000), 1000)
        assert np.argmax(lr[:250]) == np.argmin(momentum[:250]) == 125
        assert momentum[0] == 0.95


def test_a_constant_lr_is_read_from_constant_runs_and_is_smaller_than_a_cycles_maximum() -> None:
    world, cyclical = World(), World()
    reading = reading_of(world, "train.policy=constant", *LONG)
    assert all(record.run.lr == constant(record.run.lr.largest) for record in runs(world, "constant to "))
    largest = reading_of(cyclical, *LONG).settings.max_lr
    assert reading.settings.max_lr is not None
    assert largest is not None
    assert reading.settings.max_lr < largest


def test_the_authors_advice_on_a_constant_lr_comes_with_a_number() -> None:
    reading = reading_of(World(), *LONG)
    assert reading.settings.max_lr is not None
    assert any(remark.startswith("to train at a constant lr, take ") for remark in reading.remarks)


def test_no_sweep_is_made_beside_the_last_ramp() -> None:
    world = World(needed=1e9)  # it never learns
    assert reading_of(world).abstained
    sweeps, ramps = (sorted(record.run.steps for record in runs(world, words)) for words in ("lr sweep", "lr range test"))
    assert len(sweeps) == len(ramps)
    assert max(sweeps) < max(ramps)


def test_a_ramp_may_begin_at_an_lr_of_0() -> None:
    world = World()
    read_from = reading_of(world, "lr_range.min=0")
    assert all(record.run.lr.points[0][1] == 0 for record in runs(world, "lr range test"))
    assert not read_from.abstained


def test_the_ramp_is_a_straight_line_from_a_hundredth_of_its_end_and_momentum_falls_unless_told_to_stay() -> None:
    for momentum, ends in (("falling", (0.95, 0.85)), ("constant", (0.95, 0.95))):
        world = World()
        reading_of(world, "lr_range.max=0.5", "lr_range.cycles=false", f"lr_range.momentum={momentum}", *LONG)
        (spec,) = [record.run for record in runs(world, "lr range test") if record.spec.label == "lr range test to 0.5"]
        assert values(spec.lr, spec.steps) == pytest.approx(np.linspace(0.005, 0.5, 800))
        assert values(spec.momentum, spec.steps) == pytest.approx(np.linspace(*ends, 800))


def test_the_lr_is_read_again_about_the_known_one_with_the_other_settings_as_they_are_now() -> None:
    world = World()
    now = replace(KNOWN, total_batch_size=256, max_lr=0.1, max_momentum=0.9, min_momentum=0.8, weight_decay=1e-3)
    reading = read(world, lr_range.reprobe, asked(), now)
    specs = [record.run for record in world.records.values()]
    assert {0.025, 0.1, 0.4} <= {spec.lr.largest for spec in specs}
    assert {(spec.total_batch_size, spec.momentum.largest, spec.momentum.smallest) for spec in specs} == {(256, 0.9, 0.8)}
    assert {spec.weight_decay for spec in specs} == {1e-3}
    assert reading.settings.max_lr != 0.1
    assert replace(reading.settings, max_lr=0.1, min_lr=now.min_lr) == now


def test_an_lr_that_cannot_be_read_again_stays_as_it_was_known() -> None:
    reading = read(World(needed=1e9), lr_range.reprobe, asked("start.max_lr=0.3"), replace(KNOWN, max_lr=0.1))
    (item,) = reading.evidence
    assert (item.status, item.value, item.kept) == ("abstained", 0.1, "the lr known before")


def test_a_training_whose_stepsize_is_too_short_for_its_lr_is_warned_of() -> None:
    (words,) = [remark for remark in reading_of(World(), *LONG, "budget.epochs=1").remarks if remark.startswith("let the lr rise")]
    assert "too few: train longer, or with a smaller maximum" in words


def test_a_range_that_turns_nowhere_is_the_sign_of_super_convergence() -> None:
    bears_all, turns = World(fastest=1e9), World()
    told = [
        any("super-converge" in remark for remark in reading_of(world, "lr_range.max=0.3", *LONG).remarks) for world in (bears_all, turns)
    ]
    assert told == [True, False]


def test_each_later_cycle_of_triangular2_is_half_as_high_and_momentum_follows() -> None:
    for policy, height in (("triangular", 1.0), ("triangular2", 0.5)):
        lr, momentum = values(lr_over(policy, 0.5, 0.1, 100, 400), 400), values(momentum_over(policy, 0.95, 0.85, 100, 400), 400)
        assert (lr[300], momentum[300]) == pytest.approx((0.1 + 0.4 * height, 0.95 - 0.1 * height))


def test_where_a_faster_ramp_turned_earlier_the_stepsize_is_that_of_the_slower_one() -> None:
    world = World()
    reading_of(world, *LONG)
    (slower,), (faster,) = ([one for one in runs(world, "range test") if one.run.steps == steps] for steps in (800, 400))
    tested = lr_range.RangeTested(None, None, (slower,), None, faster, speed_matters=True)  # type: ignore[arg-type]
    assert lr_range.shortest_sound_stepsize(tested, slower.run.lr.largest, slower.run.lr.smallest) == 800


def test_a_smallest_lr_that_was_given_with_the_largest_goes_when_that_moves() -> None:
    question = asked("start.max_lr=0.5", "start.min_lr=0.2")
    assert [lr_range.with_lr(question, KNOWN, lr).min_lr for lr in (0.5, 0.3)] == [0.2, 0.03]


def test_the_constant_lr_that_is_advised_is_at_most_half_the_maximum() -> None:
    reading = reading_of(World(), *LONG)
    (words,) = [remark for remark in reading.remarks if remark.startswith("to train at a constant lr, take ")]
    assert float(words.split(", take ")[1].split()[0]) == pytest.approx((reading.settings.max_lr or 0.0) / 2, rel=0.05)


def test_a_range_test_that_goes_on_keeps_its_speed_and_the_momentum_it_had_come_down_to() -> None:
    world = World()
    reading_of(world, "lr_range.max=0.3", *LONG)
    spec = next(record.run for record in world.records.values() if record.run.parent is not None)
    before = world.records[spec.parent or ""].run
    assert set(values(spec.momentum, 800)) == {0.85}
    assert values(spec.lr, 2)[0] == 0.3
    assert np.diff(values(spec.lr, 2)) == pytest.approx(np.diff(values(before.lr, 2)))


def test_the_sweep_spans_the_lrs_that_the_optimizer_may_need() -> None:
    for optimizer, ends in (("sgd", (1e-5, 10.0)), ("adamw", (1e-6, 1.0))):
        spec = sweep_spec(asked(f"optimizer={optimizer}"), KNOWN, 400)
        assert values(spec.lr, spec.steps)[[0, -1]] == pytest.approx(ends)


@pytest.mark.parametrize("policy", ["1cycle", "triangular"])
def test_a_short_cycle_is_the_same_run_whichever_step_asks_for_it(policy: str) -> None:
    """0.013/10 and 0.0013 are two numbers to a computer, and would be two runs of the same cycle."""
    question = asked(f"lr_range.policy={policy}")
    settings = start_settings(question.config)
    steps = short_steps(question, "lr_range", settings)
    for exponent in range(-4, 0):
        tries = [float(f"{figure}e{exponent - 1}") for figure in range(10, 100)]
        asks = next(lr_range.survivors(question, settings, tries, 1.0))
        elsewhere = [cycle(question, lr_range.with_lr(question, settings, lr), steps, "another step's") for lr in tries]
        assert [run_id(spec, "") for spec in asks] == [run_id(spec, "") for spec in elsewhere]


def test_the_users_smallest_lr_is_used_where_the_users_largest_is_tried() -> None:
    question = asked("start.max_lr=0.3", "start.min_lr=0.001")
    (asks,) = next(lr_range.survivors(question, start_settings(question.config), [0.3], 1.0))
    assert isinstance(asks, RunSpec)
    assert asks.lr.points[0] == (0, 0.001)
