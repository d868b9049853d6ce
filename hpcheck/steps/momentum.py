"""Step 3, momentum: short runs at several values, each on its own lr scale, then falling against constant and rising momentum
(Smith 2018, 4.3, Remark 5 and 5, item 3)."""

import math
from collections.abc import Generator, Sequence
from dataclasses import replace

from hpcheck.analysis.choice import Choice, lowered
from hpcheck.analysis.choose import Rule, choose
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.drawing.panels import Panel
from hpcheck.plugins.search_space import search_of
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import Knots, constant, ramp
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.build_runs import cycle, examples_of_share, longest_steps, range_test, run, short_steps
from hpcheck.steps.compare import Compared, Comparing, Make, Records, candidates, compare, counting, replicated
from hpcheck.steps.confirm_plan import trainings_of
from hpcheck.steps.evidence import candidate_lines, evidence
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.policies import momentum_over, policy_of, stepsize_of
from hpcheck.steps.reading import Evidence, Reading, Settings, nothing_run
from hpcheck.steps.step import Asked, Steps

SOURCE = "section 4.3, Remark 5; section 5, item 3"
PREFERRED = 0.95  # Table 1 and Table 2: the paper's value for all networks but DenseNet
RAMP_OVER_MAX = 2.0  # ours: each momentum's ramp goes to twice the lr that is as fast as the known max_lr
RAMP_FROM = 1 / 100
SHAPES_OVER = {"cycle": "cycle", "range": "range test"}
SHAPES = ("falling", "constant", "rising")
PLACES = range(len(SHAPES))  # the decision rule compares numbers: a shape's is its place, and goes no further than this file
FALLING, CONSTANT = (float(SHAPES.index(shape)) for shape in ("falling", "constant"))
WHY_NO_RANGE_TEST = (
    "momentum range tests are not used: the loss falls all the way to momentum 1 and shows no optimum (Smith 2018, Fig. 7b); "
    "hpcheck momentum --range-test shows it"
)


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set the largest momentum, then its shape over the cycle; with a constant lr, the best constant momentum."""
    if settings.max_lr is None:
        return nothing_run("momentum", settings)
    options, constant_lr = asked.config.momentum, policy_of(asked) == "constant"
    steps = short_steps(asked, "momentum", settings)
    held = constant_lr and settings.max_momentum < 1  # a momentum of 1 is rising momentum's peak, reached for an instant
    known_with = settings.max_momentum if held else settings.min_momentum
    averages = search_of(asked.config.optimizer.name).averages

    def at_own_lr(momentum: float, steps: int) -> RunSpec:
        highest = RAMP_OVER_MAX * own_lr(settings, momentum, momentum if averages else known_with)
        lr = ramp(highest * RAMP_FROM, highest, steps)
        return run(asked, settings, lr, constant(momentum), steps, f"momentum {momentum:g}, lr to {highest:.2g}")

    tried = momenta(asked)
    best, largest = None, tried[0]
    as_used = looks_as_used(asked)
    if len(tried) > 1:
        rule = Rule(at="own-best", prefer=PREFERRED, scale="log1m", examples=examples_of_share(asked))
        if as_used:
            rule = replace(rule, at="end", prefer=asked.config.start.momentum.max, then=PREFERRED)
        make = _as_outer_value(asked, settings) if as_used else at_own_lr
        best = yield from compare(tried, make, steps, longest_steps(asked, settings), rule)
        if best.choice.value is None:
            return _reading(asked, settings, best)  # abstained: the start's pair stays
        largest = best.choice.value
    after = replace(settings, max_momentum=largest, min_momentum=min(options.floor, largest))
    if as_used:
        after = at_momentum(asked, settings, largest)
    if constant_lr or not options.cyclical or after.min_momentum == largest:
        return _reading(asked, replace(after, min_momentum=largest), best)
    shapes = yield from compared_shapes(asked, after, steps)
    if shapes.choice.value is None and settings.min_momentum == settings.max_momentum:
        return _reading(asked, replace(after, min_momentum=largest), best, shapes)  # abstained: constant, as it started
    if as_used and _shape(shapes.choice.value) == "constant":
        return _reading(asked, _held(asked, after), best, shapes)
    if _shape(shapes.choice.value) == "constant":
        held_at = _constant(asked, after)
        return _reading(asked, replace(after, max_momentum=held_at, min_momentum=held_at), best, shapes)
    floors = yield from _compared_floors(asked, after, steps)
    if floors is not None and floors.choice.value is not None:
        after = replace(after, min_momentum=floors.choice.value)
    return _reading(asked, after, best, shapes, floors)


def looks_as_used(asked: Asked) -> bool:
    """Whether momenta are judged as they will be used, as the outer value of a short 1cycle: where full trainings confirm what comes out.
    Otherwise by constant values in a ramp, as the paper does (Fig. 7a, Fig. 8)."""
    return trainings_of(asked) > 0 and policy_of(asked) != "constant"


def at_momentum(asked: Asked, settings: Settings, largest: float) -> Settings:
    """The settings with another outer momentum, the lr scaled by 1 - m: lr/(1-momentum) is what counts (Smith 2018, 4.3, after eq. 3).

    The user's own falls to the user's own floor. An lr that was read at constant momentum is scaled to what the cycle's top has here.
    """
    start, known = asked.config.start.momentum, settings.max_momentum
    falls = start.min < start.max
    floor = start.min if falls and largest == start.max else min(asked.config.momentum.floor, largest)
    moved = replace(settings, max_momentum=largest, min_momentum=floor)
    at_top = largest if falls else floor
    if at_top == known or settings.max_lr is None or search_of(asked.config.optimizer.name).averages:
        return moved
    return with_lr(asked, moved, two_significant_figures(own_lr(settings, at_top, known)))


def _as_outer_value(asked: Asked, settings: Settings) -> Make:
    """A short 1cycle in which the momentum falls from this value."""

    def make(momentum: float, steps: int) -> RunSpec:
        tried = at_momentum(asked, settings, momentum)
        return cycle(asked, tried, steps, f"momentum {momentum:g}, max lr {tried.known_max_lr:.2g}")

    return make


def _held(asked: Asked, settings: Settings) -> Settings:
    """The same with constant momentum, at its own lr: the cycle's top has the largest momentum then, where it had the smallest."""
    held_at = _constant(asked, settings)
    held = replace(settings, max_momentum=held_at, min_momentum=held_at)
    if settings.max_lr is None or held_at == settings.min_momentum or search_of(asked.config.optimizer.name).averages:
        return held
    return with_lr(asked, held, two_significant_figures(own_lr(settings, held_at, settings.min_momentum)))


