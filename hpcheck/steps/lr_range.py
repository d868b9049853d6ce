"""Step 1, learning rate: a logarithmic sweep brackets divergence, a linear range test finds the limit, short 1cycles what is stable
(Smith 2018, 4.1 and 5, item 1)."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hpcheck.analysis.choice import Choice
from hpcheck.analysis.choose import choose
from hpcheck.analysis.exponent import two_significant_figures
from hpcheck.analysis.lr_range import RangeReading, SweepReading, min_lr, read_range, read_sweep
from hpcheck.records import RunRecord
from hpcheck.schedules import constant, ramp
from hpcheck.settings import Evidence, Panel, Reading, Settings
from hpcheck.spec import RunSpec, Spec, evenly
from hpcheck.steps.compare import Compared, Comparing, Make, Rule, candidates, compare
from hpcheck.steps.evidence import boxes, candidate_lines, evidence, series
from hpcheck.steps.replay import Asked, Steps
from hpcheck.steps.runs import curve, cycle, range_test, replicate, run, short_steps

SOURCE = "section 4.1; section 5, item 1"
SWEEP_SHARE = 0.5  # ours: the sweep only brackets, so it may be shorter than the ramp
SWEEP_BOUNDS = {"sgd": (1e-5, 10.0), "adamw": (1e-6, 1.0)}  # ours: wide enough that every network of the paper diverges inside
BEYOND_DIVERGENCE = 2.0  # DESIGN 3: the linear ramp goes to about twice where the sweep diverged
RAMP_FROM = 1 / 100  # ours: the ramp starts this far below its end
FRACTIONS_OF_LIMIT = (1.0, 0.5, 0.25)  # ours: maxima tried with 1cycle; the extremum lies up to 2-3 times above the best (DESIGN 3)
EARLY = 0.4  # ours: a ramp that diverges before this share of its range has too few evaluations where it matters, and is made again
MOST_FURTHER = 3  # ours: maxima added at most beyond those tried first
NARROWER = 4.0  # ours: a ramp that reads nothing, though the sweep learnt this far below its top, is made again to a top this much lower
MOST_RAMPS = 4  # the first, and those made again: narrower where it diverged early, twice as long where it was too fast or unreadable

RangeTest = Generator[Sequence[Spec], Sequence[RunRecord], "RangeTested"]


@dataclass(frozen=True)
class RangeTested:
    """The sweep (where there was one), the ramp with its continuations, and what was read from them."""

    sweep: SweepReading | None
    sweep_record: RunRecord | None
    ramp_records: tuple[RunRecord, ...]
    reading: RangeReading


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set max_lr and min_lr from scratch."""
    tested = yield from range_tested(asked, settings)
    limit = tested.reading.lr_limit
    runs = [record.run_id for record in tested.ramp_records]
    if limit.value is None:
        return _abstained(asked, settings, tested, runs)
    highest = limit.value
    tries = [two_significant_figures(highest * fraction) for fraction in FRACTIONS_OF_LIMIT]
    survived = yield from survivors(asked, settings, tries, highest)
    return _reading(asked, settings, tested, survived)


def range_tested(asked: Asked, settings: Settings) -> RangeTest:
    """Sweep and ramp. The ramp goes on upwards while nothing turns; it is made again narrower where it diverged early, and longer where it
    was too fast or unreadable."""
    options = asked.config.lr_range
    sweep = sweep_record = None
    highest = options.max
    steps = short_steps(asked, "lr_range", settings)
    if highest is None:
        (sweep_record,) = yield [sweep_spec(asked, settings, steps)]
        sweep = read_sweep(curve(sweep_record))
        highest = BEYOND_DIVERGENCE * (sweep.diverges_at or sweep_record.run.lr.largest)
    for _ in range(MOST_RAMPS):
        records, reading = yield from _ramp(asked, settings, options.min or highest * RAMP_FROM, highest, steps)
        diverged_at = _diverged_at(records, reading)
        if diverged_at < EARLY * highest and options.max is None:
            highest = two_significant_figures(BEYOND_DIVERGENCE * diverged_at)
        elif reading.lr_limit.status == "abstained" and sweep is not None and NARROWER * (sweep.learns_from or highest) < highest:
            highest = two_significant_figures(highest / NARROWER)  # it learns below, and this ramp is too large from its first step
        elif reading.lr_limit.status == "abstained" or reading.too_fast:
            steps *= 2
        else:
            break
    return RangeTested(sweep, sweep_record, records, reading)


