"""Steps find the settings of a simulated network whose best settings are known."""

from dataclasses import replace

import pytest

from hpcheck.runs.spec import RunSpec, TimingSpec
from hpcheck.steps import batch, lr_range, momentum, train, weight_decay
from hpcheck.steps.build_runs import evaluations, part, short_steps
from hpcheck.steps.order import STEPS, Replays
from hpcheck.steps.reading import Settings
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Facts, Missing, replay
from tests.support.simulated import World, asked, read

KNOWN = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0)


def test_the_largest_stable_lr_is_found_from_nothing() -> None:
    # speed lr/(1-momentum) may reach 4 and the momentum is 0.85 at the top of the cycle: 0.6 is the largest lr that does not diverge
    reading = read(World(), lr_range.decide, asked(), start_settings(asked().config))
    assert reading.settings.max_lr is not None
    assert 0.15 <= reading.settings.max_lr <= 0.6
    assert reading.settings.min_lr == pytest.approx(reading.settings.max_lr / 10)


def test_the_recommended_lr_has_been_run_twice_and_never_diverged() -> None:
    world = World()
    reading = read(world, lr_range.decide, asked(), start_settings(asked().config))
    runs = [record for record in world.records.values() if record.run.lr.largest == reading.settings.max_lr and not record.diverged]
    assert len({record.run.seed for record in runs}) >= 2


@pytest.mark.parametrize("fastest", [0.04, 0.4, 4.0, 40.0])
def test_the_lr_scales_with_the_network(fastest: float) -> None:
    reading = read(World(fastest=fastest, needed=15 * fastest), lr_range.decide, asked(), start_settings(asked().config))
    assert reading.settings.max_lr is not None
    assert 0.25 <= reading.settings.max_lr / (fastest * 0.15) <= 1.0


def test_a_range_that_ends_too_early_is_continued_not_begun_again() -> None:
    world = World()
    read(world, lr_range.decide, asked("lr_range.max=0.2"), start_settings(asked().config))
    continued = [record.run for record in world.records.values() if record.run.parent is not None]
    assert continued
    assert all(spec.at_step > 0 and spec.parent in world.records for spec in continued)


def test_noise_alone_gives_no_number() -> None:
    reading = read(World(needed=1e9), lr_range.decide, asked(), start_settings(asked().config))
    assert reading.abstained
    assert reading.settings.max_lr is None
    assert reading.evidence[0].kept == "no value"


def test_an_abstention_keeps_the_users_own_lr() -> None:
    question = asked("start.max_lr=0.05")
    reading = read(World(needed=1e9), lr_range.decide, question, start_settings(question.config))
    assert reading.abstained
    assert reading.settings.max_lr == 0.05
    assert reading.evidence[0].kept == "start"


@pytest.mark.parametrize("best", [1e-2, 1e-3, 1e-4, 1e-6])
def test_weight_decay_is_bisected_and_extrapolated_to_its_best(best: float) -> None:
    world = World(best_weight_decay=best, noise=0.002)
    reading = read(world, weight_decay.decide, asked(), KNOWN)
    assert best / 3.2 <= reading.settings.weight_decay <= best * 3.2


def test_a_snapshot_finds_the_same_weight_decay_for_less() -> None:
    whole, forked = World(noise=0.002), World(noise=0.002)
    grid = read(whole, weight_decay.decide, asked(), KNOWN)
    snapshot = read(forked, weight_decay.decide, asked("wd_grid.from_snapshot=true"), KNOWN)
    assert snapshot.settings.weight_decay == grid.settings.weight_decay
    children = [record.run for record in forked.records.values() if record.run.parent is not None]
    assert len({spec.parent for spec in children if "from the snapshot" in spec.label}) == 1


def test_batch_sizes_are_compared_at_equal_time() -> None:
    world = World()
    reading = read(world, batch.decide, asked(), KNOWN)
    cost = {
        record.run.total_batch_size: record.run.steps * (world.seconds_a_step + record.run.total_batch_size * world.seconds_an_example)
        for record in world.records.values()
        if isinstance(record.spec, RunSpec)
    }
    assert {64, 128, 256} <= set(cost) <= {64, 128, 256, 512}
    assert max(cost.values()) / min(cost.values()) < 1.5  # each within a fifth of the same time: half a grid step, and rounding
    assert reading.settings.total_batch_size in cost


def test_a_larger_batch_keeps_the_trainings_execution_time() -> None:
    seconds = {128: 0.1, 512: 0.2}  # twice the examples a second
    assert batch.equal_time_epochs(KNOWN, seconds, 512) == 20.0


def test_no_batch_size_is_larger_than_the_training_set() -> None:
    assert max(batch.candidate_sizes(asked("batch.sizes=[64, 20000]"), KNOWN)) <= 10_000


def test_each_momentum_is_judged_at_its_own_lr() -> None:
    speeds = {value: momentum.own_lr(KNOWN, value, known_with=0.85) / (1 - value) for value in (0.9, 0.95, 0.99)}
    assert max(speeds.values()) == pytest.approx(min(speeds.values()))


