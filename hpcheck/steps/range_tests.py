"""Step 1's range tests: a logarithmic sweep that brackets divergence, the linear ramp, a second ramp of another length that tells whether
the first was too fast, and overlays at other weight decays (Smith 2018, 4.1, Fig. 4a and 5b)."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from hpcheck.analysis.choice import abstain
from hpcheck.analysis.lr_range import RangeReading, SweepReading, read_range, read_sweep
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import RunSpec, Spec, evenly
from hpcheck.steps.build_runs import FEWEST_STEPS, curve, longest_steps, range_test, run, short_steps
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

SWEEP_SHARE = 0.5  # ours: the sweep only brackets, so it may be shorter than the ramp
BEYOND_DIVERGENCE = 2.0  # ours: the linear ramp goes to about twice where the sweep diverged
RAMP_FROM = 1 / 100  # ours: the ramp starts this far below its end
EARLY = 0.4  # ours: a ramp that diverges before this share of its range has too few evaluations where it matters, and is made again
NARROWER = 4.0  # ours: a ramp that reads nothing, though the sweep learnt this far below its top, is made again to a top this much lower
MOST_RAMPS = 4  # the first, and those made again: narrower where it diverged early, twice as long where it was too fast or unreadable
FASTER = 2  # ours: the second ramp is this many times as fast as the one that is read

RangeTest = Generator[Sequence[Spec], Sequence[RunRecord], "RangeTested"]
Ramp = Generator[Sequence[Spec], Sequence[RunRecord], tuple[tuple[RunRecord, ...], RangeReading]]


@dataclass(frozen=True)
class RangeTested:
    """The sweep (where there was one), the ramp with its continuations (none where it had no room) and what was read from them; the faster
    ramp beside it, and the ramps at other weight decays."""

    sweep: SweepReading | None
    sweep_record: RunRecord | None
    ramp_records: tuple[RunRecord, ...]
    reading: RangeReading
    faster: RunRecord | None = None
    speed_matters: bool = False  # the limit rises with the length of the ramp, as far as ramps were made
    overlays: tuple[RunRecord, ...] = ()

    @property
    def run_ids(self) -> list[str]:
        beside = [self.faster] if self.faster is not None else []
        return [record.run_id for record in (*self.ramp_records, *beside)]


def range_tested(asked: Asked, settings: Settings) -> RangeTest:
    """Sweep and ramp. The ramp goes on upwards while nothing turns; it is made again narrower where it diverged early, and longer where it
    was too fast or unreadable, or where a ramp of half its length reads a clearly lower limit."""
    options = asked.config.lr_range
    sweep = sweep_record = None
    highest = options.max
    steps = short_steps(asked, "lr_range", settings)
    most = max(steps, longest_steps(asked, settings))
    if highest is None:
        sweep_record, sweep, highest = yield from _sweep(asked, settings, steps)
    faster, speed_matters = None, False
    records: tuple[RunRecord, ...] = ()
    for ramp_number in range(1, MOST_RAMPS + 1):
        lowest = highest * RAMP_FROM if options.min is None else options.min
        if lowest >= highest:
            return RangeTested(sweep, sweep_record, records, _no_room(lowest, highest))
        records, reading = yield from _ramp(asked, settings, lowest, highest, steps)
        diverged_at, unread = _diverged_at(records, reading), reading.lr_limit.status == "abstained"
        if diverged_at < EARLY * highest and options.max is None:
            highest = two_significant_figures(BEYOND_DIVERGENCE * diverged_at)
        elif unread and sweep is not None and NARROWER * (sweep.learns_from or highest) < highest:
            highest = two_significant_figures(highest / NARROWER)  # it learns below, and this ramp is too large from its first step
        elif (unread or reading.too_fast) and steps == most:
            break
        elif unread or reading.too_fast:
            steps = min(2 * steps, most)
            if unread and sweep is not None and sweep.learns_from is None and ramp_number < MOST_RAMPS:
                sweep_record, sweep, again = yield from _sweep(asked, settings, steps)  # it was too short to learn at any lr
                highest = min(highest, again)  # what ramps have found to be too much stays so
        else:
            faster, speed_matters = yield from _faster(asked, settings, records[0], reading)
            if not speed_matters or steps == most:
                break
            steps = min(2 * steps, most)
    overlays = yield from _overlays(asked, settings, records[0])
    return RangeTested(sweep, sweep_record, records, reading, faster, speed_matters, overlays)


def _no_room(lowest: float, highest: float) -> RangeReading:
    """The reading where the config's `lr_range.min` is not below the end that the runs have found for the ramp."""
    why = f"lr_range.min is {lowest:g}, but the ramp ends at {highest:.2g} for what has run so far: take less, or give lr_range.max"
    return RangeReading(abstain(why), abstain(why), turned=False, too_fast=False)