def sweep_spec(asked: Asked, settings: Settings, ramp_steps: int) -> RunSpec:
    """The logarithmic sweep over every lr that could matter."""
    options = asked.config.lr_range
    low, high = SWEEP_BOUNDS.get(asked.config.optimizer.name, SWEEP_BOUNDS["sgd"])
    steps = options.sweep_steps or max(100, round(ramp_steps * SWEEP_SHARE))
    lr = ramp(options.sweep_from or low, options.sweep_to or high, steps, log=True)
    return run(asked, settings, lr, constant(settings.max_momentum), steps, "lr sweep")


def _ramp(
    asked: Asked, settings: Settings, lowest: float, highest: float, steps: int
) -> Generator[Sequence[Spec], Sequence[RunRecord], tuple[tuple[RunRecord, ...], RangeReading]]:
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


def survivors(
    asked: Asked, settings: Settings, tries: Sequence[float], highest: float
) -> Generator[Sequence[Spec], Sequence[RunRecord], Compared]:
    """Short 1cycles at several maxima, and the one to recommend: the best, or the middle of those that cannot be told from it.

    Maxima are added by factors of 2 while the choice is the smallest tried, or the largest and below `highest`. What is returned has been
    seen to be stable with two seeds.
    """
    steps = short_steps(asked, "lr_range", settings)

    def make(max_lr: float, steps: int) -> RunSpec:
        tried = replace(settings, max_lr=max_lr, min_lr=min_lr(max_lr, asked.config.lr_range.min_lr_rule))
        return cycle(asked, tried, steps, f"1cycle to {max_lr:.2g}")

    tried = list(tries)
    for _ in range(MOST_FURTHER + 1):
        compared = yield from compare(sorted(tried), make, steps, Rule())
        compared = yield from confirmed(compared, make)
        further = two_significant_figures(min(tried) / 2 if compared.choice.edge == "low" else max(tried) * 2)
        if compared.choice.edge is None or further > highest:
            break
        tried.append(further)
    return compared


def confirmed(compared: Compared, make: Make) -> Comparing:
    """The choice once its value has been run with a second seed: what is recommended must have been seen to be stable (DESIGN 3)."""
    records = dict(compared.records)
    compared = replace(compared, choice=middle_of_tie(compared.choice))
    for _ in range(len(records)):
        value = compared.choice.value
        if value is None or len(records[value]) > 1:
            break
        (again,) = yield [replicate(make(value, compared.steps), 1)]
        records[value] = (*records[value], again)
        compared = Compared(middle_of_tie(choose(candidates(records))), records, compared.steps)
    return compared


