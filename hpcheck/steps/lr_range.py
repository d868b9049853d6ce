"""Step 1, learning rate: range tests find the limit, short 1cycles what is stable below it (Smith 2018, 4.1 and 5, item 1)."""

import math
from collections.abc import Generator, Sequence
from dataclasses import replace

from hpcheck.analysis.beginning import begins_well
from hpcheck.analysis.choice import Choice, lowered
from hpcheck.analysis.lr_range import min_lr, read_range
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.analysis.stretch import Bounds
from hpcheck.drawing.panels import Panel
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.build_runs import curve, cycle, full_steps, longest_steps, run, short_steps
from hpcheck.steps.compare import Compared
from hpcheck.steps.confirm_words import metric_name
from hpcheck.steps.evidence import boxes, candidate_lines, evidence, series
from hpcheck.steps.max_lr import middle_of_stretch
from hpcheck.steps.policies import policy_of, stepsize_of
from hpcheck.steps.range_tests import RangeTested, range_tested
from hpcheck.steps.reading import Evidence, FoundLr, Reading, Settings
from hpcheck.steps.step import Asked, Steps

SOURCE = "section 4.1; section 5, item 1"
MIN_SOURCE = "section 4.1 (3)"
FRACTIONS_OF_LIMIT = (2.0, 0.5, 0.125)  # ours: maxima tried first, about the best, which is up to 2-3 times below the extremum
AROUND_KNOWN = (4.0, 1.0, 0.25)  # ours: maxima tried first when the lr is read again
NEAR = 1.5  # ours: a maximum this near to the limit tells of it
MIN_TO_MAX = (1 / 3, 1 / 10, 1 / 30)  # ours: minima tried at constant lr, from the largest that the paper's other rules give down
CONSTANT_TO_MAX = 1 / 2  # the largest that the paper uses: 0.005 beside 1cycles to 0.01 (4.4); for ResNet-56 0.1 beside 0.8 (Table 1)


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set max_lr and min_lr from scratch."""
    tested = yield from range_tested(asked, settings)
    limit = tested.reading.lr_limit
    if limit.value is None:
        return _abstained(asked, settings, tested, tested.run_ids)
    if not asked.config.lr_range.cycles:
        return _range_alone(asked, settings, tested)
    highest = two_significant_figures(limit.value)
    tries = [two_significant_figures(highest * fraction) for fraction in FRACTIONS_OF_LIMIT]
    survived = yield from survivors(asked, settings, tries, highest)
    if survived.choice.value is None:
        return _abstained(asked, settings, tested, [*tested.run_ids, *survived.run_ids], survived.choice)
    found = FoundLr(survived.choice.value, not tested.reading.turned or survived.choice.value >= highest)
    after, minimum = replace(with_lr(asked, settings, survived.choice.value), found=found), None
    if min_lr_rule(asked) == "runs":
        minimum = yield from _min_by_runs(asked, after)
        after = replace(after, min_lr=minimum.value)
    return _reading(asked, after, tested, survived, minimum)


def survivors(
    asked: Asked, settings: Settings, tries: Sequence[float], highest: float, known: float | None = None
) -> Generator[Sequence[Spec], Sequence[RunRecord], Compared]:
    """Short 1cycles at several maxima, and the one to recommend: the middle of the stretch that gives little away against the best, or the
    one `known` where it is in there and not above the middle.

    What is returned has been seen to be stable with two seeds.
    """

    def make(max_lr: float, steps: int) -> RunSpec:
        return cycle(asked, with_lr(asked, settings, max_lr), steps, f"{policy_of(asked)} to {max_lr:.2g}")

    most, bounds = longest_steps(asked, settings), Bounds(highest, asked.facts.constant_loss, known=known)
    return (yield from middle_of_stretch(tries, make, short_steps(asked, "lr_range", settings), most, bounds))


def with_lr(asked: Asked, settings: Settings, max_lr: float) -> Settings:
    """The settings with this largest lr, and the smallest by the config's rule, or as the user gave it with this very lr.

    Every run's lrs come from here: rounded in one place and not in another, the same run would have two ids and be paid for twice.
    """
    start = asked.config.start
    smallest = two_significant_figures(_smallest(asked, settings, max_lr))
    return replace(settings, max_lr=max_lr, min_lr=start.min_lr if start.min_lr is not None and max_lr == start.max_lr else smallest)


def min_lr_rule(asked: Asked) -> str:
    """The config's rule for the smallest lr; by default a tenth for 1cycle, a quarter for repeated cycles (Smith 2018, 4.1)."""
    options = asked.config.lr_range
    return options.min_lr_rule or ("max/10" if options.policy == "1cycle" else "max/4")


def _smallest(asked: Asked, settings: Settings, max_lr: float) -> float:
    """The smallest lr of a cycle to `max_lr`; under "runs" it keeps the share that the runs found, a tenth before there are any."""
    rule = min_lr_rule(asked)
    if rule != "runs":
        return min_lr(max_lr, rule)
    known = settings.min_lr is not None and settings.max_lr is not None
    return max_lr * settings.known_min_lr / settings.known_max_lr if known else min_lr(max_lr, "max/10")