def _sweep(
    asked: Asked, settings: Settings, steps: int
) -> Generator[Sequence[Spec], Sequence[RunRecord], tuple[RunRecord, SweepReading, float]]:
    """The sweep beside ramps of `steps` iterations, its reading, and the lr that the ramp goes to."""
    (record,) = yield [sweep_spec(asked, settings, steps)]
    sweep = read_sweep(curve(record))
    return record, sweep, BEYOND_DIVERGENCE * (sweep.diverges_at or record.run.lr.largest)


def _faster(
    asked: Asked, settings: Settings, slower: RunRecord, reading: RangeReading
) -> Generator[Sequence[Spec], Sequence[RunRecord], tuple[RunRecord | None, bool]]:
    """The same ramp at twice the speed, and whether it turns at a clearly lower lr: then there is a speed that this training does not bear
    (Smith 2018, 4.1), and this may still be beyond it."""
    ramped = slower.run
    steps = ramped.steps // FASTER
    lowest, highest = ramped.lr.points[0][1], ramped.lr.points[-1][1]
    (record,) = yield [range_test(asked, settings, lowest, highest, steps, f"lr range test to {highest:.2g}, {FASTER} times as fast")]
    fast, limit = read_range(curve(record)), reading.lr_limit
    if limit.interval is None or limit.value is None:
        return record, False
    if fast.lr_limit.interval is None:
        return record, steps >= FEWEST_STEPS  # a shorter one cannot be read anyway
    return record, fast.turned and fast.lr_limit.interval[1] < limit.interval[0]  # the slower one may have gone on to a higher end


def _overlays(asked: Asked, settings: Settings, like: RunRecord) -> Generator[Sequence[Spec], Sequence[RunRecord], tuple[RunRecord, ...]]:
    """The same ramp at the config's other weight decays (Smith 2018, Fig. 4a, 5b)."""
    values = [value for value in asked.config.lr_range.weight_decays if value != settings.weight_decay]
    specs = [replace(like.run, weight_decay=value, label=f"lr range test at weight decay {value:g}", keep="") for value in values]
    if not specs:
        return ()
    found = yield specs
    return tuple(found)


def sweep_spec(asked: Asked, settings: Settings, ramp_steps: int) -> RunSpec:
    """The logarithmic sweep over every lr that could matter."""
    options = asked.config.lr_range
    steps = options.sweep_steps or max(100, round(ramp_steps * SWEEP_SHARE))
    lr = ramp(*options.sweep_ends(asked.config.optimizer.name), steps, log=True)
    return run(asked, settings, lr, constant(settings.max_momentum), steps, "lr sweep")


def _ramp(asked: Asked, settings: Settings, lowest: float, highest: float, steps: int) -> Ramp:
    spec = replace(range_test(asked, settings, lowest, highest, steps, f"lr range test to {highest:.2g}"), keep="last")
    (record,) = yield [spec]
    records: tuple[RunRecord, ...] = (record,)
    reading = read_range(curve(records))
    for _ in range(asked.config.lr_range.max_extensions):
        if reading.turned or records[-1].diverged or reading.lr_limit.status == "abstained":
            break
        (record,) = yield [_continued(records[-1], steps)]
        records = (*records, record)
        reading = read_range(curve(records))
    return records, reading


def _diverged_at(records: Sequence[RunRecord], reading: RangeReading) -> float:
    """The lr at which the ramp diverged for good; inf where it did not."""
    onsets = [clue.from_lr for clue in reading.clues if clue.kind == "divergence"]
    stopped = [float(record.column("lr")[-1]) for record in records if record.diverged]
    return min([*onsets, *stopped], default=math.inf)


def _continued(parent: RunRecord, ramp_steps: int) -> RunSpec:
    """The range test carried on from where it stopped, at the same speed, for as long again: "you might try more than one maximum"."""
    spec = parent.run
    end, start = spec.lr.points[-1][1], spec.lr.points[0][1]
    further, until = end + (end - start), spec.steps + ramp_steps
    return replace(
        spec,
        parent=parent.run_id,
        at_step=spec.steps,
        steps=until,
        lr=ramp(end, further, ramp_steps),
        momentum=constant(spec.momentum.points[-1][1]),
        evaluate_after=evenly(until, len(spec.evaluate_after), first=spec.steps),
        label=f"lr range test, on to {further:.2g}",
    )
