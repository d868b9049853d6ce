"""The batch step on a simulated network: memory, the lr of each size, and what it says of time."""

from dataclasses import dataclass, field, replace

import pytest

from hpcheck.analysis.choose import Rule
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec, TimingSpec
from hpcheck.steps import batch
from hpcheck.steps.build_runs import examples_of_share
from hpcheck.steps.compare import counting
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.start import start_settings
from tests.support.simulated import World, asked, read

KNOWN = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0)


@dataclass
class Small(World):
    """A device whose memory holds so many examples at a time."""

    holds: int = 10**9
    largest: int | None = None  # what the search finds that was not asked for

    def timed(self, spec: TimingSpec) -> RunRecord:
        whole = super().timed(replace(spec, batch_sizes=(*spec.batch_sizes, *([self.largest] if self.largest else []))))
        fit = [entry for entry in whole.result["sizes"] if entry["size"] <= self.holds]
        too_large = [size for size in spec.batch_sizes if size > self.holds]
        record = super().timed(spec)
        return replace(record, result={"sizes": fit, "too_large": too_large})


@dataclass
class LargerLrDiverges(World):
    """A network that bears the lr of the start's batch size and none above it, whatever the batch."""

    bears: float = 0.3

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        worse = [{**row, "val_loss": 2.3, "metric": 0.1} for row in record.rows]
        return replace(record, rows=tuple(worse), status="diverged") if spec.lr.largest > self.bears else record


def lrs_run(world: World, size: int) -> set[float]:
    specs = [record.spec for record in world.records.values()]
    return {spec.lr.largest for spec in specs if isinstance(spec, RunSpec) and spec.total_batch_size == size}


def told(reading: Reading, words: str) -> dict[str, str]:
    """A remark of the form `words: size: value, size: value`."""
    (remark,) = [remark.removeprefix(f"{words}: ") for remark in reading.remarks if remark.startswith(f"{words}: ")]
    return dict(part.split(": ") for part in remark.split(", "))


def test_a_larger_batch_is_tried_at_its_neighbours_lr_and_in_proportion_to_its_size() -> None:
    world = World(fastest=40.0)
    read(world, batch.decide, asked("batch.sizes=[64, 128, 256]"), KNOWN)
    assert lrs_run(world, 64) == {0.15}
    assert lrs_run(world, 128) == {0.3}
    assert lrs_run(world, 256) == {0.3, 0.6}


def test_an_lr_that_a_larger_batch_does_not_bear_is_not_taken_for_it() -> None:
    world = LargerLrDiverges()
    reading = read(world, batch.decide, asked("batch.sizes=[128, 256, 512]"), KNOWN)
    assert told(reading, "max lr taken of those tried") == {"128": "0.3 of 0.3", "256": "0.3 of 0.3/0.6", "512": "0.3 of 0.3/0.6"}
    assert lrs_run(world, 512) == {0.3, 0.6}
    assert reading.settings.max_lr == 0.3


def test_where_every_lr_of_a_size_diverges_half_of_the_smallest_is_tried() -> None:
    world = LargerLrDiverges(bears=0.2)
    reading = read(world, batch.decide, asked("batch.sizes=[128, 256]"), KNOWN)
    assert lrs_run(world, 128) == {0.3, 0.15}
    assert reading.settings.max_lr == 0.15


def test_the_evidence_says_which_way_the_metric_is_better() -> None:
    for direction in ("higher", "lower"):
        question = asked("data.metric=own:measure", f"data.metric_is={direction}", "batch.sizes=[64, 128]")
        (item,) = read(World(), batch.decide, question, KNOWN).evidence
        assert (item.judged_by, item.higher_is_better) == ("accuracy", direction == "higher")


def test_sizes_beyond_one_that_is_beaten_are_left_out_unless_asked_for() -> None:
    slow = LargerLrDiverges(seconds_an_example=1e-2, needed=100.0)  # twice the batch takes twice as long, and bears no larger lr
    read(slow, batch.decide, asked(), KNOWN)
    assert lrs_run(slow, 256)
    assert not lrs_run(slow, 512)
    read(slow, batch.decide, asked("batch.sizes=[128, 256, 512]"), KNOWN)
    assert lrs_run(slow, 512)


def test_a_start_that_does_not_fit_goes_on_with_the_largest_that_does_and_says_so() -> None:
    world = Small(holds=100, largest=96)
    reading = read(world, batch.decide, asked(), KNOWN)
    assert reading.settings.total_batch_size in (64, 96)
    assert "the start's batch size, 128, does not fit in memory; gone on from 96, its lr in proportion" in reading.remarks
    assert lrs_run(world, 96) == {0.22}  # 0.3 * 96 / 128


@pytest.mark.parametrize(("limit", "tried"), [(64, {"64"}), (20, {"20"})])
def test_a_start_above_the_configs_largest_goes_on_below_it_and_says_why(limit: int, tried: set[str]) -> None:
    reading = read(World(), batch.decide, asked(f"batch.max_size={limit}"), KNOWN)
    assert f"the start's batch size, 128, is above batch.max_size; gone on from {limit}, its lr in proportion" in reading.remarks
    assert set(told(reading, "step times")) == tried
    assert reading.settings.total_batch_size == limit