def _min_by_runs(asked: Asked, settings: Settings) -> Generator[Sequence[Spec], Sequence[RunRecord], Evidence]:
    """The largest of a few constant lrs at which convergence begins without signs of overfitting (Smith 2018, 4.1 (3))."""
    max_lr, momentum = settings.known_max_lr, constant(settings.max_momentum)
    steps = short_steps(asked, "lr_range", settings)
    tries = [two_significant_figures(max_lr * share) for share in MIN_TO_MAX]
    records = yield [run(asked, settings, constant(lr), momentum, steps, f"constant lr {lr:.2g}") for lr in tries]
    good = [lr for lr, record in zip(tries, records, strict=True) if begins_well(curve(record))]
    runs = tuple(record.run_id for record in records)
    if not good:
        reason = f"training begins well at none of the constant lrs {', '.join(f'{lr:g}' for lr in tries)}"
        kept = "start" if settings.min_lr == asked.config.start.min_lr else "a tenth of the largest"
        return Evidence(
            setting="min_lr",
            value=settings.min_lr,
            status="abstained",
            confidence="none",
            reason=reason,
            source=MIN_SOURCE,
            runs=runs,
            kept=kept,
        )
    value = max(good)
    reason = f"{value:g} is the largest of {', '.join(f'{lr:g}' for lr in tries)} at which training begins without signs of overfitting"
    return Evidence(setting="min_lr", value=value, status="chosen", confidence="low", reason=reason, source=MIN_SOURCE, runs=runs)


def beside_cycles(limit: Choice, cycles: Choice) -> Choice:
    """The limit, no surer than "medium" where no 1cycle with a maximum near it, or above, came through."""
    through = [maximum for maximum, score, _ in cycles.scores if math.isfinite(score)]
    if limit.value is None or any(maximum * NEAR >= limit.value for maximum in through):
        return limit
    return lowered(limit, "medium", "no short 1cycle with a maximum near it came through")


def _reading(asked: Asked, after: Settings, tested: RangeTested, survived: Compared, minimum: Evidence | None) -> Reading:
    choice = survived.choice
    limit = beside_cycles(tested.reading.lr_limit, choice)
    items = [
        evidence(asked, "learning_rate", choice, SOURCE, [*tested.run_ids, *survived.run_ids]),
        evidence(asked, "lr_limit", limit, SOURCE, tested.run_ids, clues=tested.reading.clues),
    ]
    items += [minimum] if minimum is not None else []
    cycles = candidate_lines(survived, "max {:.2g}".format)
    panels = (*_range_panels(asked, tested, choice.value), Panel("Short 1cycles", "iteration", "validation loss", cycles))
    remarks = (*_unturned_words(tested), *_stepsize_words(asked, after, tested), *_overlay_words(tested), *_constant_words(asked, after))
    return Reading("lr-range", after, tuple(items), panels, remarks)


def _range_alone(asked: Asked, settings: Settings, tested: RangeTested) -> Reading:
    """The limit, and what it is not: an lr to train with (`lr_range.cycles: false`). The start's lr stays, if there was one."""
    items = (evidence(asked, "lr_limit", tested.reading.lr_limit, SOURCE, tested.run_ids, clues=tested.reading.clues),)
    remarks = ("range tests alone: no max_lr was looked for (lr_range.cycles: false)", *_overlay_words(tested))
    return Reading("lr-range", _as_started(asked, settings), items, _range_panels(asked, tested, None), remarks)


def shortest_sound_stepsize(tested: RangeTested, max_lr: float, min_lr: float) -> int:
    """Iterations from min to max at the speed of the fastest ramp whose limit a slower one confirmed; of the slowest where none did."""
    confirmed_by = tested.faster if tested.faster is not None and not tested.speed_matters else tested.ramp_records[0]
    low, high = confirmed_by.run.lr.points[0][1], confirmed_by.run.lr.points[-1][1]
    return math.ceil(confirmed_by.run.steps * (max_lr - min_lr) / (high - low))


def _unturned_words(tested: RangeTested) -> tuple[str, ...]:
    """The sign of super-convergence: a loss that stays low up to the largest lr of the range test (Smith 2018, 4.1)."""
    limit = tested.reading.lr_limit
    if tested.reading.turned or limit.value is None:
        return ()
    return (
        f"nothing turned up to lr {limit.value:.2g}: where the loss stays nearly constant to so large an lr, training may super-converge; "
        "one cycle of fewer epochs (budget.epochs), with less of other regularization, may do (4.1, Remark 3)",
    )


def _stepsize_words(asked: Asked, settings: Settings, tested: RangeTested) -> tuple[str, ...]:
    """The recommended stepsize: "there is a maximum speed the learning rate can increase without the training becoming unstable" (4.1)."""
    if policy_of(asked) == "constant" or tested.faster is None:
        return ()
    least = shortest_sound_stepsize(tested, settings.known_max_lr, settings.known_min_lr)
    has = stepsize_of(asked, full_steps(asked, settings))
    told = "turned clearly earlier" if tested.speed_matters else "read the same limit"
    words = f"let the lr rise to its maximum over {least} iterations or more: a ramp twice as fast {told}. The full training takes {has}"
    return (words if has >= least else f"{words}, which is too few: train longer, or with a smaller maximum",)