def momenta(asked: Asked) -> tuple[float, ...]:
    """The config's values, or the optimizer's usual ones; with the user's own where it may stay."""
    given, start = asked.config.momentum.values, asked.config.start.momentum.max
    usual = search_of(asked.config.optimizer.name).momenta
    own = (start,) if given is None and looks_as_used(asked) and start < 1 else ()
    return tuple(sorted({*(given or usual), *own}))


def own_lr(settings: Settings, momentum: float, known_with: float) -> float:
    """The lr at which `momentum` moves the weights as fast as the known max_lr does with the momentum that it is used with, which is the
    one at the cycle's top: lr/(1-momentum) is what counts (Smith 2018, 4.3, after eq. 3)."""
    return settings.known_max_lr * (1 - momentum) / (1 - known_with)


def compared_shapes(asked: Asked, settings: Settings, steps: int) -> Comparing:
    """Falling, constant and rising momentum in the same cycle, or the same range test. Falling is kept inside a tie, so where it leads no
    second seed can change the answer, and none is run."""
    ramped = asked.config.momentum.over == "range"
    rule = Rule(prefer=FALLING, scale="names", examples=examples_of_share(asked))
    if looks_as_used(asked):
        start = asked.config.start.momentum
        rule = replace(rule, prefer=CONSTANT if start.min == start.max else FALLING, then=FALLING)
    rule = replace(rule, at="span", x="lr") if ramped else rule
    make = _range_shaped if ramped else _cycle_shaped
    specs = {float(place): make(asked, settings, SHAPES[place], steps) for place in PLACES}
    found = yield list(specs.values())
    records: Records = {shape: (record,) for shape, record in zip(specs, found, strict=True)}
    choice = choose(candidates(records), counting(rule, records))
    if choice.value is None or choice.value == rule.prefer:
        return Compared(choice, records, steps)
    return (yield from replicated(specs, found, steps, rule))


def _compared_floors(asked: Asked, settings: Settings, steps: int) -> Generator[Sequence[Spec], Sequence[RunRecord], Compared | None]:
    """The floor against the config's other one: "performance is almost independent of the minimum momentum value" (5, item 3)."""
    other = asked.config.momentum.other_floor
    if other is None or other in (settings.min_momentum, settings.max_momentum):
        return None

    def with_floor(floor: float, steps: int) -> RunSpec:
        return cycle(asked, replace(settings, min_momentum=floor), steps, f"momentum falling to {floor:g}")

    rule = Rule(prefer=settings.min_momentum, scale="log1m", examples=examples_of_share(asked))
    return (yield from compare(sorted((other, settings.min_momentum)), with_floor, steps, longest_steps(asked, settings), rule))


def _cycle_shaped(asked: Asked, settings: Settings, shape: str, steps: int) -> RunSpec:
    if looks_as_used(asked) and shape != "falling":
        settings = _at_own_lr(asked, settings, shape)
    spec = cycle(asked, settings, steps, f"{shape} momentum")
    if shape == "constant":
        return replace(spec, momentum=constant(_constant(asked, settings)))
    return replace(spec, momentum=shape_knots(asked, shape, settings.max_momentum, settings.min_momentum, steps))