def test_momenta_that_only_differ_in_speed_are_tied_and_the_papers_value_is_kept() -> None:
    reading = read(World(), momentum.decide, asked(), KNOWN)
    assert reading.settings.max_momentum == 0.95
    assert reading.settings.min_momentum == 0.85


def test_every_plan_is_bounded_and_a_read_step_asks_for_nothing_more() -> None:
    world = World()
    for name, decide in STEPS.items():
        if name == "train":
            continue
        settings = start_settings(asked().config) if name == "lr-range" else KNOWN
        read(world, decide, asked(), settings)
        before = len(world.records)
        replay(decide, asked(), settings, world.find)
        assert len(world.records) == before


def test_timings_are_not_made_again_for_another_seed() -> None:
    world = World()
    read(world, batch.decide, asked(), KNOWN)
    read(world, batch.decide, asked("seed=7"), KNOWN)
    assert sum(isinstance(record.spec, TimingSpec) for record in world.records.values()) == 1


def test_a_default_written_out_is_the_same_run() -> None:
    assert part("optimizers", "sgd", {"velocity": "pytorch"}) == part("optimizers", "sgd", {})
    assert part("optimizers", "sgd", {"velocity": "caffe"}) != part("optimizers", "sgd", {})
    assert part("models", "mlp", {"hidden": [64, 64]}) == part("models", "mlp", {})


def test_a_training_from_the_users_own_settings_alone_is_among_the_readings() -> None:
    question, world = asked("start.max_lr=0.1", "train.repeats=2"), World()
    read(world, STEPS["train"], question, Replays(question, world.find).settings_before("train"))
    (reading,) = Replays(question, world.find).readings()
    assert reading.step == "train"
    assert reading.settings.max_lr == 0.1


def test_final_runs_on_all_data_count_the_held_out_part_only_where_something_is_held_out() -> None:
    held_out, on_test = asked("train.fit=all"), asked("train.fit=all", "data.validate_on=test")
    assert train.trained_on(held_out).facts.train_examples == 11_000
    assert train.trained_on(on_test).facts.train_examples == 10_000
    assert train.trained_on(asked()).facts.train_examples == 10_000


def test_a_single_final_run_has_no_standard_deviation() -> None:
    question, world = asked("start.max_lr=0.1", "train.repeats=1"), World()
    spec = train.repeats(question, KNOWN, "recommended")[0]
    record = replace(world.trained(spec), result={"test": {"metric": 0.9}})
    assert train.summary([record])["test"] == {"metric": 0.9, "each": [0.9]}


def test_a_batch_size_that_stays_keeps_its_epochs() -> None:
    question = asked("batch.sizes=[128]")
    reading = read(World(), batch.decide, question, replace(KNOWN, epochs=137.0))
    assert reading.settings.epochs == 137.0


def test_a_snapshot_that_diverged_gives_way_to_the_whole_grid() -> None:
    too_large = replace(KNOWN, max_lr=50.0, min_lr=5.0)
    reading = read(World(), weight_decay.decide, asked("wd_grid.from_snapshot=true"), too_large)
    assert "the run up to the snapshot diverged, so the whole grid was run" in reading.remarks


def test_an_interrupted_earlier_step_is_named() -> None:
    question, world = asked("start.max_lr=0.1"), World()
    assert not list(Replays(question, world.find).unfinished_before("momentum"))
    wanted = replay(lr_range.decide, question, start_settings(question.config), world.find)
    assert isinstance(wanted, Missing)
    world.execute(wanted.specs[0])
    assert list(Replays(question, world.find).unfinished_before("momentum")) == ["lr-range"]
    assert list(Replays(question, world.find).unfinished_before("lr-range")) == []
    read(world, lr_range.decide, question, start_settings(question.config))
    assert list(Replays(question, world.find).unfinished_before("momentum")) == []


@pytest.mark.parametrize(
    ("steps", "cycles", "due"),
    [(["lr-range"], True, False), (["lr-range", "wd-grid"], True, True), (["lr-range", "wd-grid"], False, False)],
)
def test_the_lr_is_probed_again_only_where_it_was_read_and_may_have_moved_since(steps: list[str], cycles: bool, due: bool) -> None:
    question = asked("start.max_lr=0.1", "budget.evals=25", f"lr_range.cycles={str(cycles).lower()}")
    world = World(best_weight_decay=1e-2, noise=0.002)
    for step in steps:
        read(world, STEPS[step], question, Replays(question, world.find).settings_before(step))
    replays = Replays(question, world.find)
    assert replays.settings_before("lr-reprobe").weight_decay == (1e-2 if "wd-grid" in steps else 1e-4)
    assert replays.is_due("lr-reprobe") == due
    assert not list(replays.unfinished_before("train"))


def test_adamws_momentum_is_an_average_so_every_beta_has_the_same_lr_scale() -> None:
    question, world = asked("optimizer=adamw"), World(fastest=1e9)
    read(world, momentum.decide, question, replace(KNOWN, max_lr=1e-3, min_lr=1e-4))
    ramps = [record.run for record in world.records.values() if "lr to" in record.spec.label and record.run.seed == 0]
    assert {spec.momentum.largest for spec in ramps} == {0.85, 0.9, 0.95}
    assert len({spec.lr for spec in ramps}) == 1