def _overlay_words(tested: RangeTested) -> tuple[str, ...]:
    """What the ramps at other weight decays read: regularization that leaves no room for large lrs shows here (Remark 3, Fig. 5b)."""
    limits = [(record.run.weight_decay, read_range(curve(record)).lr_limit) for record in tested.overlays]
    if not limits:
        return ()
    limits = sorted([(tested.ramp_records[0].run.weight_decay, tested.reading.lr_limit), *limits], key=lambda one: one[0])
    return ("lr limit by weight decay: " + "; ".join(f"{decay:g}: {_limit_words(limit)}" for decay, limit in limits),)


def _limit_words(limit: Choice) -> str:
    if limit.value is None:
        return "not readable"
    return f"{'at least ' if limit.edge == 'high' else ''}{limit.value:.2g}"


def _constant_words(asked: Asked, settings: Settings) -> tuple[str, ...]:
    """The author's advice for those who train at a constant lr."""
    if policy_of(asked) == "constant" or settings.max_lr is None:
        return ()
    lr = two_significant_figures(settings.max_lr * CONSTANT_TO_MAX)
    return (f"to train at a constant lr, take {lr:g} or less (Smith 2018, 4.1). With train.policy: constant, train tries some",)


def _range_panels(asked: Asked, tested: RangeTested, max_lr: float | None) -> tuple[Panel, ...]:
    if not tested.ramp_records:
        return ()
    ramp_curve = curve(tested.ramp_records)
    limit = tested.reading.lr_limit
    marks = [(limit.value, f"limit {_limit_words(limit)}")] if limit.value is not None else []
    marks += [(max_lr, f"max lr {max_lr:.2g}")] if max_lr is not None else []
    loss = Panel(
        "LR range test",
        "learning rate",
        "loss",
        (series(ramp_curve, "lr", label="validation loss"), series(ramp_curve, "lr", "train_loss", "training loss")),
        tuple(marks),
        boxes(tested.reading.clues, "lr"),
    )
    metric = Panel(
        f"LR range test, {metric_name(asked)}",
        "learning rate",
        f"validation {metric_name(asked)}",
        (series(ramp_curve, "lr", "accuracy", metric_name(asked)),),
        tuple(marks),
        higher_is_better=ramp_curve.higher_is_better,
    )
    return (loss, metric, *_overlay_panel(tested))


def _overlay_panel(tested: RangeTested) -> tuple[Panel, ...]:
    """The ramps at several weight decays in one picture (Smith 2018, Fig. 4a, 5b)."""
    if not tested.overlays:
        return ()
    curves = [curve(tested.ramp_records), *(curve(record) for record in tested.overlays)]
    ordered = sorted(curves, key=lambda one: one.weight_decay or 0.0)
    lines = tuple(series(one, "lr", label=f"weight decay {one.weight_decay:g}") for one in ordered)
    return (Panel("LR range test at several weight decays", "learning rate", "validation loss", lines),)


def _abstained(asked: Asked, settings: Settings, tested: RangeTested, runs: Sequence[str], choice: Choice | None = None) -> Reading:
    """Keep the lr that the user started from, if there was one, and say why."""
    start = asked.config.start.max_lr
    choice = choice or tested.reading.lr_limit
    kept = "start" if start is not None else "no value"
    item = evidence(asked, "learning_rate", choice, SOURCE, runs, value=start, clues=tested.reading.clues, kept=kept)
    return Reading("lr-range", _as_started(asked, settings), (item,), _range_panels(asked, tested, None))


def _as_started(asked: Asked, settings: Settings) -> Settings:
    """The settings with the lr that the user started from, if there was one."""
    start = asked.config.start.max_lr
    return settings if start is None else with_lr(asked, settings, start)


def reprobe(asked: Asked, settings: Settings) -> Steps:
    """Read max_lr again around the one that is known, since batch size, momentum and weight decay move it (Smith 2018, 4.1, Remark 3).

    Where it still loses little and is not above the middle it stays: two readings agree on it (docs/decisions/006-lr-reprobe.md).
    """
    if settings.max_lr is None:
        return Reading("lr-reprobe", settings, ())
    tries = [two_significant_figures(settings.max_lr * factor) for factor in AROUND_KNOWN]
    survived = yield from survivors(asked, settings, tries, math.inf, two_significant_figures(settings.max_lr))
    choice = survived.choice
    value = choice.value if choice.value is not None else settings.max_lr
    item: Evidence = evidence(asked, "learning_rate", choice, SOURCE, survived.run_ids, value=value, kept="the lr known before")
    cycles = candidate_lines(survived, "max {:.2g}".format)
    panel = Panel("Short 1cycles, other settings set", "iteration", "validation loss", cycles)
    return Reading("lr-reprobe", with_lr(asked, settings, value), (item,), (panel,))