def test_sizes_that_do_not_fit_are_named_and_the_others_are_compared() -> None:
    reading = read(Small(holds=300), batch.decide, asked(), KNOWN)
    assert "512 do not fit in memory with headroom" in reading.remarks
    assert set(told(reading, "step times")) == {"64", "128", "256"}


def test_the_searchs_own_size_is_not_used_where_the_config_names_sizes_that_fit() -> None:
    reading = read(Small(holds=200, largest=192), batch.decide, asked("batch.sizes=[128, 256]"), KNOWN)
    assert set(told(reading, "step times")) == {"128"}


def test_where_nothing_fits_the_step_says_so_and_changes_nothing() -> None:
    reading = read(Small(holds=0), batch.decide, asked(), KNOWN)
    assert reading.settings == KNOWN
    assert reading.remarks == ("not even one example at a time fits in memory",)


def test_time_to_accuracy_is_told_for_each_size() -> None:
    world = World(noise=0.002)
    reading = read(world, batch.decide, asked("batch.sizes=[128]"), KNOWN)
    (steps,) = {record.spec.steps for record in world.records.values() if isinstance(record.spec, RunSpec)}
    seconds = steps * (world.seconds_a_step + 128 * world.seconds_an_example)
    assert float(told(reading, "seconds of training to the same accuracy")["128"]) == pytest.approx(seconds, rel=0.1)


def test_what_the_clock_said_is_told_but_not_kept_as_a_result() -> None:
    assert set(read(World(), batch.decide, asked(), KNOWN).results) <= {"noise_scale"}  # which follows from lrs, not from times


def test_where_every_size_diverges_the_lr_stays_what_it_was() -> None:
    reading = read(LargerLrDiverges(bears=0.001), batch.decide, asked("batch.sizes=[64, 128]"), KNOWN)
    assert reading.abstained
    assert reading.settings == KNOWN


def test_sizes_that_cannot_be_told_leave_the_start_or_what_fits_in_its_place() -> None:
    diverges = read(LargerLrDiverges(bears=0.001), batch.decide, asked("batch.sizes=[64, 128]"), KNOWN)
    assert diverges.evidence[0].kept == "start"

    @dataclass
    class Both(Small, LargerLrDiverges):
        pass

    smaller = read(Both(bears=0.001, holds=100, largest=96), batch.decide, asked(), KNOWN)
    (item,) = smaller.evidence
    assert (item.status, item.value, item.kept) == ("abstained", 96, "the size that fits")


def test_no_size_is_tried_that_cannot_be_cut_into_its_parts() -> None:
    question = asked("run.bn_splits=8")
    assert batch.candidate_sizes(question, replace(KNOWN, total_batch_size=40)) == (40, 80, 160)


def test_times_that_another_device_took_are_told_of() -> None:
    @dataclass
    class Moved(World):
        def trained(self, spec: RunSpec) -> RunRecord:
            return replace(super().trained(spec), environment={"device": "cuda", "device_name": "H200"})

    words = [remark for remark in read(Moved(), batch.decide, asked(), KNOWN).remarks if "--measure-again" in remark]
    assert len(words) == 1
    assert "runs made on cuda (H200)" in words[0]
    assert not any("--measure-again" in remark for remark in read(World(), batch.decide, asked(), KNOWN).remarks)


def test_sizes_are_judged_by_accuracy_on_the_whole_validation_set() -> None:
    world = World()
    reading = read(world, batch.decide, asked("batch.sizes=[64, 128]"), KNOWN)
    assert reading.evidence[0].judged_by == "accuracy"
    assert {record.spec.eval_size for record in world.records.values() if isinstance(record.spec, RunSpec)} == {None}


def test_iterations_at_equal_time_are_rounded_to_a_twentieth_and_never_too_few_to_train() -> None:
    assert batch.iterations(1000, 1.0, 0.97) == 1040  # 1030.9, in units of 52
    assert batch.iterations(100, 0.001, 0.1) == 25


@pytest.mark.parametrize(("hold", "epochs"), [("epochs", 10.0), ("time", 14.0)])
def test_a_batch_size_that_moves_holds_what_the_config_says(hold: str, epochs: float) -> None:
    reading = read(World(fastest=40.0, seconds_a_step=6e-3), batch.decide, asked(f"budget.hold={hold}", "batch.sizes=[128, 512]"), KNOWN)
    assert (reading.settings.total_batch_size, reading.settings.epochs) == (512, epochs)


def test_every_size_that_cannot_be_told_apart_reaches_the_accuracy_whose_time_is_told() -> None:
    reading = read(World(noise=0.02), batch.decide, asked("batch.sizes=[64, 128, 256]"), KNOWN)
    assert reading.evidence[0].tied == (64.0, 128.0, 256.0)
    assert "never" not in told(reading, "seconds of training to the same accuracy").values()


def test_an_lr_is_halved_twice_before_a_size_is_given_up() -> None:
    world = LargerLrDiverges(bears=0.1)
    assert read(world, batch.decide, asked("batch.sizes=[128]"), KNOWN).settings.max_lr == 0.075
    assert lrs_run(world, 128) == {0.3, 0.15, 0.075}