def test_decoupled_weight_decay_has_a_grid_of_its_own() -> None:
    assert weight_decay.grid_values(asked("optimizer=adamw")) == (1e-3, 1e-2, 1e-1)
    assert weight_decay.grid_values(asked("optimizer=adamw", "wd_grid.values=[0.3]")) == (0.3,)


def test_a_sweep_too_short_to_learn_is_made_again_with_the_longer_ramp() -> None:
    """It brackets nothing, and a ramp to its end passes what trains in its first evaluations."""
    world = World(needed=1500.0, noise=0.1)
    reading = read(world, lr_range.decide, asked(), start_settings(asked().config))
    sweeps = [record.run.steps for record in world.records.values() if record.run.label == "lr sweep"]
    assert sweeps == [100, 200]
    assert reading.settings.max_lr is not None


@pytest.mark.parametrize(("size", "steps"), [(64, 200), (128, 200), (256, 141), (2048, 100)])
def test_short_runs_at_a_larger_batch_than_the_starts_need_fewer_iterations(size: int, steps: int) -> None:
    question = asked("budget.epochs=1")
    assert short_steps(question, "momentum", replace(KNOWN, total_batch_size=size, epochs=1)) == steps


def test_the_configs_own_length_holds_at_every_batch_size() -> None:
    assert short_steps(asked("momentum.steps=300"), "momentum", replace(KNOWN, total_batch_size=2048)) == 300


@pytest.mark.parametrize("override", ["momentum.cyclical=false", "train.policy=constant", "momentum.floor=0.9"])
def test_a_single_momentum_is_taken_without_a_run(override: str) -> None:
    replays = Replays(asked("start.max_lr=0.1", "momentum.values=[0.9]", override), lambda _: None)
    settings = replays.settings_before("train")
    assert (settings.max_momentum, settings.min_momentum) == (0.9, 0.9)
    (reading,) = replays.readings()
    (item,) = reading.evidence
    assert (item.setting, item.status, item.confidence, item.value) == ("momentum", "chosen", "none", {"max": 0.9, "min": 0.9})
    assert "taken without a run" in item.reason


def test_with_few_validation_examples_no_confidence_is_more_than_low() -> None:
    few = replace(asked(), facts=replace(asked().facts, val_examples=15))
    for question, told in ((asked(), False), (few, True)):
        world, replays = World(noise=0.002), None
        read(world, lr_range.decide, question, start_settings(question.config))
        replays = Replays(question, world.find)
        (reading,) = replays.readings()
        assert any("only 15 validation examples" in remark for remark in reading.remarks) == told
        assert {item.setting: item.confidence for item in reading.evidence if item.setting == "lr_limit"} == {
            "lr_limit": "low" if told else "medium"
        }
        assert not told or {item.confidence for item in reading.evidence} == {"low"}


def test_each_step_starts_from_what_those_ahead_of_it_recommended() -> None:
    question, world = asked("start.momentum=0.9", "batch.sizes=[128]"), World()
    known = start_settings(question.config)
    for name, following in (("lr-range", "batch"), ("batch", "momentum"), ("momentum", "wd-grid")):
        known = read(world, STEPS[name], question, known).settings
        assert Replays(question, world.find).settings_before(following) == known
    assert known.max_lr is not None
    assert known.max_momentum == 0.95


def test_no_run_of_the_search_is_measured_on_the_test_split_and_the_final_training_is() -> None:
    world = World()
    for decide in (batch.decide, momentum.decide, weight_decay.decide, lr_range.reprobe):
        read(world, decide, asked(), KNOWN)
    searched = [record.run for record in world.records.values() if isinstance(record.spec, RunSpec)]
    assert {(spec.finally_on, spec.data.validate_on) for spec in searched} == {((), "held-out")}
    assert train.final_run(asked(), KNOWN, "recommended").finally_on == ("val", "test")


@pytest.mark.parametrize(
    ("examples", "overrides", "expected"),
    [
        (20_000, (), 25),  # a twentieth pays for 2,778 examples: 13 subsets of 200, fewer than the least
        (40_000, (), 25),
        (80_000, (), 50),
        (10**9, (), 50),
        (10, (), 25),
        (80_000, ("budget.evals=30",), 30),
        (80_000, ("budget.eval_size=800",), 25),
    ],
)
def test_evaluations_are_as_many_as_a_twentieth_of_the_time_pays_for(examples: int, overrides: tuple[str, ...], expected: int) -> None:
    assert evaluations(asked(*overrides), examples) == expected


def test_evaluations_of_a_small_validation_set_cost_no_more_than_it_has() -> None:
    few = replace(asked(), facts=Facts(10_000, 50))
    assert evaluations(few, 20_000) == 50


def test_a_full_trainings_evaluations_do_not_depend_on_what_short_runs_afford() -> None:
    (long, *_), (given, *_) = (train.repeats(asked(*extra), KNOWN, "recommended") for extra in ((), ("budget.evals=25",)))
    assert long == given
