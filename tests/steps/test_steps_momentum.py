"""The momentum step on a simulated network: shapes, floors, constant lr, and the range test that sets nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from hpcheck.analysis.choice import abstain
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, values
from hpcheck.runs.spec import RunSpec, run_id
from hpcheck.steps import momentum, momentum_range_test
from hpcheck.steps.compare import Compared
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Missing, replay
from tests.support.simulated import World, asked, read

KNOWN = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0)


@dataclass
class Prefers(World):
    """A network whose loss is higher by `penalty` for every word in a run's label that it does not like."""

    dislikes: tuple[str, ...] = ()
    penalty: float = 0.3

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        more = self.penalty * sum(word in spec.label for word in self.dislikes)
        rows = tuple({**row, "val_loss": row["val_loss"] + more * min(1.0, row["step"] / spec.steps)} for row in record.rows)
        return replace(record, rows=rows)


@dataclass
class LikesSmallMomentum(World):
    """A network whose loss ends higher where momentum never falls to 0.8."""

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        more = 0.3 * (spec.momentum.smallest > 0.81)
        return replace(record, rows=tuple({**row, "val_loss": row["val_loss"] + more} for row in record.rows))


def labels(world: World, words: str) -> list[str]:
    return sorted(record.spec.label for record in world.records.values() if words in record.spec.label)


def test_where_falling_momentum_leads_no_second_seed_is_run() -> None:
    world = Prefers(dislikes=("constant momentum", "rising momentum"), penalty=0.03)
    reading = read(world, momentum.decide, asked(), KNOWN)
    assert labels(world, " momentum") == ["constant momentum", "falling momentum", "rising momentum"]
    assert (reading.settings.max_momentum, reading.settings.min_momentum) == (0.95, 0.85)


def test_constant_momentum_is_recommended_where_it_is_clearly_better() -> None:
    world = Prefers(fastest=40.0, dislikes=("falling momentum", "rising momentum"), noise=0.002)
    reading = read(world, momentum.decide, asked(), KNOWN)
    assert reading.settings.min_momentum == reading.settings.max_momentum
    assert len(labels(world, "constant momentum")) >= 1


def test_another_floor_hardly_matters_and_the_configs_is_kept() -> None:
    reading = read(World(needed=5.0), momentum.decide, asked("momentum.other_floor=0.8"), KNOWN)
    (item,) = [one for one in reading.evidence if one.setting == "momentum_floor"]
    assert item.status == "tied"
    assert reading.settings.min_momentum == 0.85


def test_another_floor_is_used_where_it_is_better() -> None:
    world = LikesSmallMomentum(needed=5.0, noise=0.002)
    reading = read(world, momentum.decide, asked("momentum.other_floor=0.8"), KNOWN)
    assert reading.settings.min_momentum == 0.8


def test_floors_that_cannot_be_read_leave_the_configs() -> None:
    unread = Compared(abstain("every candidate diverged"), {}, 200)
    (_, item) = momentum._reading(asked(), replace(KNOWN, min_momentum=0.87), None, None, unread).evidence
    assert (item.status, item.value, item.kept) == ("abstained", 0.87, "the config's momentum.floor")


def test_no_floors_are_compared_unless_asked_for() -> None:
    world = World()
    read(world, momentum.decide, asked(), KNOWN)
    assert not labels(world, "falling to")


def test_a_constant_lr_gets_the_best_constant_momentum() -> None:
    world = World()
    reading = read(world, momentum.decide, asked("train.policy=constant"), KNOWN)
    assert reading.settings.min_momentum == reading.settings.max_momentum == 0.95
    assert not labels(world, "falling")


def test_the_lr_scale_of_a_momentum_follows_from_the_momentum_that_the_lr_was_read_with() -> None:
    assert momentum.own_lr(KNOWN, 0.85, known_with=0.85) == 0.3
    assert momentum.own_lr(KNOWN, 0.95, known_with=0.85) == np.float64(0.3) * (1 - 0.95) / (1 - 0.85)
    assert momentum.own_lr(KNOWN, 0.95, known_with=0.95) == 0.3