def middle_of_tie(choice: Choice) -> Choice:
    """The same choice at the middle of its tied maxima, the smaller of two, and with the edge that this value lies at.

    A full training is several times as long as these runs and bears no larger lr than they do: the largest of a tie lost to its middle
    in full trainings (docs/decisions.md).
    """
    if choice.status != "tied" or choice.value is None:
        return choice
    values = [value for value, _, _ in choice.scores]
    value = sorted(choice.tied)[(len(choice.tied) - 1) // 2]
    tied = ", ".join(f"{one:g}" for one in sorted(choice.tied))
    reason = f"{tied} cannot be told apart by their {'metric' if choice.judged_by == 'accuracy' else 'validation loss'}; {value:g} is taken"
    edge: Literal["low", "high"] | None = "low" if value == min(values) else "high" if value == max(values) else None
    return replace(choice, value=value, edge=edge, reason=reason)


def with_lr(asked: Asked, settings: Settings, max_lr: float) -> Settings:
    """The settings with this largest lr, and the smallest by the config's rule, or as the user gave it with this very lr."""
    start = asked.config.start
    smallest = two_significant_figures(min_lr(max_lr, asked.config.lr_range.min_lr_rule))
    return replace(settings, max_lr=max_lr, min_lr=start.min_lr if start.min_lr is not None and max_lr == start.max_lr else smallest)


def _reading(asked: Asked, settings: Settings, tested: RangeTested, survived: Compared) -> Reading:
    choice, limit = survived.choice, tested.reading.lr_limit
    ramp_ids = [record.run_id for record in tested.ramp_records]
    if choice.value is None:
        return _abstained(asked, settings, tested, [*ramp_ids, *survived.run_ids], choice)
    after = with_lr(asked, settings, choice.value)
    items = (
        evidence("learning_rate", choice, SOURCE, [*ramp_ids, *survived.run_ids]),
        evidence("lr_limit", limit, SOURCE, ramp_ids, clues=tested.reading.clues),
    )
    cycles = candidate_lines(survived, "max {:.2g}".format)
    panels = (*_range_panels(tested, choice.value), Panel("Short 1cycles", "iteration", "validation loss", cycles))
    return Reading("lr-range", after, items, panels)


def _range_panels(tested: RangeTested, max_lr: float | None) -> tuple[Panel, ...]:
    ramp_curve = curve(tested.ramp_records)
    limit = tested.reading.lr_limit.value
    marks = [(limit, f"limit {limit:.2g}")] if limit is not None else []
    marks += [(max_lr, f"max_lr {max_lr:.2g}")] if max_lr is not None else []
    loss = Panel(
        "LR range test",
        "learning rate",
        "loss",
        (series(ramp_curve, "lr", label="validation loss"), series(ramp_curve, "lr", "train_loss", "training loss")),
        tuple(marks),
        boxes(tested.reading.clues, "lr"),
    )
    metric = Panel(
        "LR range test, metric",
        "learning rate",
        "validation metric",
        (series(ramp_curve, "lr", "accuracy", "metric"),),
        tuple(marks),
        higher_is_better=True,
    )
    return loss, metric


def _abstained(asked: Asked, settings: Settings, tested: RangeTested, runs: Sequence[str], choice: Choice | None = None) -> Reading:
    """Keep the lr that the user started from, if there was one, and say why."""
    start = asked.config.start.max_lr
    choice = choice or tested.reading.lr_limit
    kept = evidence("learning_rate", choice, SOURCE, runs, value=start, clues=tested.reading.clues)
    after = settings if start is None else with_lr(asked, settings, start)
    return Reading("lr-range", after, (kept,), _range_panels(tested, None))


def reprobe(asked: Asked, settings: Settings) -> Steps:
    """Read max_lr again around the one that is known, since batch size, momentum and weight decay move it (Smith 2018, 4.1, Remark 3)."""
    if settings.max_lr is None:
        return Reading("lr-reprobe", settings, ())
    tries = [two_significant_figures(settings.max_lr * factor) for factor in (2.0, 1.0, 0.5)]
    survived = yield from survivors(asked, settings, tries, math.inf)
    choice = survived.choice
    value = choice.value if choice.value is not None else settings.max_lr
    item: Evidence = evidence("learning_rate", choice, SOURCE, survived.run_ids, value=value)
    cycles = candidate_lines(survived, "max {:.2g}".format)
    panel = Panel("Short 1cycles, other settings set", "iteration", "validation loss", cycles)
    return Reading("lr-reprobe", with_lr(asked, settings, value), (item,), (panel,))