def test_no_batch_size_is_larger_than_the_config_allows() -> None:
    assert batch.candidate_sizes(asked("batch.max_size=256"), KNOWN) == (64, 128, 256)


@pytest.mark.parametrize(("overrides", "sizes"), [((), (2, 4, 8)), (("run.bn_splits=2",), (2, 4, 8)), (("batch.sizes=[1, 4]",), (1, 2, 4))])
def test_no_size_that_leaves_batchnorm_one_example_is_tried_unasked(overrides: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    question = asked("start.total_batch_size=2", *overrides)
    assert batch.candidate_sizes(question, start_settings(question.config)) == sizes


@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_a_tie_keeps_the_users_own_size_and_the_length_of_the_training(noise: float) -> None:
    reading = read(World(noise=noise), batch.decide, asked("batch.sizes=[64, 128, 256, 512]"), KNOWN)
    assert len(reading.evidence[0].tied) > 1
    assert reading.settings == KNOWN


def test_a_larger_size_that_is_better_by_less_than_chance_among_its_examples_is_not_taken() -> None:
    """The same runs, once of regression and once of classes: 200 validation examples cannot show a difference of a few hundredths."""
    question = asked("batch.sizes=[128, 512]")
    of_classes = replace(question, facts=replace(question.facts, val_examples=200, classes=True))
    world = World(fastest=40.0, seconds_a_step=6e-3)
    assert read(world, batch.decide, question, KNOWN).settings.total_batch_size == 512
    reading = read(world, batch.decide, of_classes, KNOWN)
    assert (reading.settings.total_batch_size, reading.evidence[0].tied) == (128, (128.0, 512.0))


def test_only_an_accuracy_over_examples_is_a_share_of_them() -> None:
    def counted(classes: bool, *overrides: str) -> int | None:
        question = asked(*overrides)
        return examples_of_share(replace(question, facts=replace(question.facts, classes=classes)))

    assert counted(True) == counted(True, "data.metric=accuracy") == 1000
    assert counted(False) is None
    assert counted(True, "data.metric=own:measure") is None


def test_runs_on_a_subset_of_the_validation_set_are_shares_of_that() -> None:
    world = World()
    read(world, batch.decide, asked("batch.sizes=[128]"), KNOWN)
    (whole,) = [record for record in world.records.values() if isinstance(record.spec, RunSpec)]
    subset = replace(whole, spec=replace(whole.run, eval_size=200))
    assert counting(Rule(examples=1000), {1.0: (whole,), 2.0: (subset,)}).examples == 200
    assert counting(Rule(examples=1000), {1.0: (whole,)}).examples == 1000
    assert counting(Rule(), {1.0: (subset,)}).examples is None


@dataclass
class Timed(World):
    """A machine on which steps take so long, by batch size, give or take what else it does."""

    samples: dict[int, list[float]] = field(default_factory=dict)

    def timed(self, spec: TimingSpec) -> RunRecord:
        sizes = [{"size": size, "samples": self.samples[size]} for size in spec.batch_sizes]
        return replace(super().timed(spec), result={"sizes": sizes})


def runs_asked(samples: dict[int, list[float]]) -> tuple[set[str], Reading]:
    world = Timed(samples=samples)
    reading = read(world, batch.decide, asked("batch.sizes=[64, 128, 256]"), KNOWN)
    return {run_id for run_id, record in world.records.items() if isinstance(record.spec, RunSpec)}, reading


def test_step_times_that_differ_by_noise_ask_for_the_same_runs() -> None:
    here, reading = runs_asked({64: [0.93], 128: [1.0], 256: [1.25]})
    there, _ = runs_asked({64: [1.7], 128: [2.0], 256: [3.1]})  # a slower machine, and other noise
    assert here == there
    assert "step times: 64: 930.0 ms, 128: 1000.0 ms, 256: 1250.0 ms" in reading.remarks
    assert not any("grid" in remark or "busy" in remark for remark in reading.remarks)


def test_a_step_time_between_two_values_of_the_grid_is_told_of() -> None:
    _, reading = runs_asked({64: [1.0], 128: [1.0], 256: [1.19]})
    assert any(
        "another measurement may ask for runs of another length (256: 1.19 times as long as at 128)" in one for one in reading.remarks
    )


def test_samples_that_do_not_agree_are_told_of() -> None:
    _, reading = runs_asked({64: [1.0, 1.0], 128: [1.0, 1.2], 256: [1.4, 1.4]})
    assert any("was busy while steps were timed" in one and "at batch 128." in one for one in reading.remarks)


def test_sizes_are_drawn_over_the_seconds_that_they_were_given() -> None:
    reading = read(World(), batch.decide, asked("batch.sizes=[64, 128, 256]"), KNOWN)
    assert {panel.x_label for panel in reading.panels} == {"seconds of training"}
    ends = [line.x[-1] for panel in reading.panels for line in panel.series]
    assert max(ends) < 1.1 * min(ends)  # equal time, but for the rounding of the iterations