def test_a_momentum_range_test_rises_to_just_below_one_and_sets_nothing() -> None:
    world = World(fastest=1e9)
    reading = read(world, momentum_range_test.decide, asked(), KNOWN)
    (record,) = world.records.values()
    rising = values(record.run.momentum, record.run.steps)
    assert rising[0] == 0.7
    assert 0.99 < rising[-1] < 1
    assert len(set(values(record.run.lr, record.run.steps))) == 1
    assert reading.settings == KNOWN
    assert reading.evidence == ()
    assert "shows no optimum (Smith 2018, Fig. 7b)" in reading.remarks[0]
    assert reading.findings == {"shows no optimum"}
    assert reading.panels[0].x_label == "momentum"


def test_a_momentum_range_test_that_turns_is_no_momentum_to_take_either() -> None:
    reading = read(World(fastest=0.4, needed=20.0), momentum_range_test.decide, asked("momentum.steps=1000"), KNOWN)
    assert "no momentum to take" in reading.remarks[0] or "no optimum" in reading.remarks[0]
    assert "0.9, 0.95, 0.97 and 0.99" in reading.remarks[1]


def test_a_momentum_range_test_without_an_lr_says_so() -> None:
    reading = read(World(), momentum_range_test.decide, asked(), replace(KNOWN, max_lr=None, min_lr=None))
    assert reading.remarks == ("no learning rate is known; read one first (lr-range)",)


def test_a_single_value_is_taken_without_a_run_and_its_shapes_are_compared_over_the_configs_range_test() -> None:
    """Fig. 14a: 0.95 falling to 0.8 while the lr rises from 0.001 to 0.04, beside a constant 0.9."""
    given = asked("momentum.values=[0.95]", "momentum.floor=0.8", "momentum.constant=0.9", "momentum.over=range",
                  "lr_range.min=0.001", "lr_range.max=0.04")  # fmt: skip
    world = Prefers(dislikes=("constant momentum", "rising momentum"))
    reading = read(world, momentum.decide, given, KNOWN)
    specs = {record.run.label: record.run for record in world.records.values()}
    assert sorted(specs) == ["constant momentum", "falling momentum", "rising momentum"]
    assert {(spec.lr.points[0][1], spec.lr.points[-1][1]) for spec in specs.values()} == {(0.001, 0.04)}
    ends = {label: (spec.momentum.points[0][1], spec.momentum.points[-1][1]) for label, spec in specs.items()}
    assert ends == {"constant momentum": (0.9, 0.9), "falling momentum": (0.95, 0.8), "rising momentum": (0.8, 0.95)}
    assert (reading.settings.max_momentum, reading.settings.min_momentum) == (0.95, 0.8)
    assert [item.setting for item in reading.evidence] == ["momentum", "momentum_shape"]


def test_a_range_test_of_shapes_rises_though_the_configs_smallest_lr_is_above_its_end() -> None:
    world = World()
    read(world, momentum.decide, asked("momentum.values=[0.95]", "momentum.over=range", "lr_range.min=5"), KNOWN)
    ends = [(record.run.lr.points[0][1], record.run.lr.points[-1][1]) for record in world.records.values()]
    assert ends
    assert all(low < high for low, high in ends)


def test_where_the_configs_constant_momentum_is_best_that_one_is_recommended() -> None:
    given = asked("momentum.values=[0.95]", "momentum.constant=0.9", "momentum.over=range")
    world = Prefers(fastest=40.0, dislikes=("falling momentum", "rising momentum"), noise=0.002)
    reading = read(world, momentum.decide, given, KNOWN)
    assert (reading.settings.max_momentum, reading.settings.min_momentum) == (0.9, 0.9)


def test_rising_momentum_that_reads_best_is_told_and_falling_kept() -> None:
    world = Prefers(fastest=40.0, dislikes=("falling momentum", "constant momentum"), noise=0.002)
    reading = read(world, momentum.decide, asked(), KNOWN)
    (item,) = [one for one in reading.evidence if one.setting == "momentum_shape"]
    assert reading.settings.min_momentum < reading.settings.max_momentum
    assert item.value == "falling"
    assert item.reason == "rising momentum has the best validation loss, against the paper; falling momentum is kept (4.3, Remark 5)"


def test_shapes_that_diverge_at_the_lr_of_falling_momentum_are_not_called_worse() -> None:
    reading = read(World(), momentum.decide, asked(), KNOWN)
    (item,) = [one for one in reading.evidence if one.setting == "momentum_shape"]
    assert item.reason.startswith("falling momentum alone did not diverge at the lr that was read with it; constant and rising")