def _at_own_lr(asked: Asked, settings: Settings, shape: str) -> Settings:
    """The settings at the lr of a shape whose momentum at the cycle's top is the largest, not the smallest."""
    held = _held(asked, settings)
    if shape == "constant":
        return held
    at_top = with_lr(asked, settings, held.known_max_lr)
    return replace(at_top, max_momentum=settings.max_momentum, min_momentum=settings.min_momentum)


def _range_shaped(asked: Asked, settings: Settings, shape: str, steps: int) -> RunSpec:
    """A range test over the config's range, else to twice max_lr, in which momentum falls, stays or rises (Fig. 7c, 14a)."""
    highest = asked.config.lr_range.max or RAMP_OVER_MAX * settings.known_max_lr
    given = asked.config.lr_range.min
    lowest = given if given is not None and given < highest else highest * RAMP_FROM
    spec = range_test(asked, settings, lowest, highest, steps, f"{shape} momentum")
    high, low = settings.max_momentum, settings.min_momentum
    by_shape = {"constant": constant(_constant(asked, settings)), "falling": ramp(high, low, steps), "rising": ramp(low, high, steps)}
    return replace(spec, momentum=by_shape[shape])


def _constant(asked: Asked, settings: Settings) -> float:
    """The constant momentum that the others are compared with."""
    given = asked.config.momentum.constant
    return settings.max_momentum if given is None else given


def shape_knots(asked: Asked, shape: str, largest: float, floor: float, steps: int) -> Knots:
    """Momentum over a training's cycles: falling while the lr rises, constant, or rising with it."""
    if shape == "constant":
        return constant(largest)
    high, low = (largest, floor) if shape == "falling" else (floor, largest)
    return momentum_over(asked.config.lr_range.policy, high, low, stepsize_of(asked, steps), steps)


def _reading(
    asked: Asked, after: Settings, best: Compared | None, shapes: Compared | None = None, floors: Compared | None = None
) -> Reading:
    unread = Choice(after.max_momentum, None, "none", "chosen", "the only value that the config has to try, so taken without a run")
    choice, runs = (unread, ()) if best is None else (best.choice, best.run_ids)
    value = {"max": after.max_momentum, "min": after.min_momentum}
    items, panels, remarks = [evidence(asked, "momentum", choice, SOURCE, runs, value=value)], [], [WHY_NO_RANGE_TEST]
    if best is not None:
        lines = candidate_lines(best, "momentum {:g}".format)
        panels.append(Panel("Momentum, each on its own lr scale", "iteration", "validation loss", lines))
    if shapes is not None:
        items.append(shape_evidence(asked, shapes, "falling" if after.min_momentum < after.max_momentum else "constant"))
        lines = candidate_lines(shapes, lambda place: f"{_shape(place)} momentum")
        title = f"Shape of the momentum over the {SHAPES_OVER[asked.config.momentum.over]}"
        panels.append(Panel(title, "iteration", "validation loss", lines))
    if floors is not None:
        floor = evidence(
            asked, "momentum_floor", floors.choice, SOURCE, floors.run_ids, value=after.min_momentum, kept="the config's momentum.floor"
        )
        items.append(floor)
        lines = candidate_lines(floors, "falling to {:g}".format)
        panels.append(Panel("Where the momentum falls to", "iteration", "validation loss", lines))
    return Reading("momentum", after, tuple(items), tuple(panels), tuple(remarks))


def shape_evidence(asked: Asked, shapes: Compared, taken: str) -> Evidence:
    """The evidence for the shape, by the shapes' names."""
    choice = shapes.choice
    if choice.status == "chosen" and _shape(choice.value) != taken:
        choice = lowered(choice, "low")  # another one beats what is taken
    item = evidence(asked, "momentum_shape", choice, SOURCE, shapes.run_ids, value=taken, kept=f"{taken} momentum")
    considered = tuple((_shape(place), score, error) for place, score, error in choice.scores)
    tied = tuple(map(_shape, choice.tied))
    return replace(item, reason=_shape_words(shapes, taken), interval=None, tied=tied, considered=considered)


def _shape(place: float | None) -> str:
    """The name of the shape at this place among `SHAPES`; falling where none is chosen."""
    return SHAPES[round(FALLING if place is None else place)]


def _shape_words(shapes: Compared, taken: str) -> str:
    choice = shapes.choice
    if choice.value is None:
        return choice.reason
    best, lost = _shape(choice.value), [_shape(place) for place, score, _ in choice.scores if not math.isfinite(score)]
    if choice.tied:
        return f"{', '.join(_shape(place) for place in choice.tied)} cannot be told apart; {taken} is taken"
    if lost and len(lost) == len(SHAPES) - 1:
        return f"{best} momentum alone did not diverge at the lr that was read with it; {' and '.join(lost)} may bear a smaller one"
    reason = f"{best} momentum has the best validation loss"
    return reason if best == taken else f"{reason}, against the paper; {taken} momentum is kept (4.3, Remark 5)"