def test_where_no_shape_can_be_read_a_constant_momentum_stays_one() -> None:
    @dataclass
    class NoShapes(World):
        def trained(self, spec: RunSpec) -> RunRecord:
            record = super().trained(spec)
            shaped = any(f"{shape} momentum" in spec.label for shape in momentum.SHAPES)
            return replace(record, status="diverged") if shaped else record

    held = replace(KNOWN, max_lr=0.1, max_momentum=0.9, min_momentum=0.9)
    reading = read(NoShapes(), momentum.decide, asked("momentum.values=[0.9]"), held)
    assert reading.abstained
    assert (reading.settings.max_momentum, reading.settings.min_momentum) == (0.9, 0.9)
    assert reading.evidence[-1].kept == "constant momentum"


def test_a_range_test_may_begin_at_an_lr_of_0() -> None:
    world = World()
    read(world, momentum.decide, asked("momentum.over=range", "lr_range.min=0", "lr_range.max=0.5"), KNOWN)
    assert all(record.run.lr.points[0][1] == 0 for record in world.records.values() if "falling momentum" in record.spec.label)


def test_the_papers_four_momenta_are_tried_and_the_one_that_performs_best_is_taken() -> None:
    world = Prefers(dislikes=("momentum 0.9,", "momentum 0.95,", "momentum 0.99,"), noise=0.002)
    reading = read(world, momentum.decide, asked("momentum.cyclical=false"), KNOWN)
    assert {record.run.momentum.largest for record in world.records.values()} == {0.9, 0.95, 0.97, 0.99}
    assert reading.settings.max_momentum == 0.97


def test_a_constant_lr_was_read_with_the_largest_momentum_and_a_cycles_with_the_smallest() -> None:
    for policy, highest in (("constant", 2 * 0.3), ("1cycle", 2 * 0.3 * 0.05 / 0.15)):
        first = next(momentum.decide(asked(f"train.policy={policy}"), KNOWN))
        assert [spec.lr.largest for spec in first if spec.momentum.largest == 0.95] == [pytest.approx(highest)]


ON = "confirm.trainings=8"


def test_momenta_are_looked_at_as_they_will_be_used_where_full_trainings_follow() -> None:
    """As the outer value of a short 1cycle, the lr scaled by 1 - m, the user's own momentum among them."""
    question = asked(ON, "start.momentum={max: 0.93, min: 0.8}")
    settings = replace(KNOWN, max_momentum=0.93, min_momentum=0.8)
    outcome = replay(momentum.decide, question, settings, World().find)
    assert isinstance(outcome, Missing)
    runs = {max(value for _, value in spec.momentum.points): spec for spec in outcome.specs}
    assert list(runs) == [0.9, 0.93, 0.95, 0.97, 0.99]
    tops = {value: max(lr for _, lr in spec.lr.points) for value, spec in runs.items()}
    assert tops[0.93] == settings.max_lr
    assert tops[0.97] == pytest.approx((settings.max_lr or 0) * 3 / 7, rel=0.05)
    assert min(value for _, value in runs[0.93].momentum.points) == 0.8
    assert all(spec.lr.points[0][1] < tops[value] for value, spec in runs.items())  # a cycle, no ramp to the end


def test_a_tie_keeps_the_users_own_momentum_and_its_shape() -> None:
    class Blind(World):
        """Momentum and lr make no difference."""

        def trained(self, spec):
            return super().trained(replace(spec, lr=constant(0.05), momentum=constant(0.9)))

        def find(self, spec):
            return self.records.get(run_id(spec, "simulated"))

        def execute(self, spec):
            record = self.trained(spec)
            self.records[run_id(spec, "simulated")] = replace(record, run_id=run_id(spec, "simulated"), spec=spec)

    own = replace(KNOWN, max_momentum=0.97, min_momentum=0.85)
    reading = read(Blind(), momentum.decide, asked(ON, "start.momentum={max: 0.97, min: 0.85}"), own)
    assert (reading.settings.max_momentum, reading.settings.min_momentum) == (0.97, 0.85)
    held = replace(KNOWN, max_momentum=0.9, min_momentum=0.9)
    reading = read(Blind(), momentum.decide, asked(ON, "start.momentum=0.9"), held)
    assert (reading.settings.max_momentum, reading.settings.min_momentum) == (0.9, 0.9)
    assert reading.settings.max_lr == pytest.approx(held.max_lr, rel=0.05)
