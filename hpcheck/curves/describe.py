"""Readings in words and pictures: a headline, a table's rows and conclusions for each curve and for a comparison, and the panels."""

import math
from collections.abc import Sequence

import numpy as np

from hpcheck.analysis.chance import above_chance, constant_answer
from hpcheck.analysis.choice import Choice
from hpcheck.analysis.clue import Clue
from hpcheck.analysis.ending import falls_with_lr
from hpcheck.analysis.lr_range import RangeReading, SweepReading, min_lr
from hpcheck.analysis.readable import sound
from hpcheck.curves.compare import Comparison, Extremes, extremes
from hpcheck.curves.judge import CurveReading, Found
from hpcheck.curves.names import words
from hpcheck.drawing.panels import Panel
from hpcheck.steps.evidence import boxes, series
from hpcheck.steps.reading import as_measured
from hpcheck.terminal.stdout import printable

SPOKEN = {"lr": "lr", "momentum": "momentum", "weight_decay": "weight decay"}
JUDGES = {"loss": "validation loss", "accuracy": "metric"}
CLUE_COLUMNS = ("clue", "where", "strength", "what the paper says")
COMPARED_COLUMNS = ("curve", "score", "error", "verdict")
FALLS_WITH_LR = (
    "the loss still falls at the end, but the lr comes down there, which lowers the loss by itself: underfitting it is only where the loss "
    "still falls at a steady lr (section 3.2), as at the end of the tail (section 4.1)"
)
UNFINISHED = (
    "the lr is not seen to come down in these curves, and their order may turn round when it does (less weight decay often leads until "
    "then): the confidence is low"
)
BELOW_LIMIT = 3.0  # ours: the best maximum of full 1cycles lay this factor below the limit (median of nine; 1.4 to 7.7: benchmarks/reading)
STRONGEST = 1000.0  # ours: a loss logged to a few digits has hardly any noise, and what is so far above it is just clear
SHARES = {"accuracy", "acc", "metric", "top", "prec", "error", "err"}  # metrics that an answer which looks at no input can have above 0
MOST_PANELS = 12  # ours: curves that get a picture of their own beside others


def headline(reading: CurveReading) -> str:
    """What was read: how many evaluations, over what, with which settings."""
    curve, unit = reading.curve, reading.loaded.unit
    parts = [f"{reading.loaded.evaluations} evaluations ({reading.loaded.format})"]
    parts.append(f"{unit} {between((float(curve.step[0]), float(curve.step[-1])))}")
    for name, spoken in SPOKEN.items():
        known = extremes(curve, name)
        parts += [f"{spoken} {between(known)}"] if known else []
    return f"{curve.label}: {', '.join(parts)}"


def between(ends: Extremes) -> str:
    """A stretch of values, or the one value."""
    low, high = (f"{end:.9g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def clue_row(clue: Clue, unit: str) -> tuple[str, ...]:
    """A clue for the table of clues; its strength in noise levels of one raw value."""
    where = f"{unit} {between((clue.from_step, clue.to_step))}"
    if math.isfinite(clue.from_lr):
        where += f"\nlr {between(_rounded((clue.from_lr, clue.to_lr)))}"
    strength = "" if not clue.strength > 0 else f"{clue.strength:.1f}" if clue.strength <= STRONGEST else f"> {STRONGEST:g}"
    return f"{clue.kind}\n{clue.form}", where, strength, f"{clue.advice} [{clue.section}]"


def conclusions(reading: CurveReading) -> list[str]:
    """What follows for one curve, or why nothing does."""
    if reading.abstained:
        return [f"abstained: {reading.abstained}"]
    if reading.range is not None:
        return _of_range(reading.range) + _stuck_metric(reading)
    if reading.sweep is not None:
        return _of_sweep(reading.sweep)
    remarks = [FALLS_WITH_LR] if falls_with_lr(sound(reading.curve)) else []
    remarks += _stuck_metric(reading)
    return remarks if remarks or reading.clues else ["no clue stands out against the noise"]


def _stuck_metric(reading: CurveReading) -> list[str]:
    """That the metric never gets above a constant answer, where it keeps returning to one value."""
    constant, values = constant_answer(reading.curve), reading.curve.accuracy
    if SHARES.isdisjoint(words(reading.loaded.columns.get("accuracy", ""))):
        return []
    if constant is None or values is None or above_chance(reading.curve, constant, float(np.sort(values[np.isfinite(values)])[-2])):
        return []
    return [f"the metric is {constant:.4g} again and again, as an answer that looks at no input gives it: nothing else was learnt"]


def _of_range(found: RangeReading) -> list[str]:
    limit, stable = found.lr_limit, found.stable_lr
    if limit.value is None:
        return []
    stated = limit.reason if not found.turned else f"{limit.value:.2g}: {limit.reason}"
    within = f"interval {between(_rounded(limit.interval))}, " if limit.interval else ""
    lines = [f"lr limit {stated} ({within}{limit.confidence} confidence)"]
    highest = limit.value
    if stable.value is not None and stable.value != limit.value:
        lines.append(f"stable up to {stable.value:.2g}: {stable.reason}")
        highest = stable.value
    if not found.turned:
        lines.append("a range test to a larger lr would show where it turns (section 5, item 1)")
        lines.append("if this is the warm-up of a longer training, it says no more than that this lr was survived")
        return lines
    best = highest / BELOW_LIMIT
    lines.append(
        f"for 1cycle, begin with {min_lr(best, 'max/10'):.2g} to {best:.2g}, a third of that: the extremum is the largest lr to consider, "
        "and a short 1cycle shows whether more is stable (section 4.1)"
    )
    return lines


def _rounded(ends: Extremes) -> Extremes:
    return float(f"{ends[0]:.2g}"), float(f"{ends[1]:.2g}")


def _of_sweep(found: SweepReading) -> list[str]:
    lines = [f"a logarithmic sweep only brackets: {found.reason}"]
    if found.diverges_at is not None:
        lines.append(f"follow it with a linear range test to about {2 * found.diverges_at:.2g}, twice that (section 4.1)")
    return lines


def candidate_name(found: Comparison, value: float) -> str:
    """A candidate as people call it: the setting's value and the curves behind it, or the curve."""
    members = ", ".join(found.members[value])
    return members if found.varied.name == "curve" else f"{SPOKEN[found.varied.name]} {value:g} ({members})"


def compared_row(found: Comparison, value: float, score: float, error: float) -> tuple[str, ...]:
    """A candidate for the table of the comparison. A metric's score is shown as the metric itself."""
    shown = f"{metric_or_loss(found, score):.4g}" if math.isfinite(score) else ""
    return candidate_name(found, value), shown, f"{error:.2g}" if math.isfinite(score) else "", verdict(found.choice, value, score)


def metric_or_loss(found: Comparison, score: float) -> float:
    """A score of the comparison as it was measured."""
    return as_measured(score, found.choice.judged_by, found.higher_is_better)


def verdict(choice: Choice, value: float, score: float) -> str:
    """best, tied, behind or diverged; "" under an abstention."""
    if not math.isfinite(score):
        return "diverged"
    if choice.status == "abstained":
        return ""
    if value in choice.tied:
        return "tied"
    return "best" if value == choice.value else "behind"


def comparison_lines(found: Comparison) -> list[str]:
    """What varies, over what the curves were compared, which is best, and what to do next."""
    return [*_setting_lines(found), *_overfitting_lines(found), *_verdict_lines(found)]


def _overfitting_lines(found: Comparison) -> list[str]:
    return [
        f"the mean of {', '.join(labels)} rises after its minimum: these repeats overfit a little, which one curve alone does not show "
        "(section 3.3)"
        for labels in found.overfits
    ]


def _setting_lines(found: Comparison) -> list[str]:
    names = [SPOKEN[name] for name in found.varied.settings]
    if found.varied.name != "curve":
        lines = [f"{names[0]} varies"]
    elif names:
        said = f"{', '.join(names[:-1])} and {names[-1]} vary" if len(names) > 1 else f"{names[0]} varies"
        lines = [f"{said}, in a way that no one value stands for: the curves go by their names"]
    else:
        lines = ["no setting that is known varies: the curves go by their names"]
    if found.at == "end":
        lines.append(f"compared at their ends, since {'the lr of each has come down' if found.finished else 'not all lasted'}")
    elif found.span is not None:
        stretch = f"lr {between(_rounded(found.span))}" if found.x == "lr" else f"{found.unit} {between(found.span)}"
        lines.append(f"compared over what they have in common: {stretch}")
    lines += [f"{label} has too few evaluations and is left out" for label in found.left_out]
    lines += [f"{label} was stopped early, before its lr came down, and is left out" for label in found.stopped]
    lines += ["some metrics are in percent and others in shares of 1, so they are not compared"] * found.scales_differ
    return lines


def _verdict_lines(found: Comparison) -> list[str]:
    choice = found.choice
    if choice.value is None:
        return [f"abstained: {choice.reason}"]
    best, judge = candidate_name(found, choice.value), JUDGES[choice.judged_by]
    if choice.status == "tied":
        lines = [f"a tie: {', '.join(candidate_name(found, value) for value in choice.tied)} cannot be told apart by their {judge}"]
    else:
        lines = [f"best: {best}, by its {judge} ({choice.confidence} confidence)"]
    if found.unlearnt:
        lines.append(
            f"the loss of {', '.join(found.unlearnt)} never leaves its noise: that it learns at all cannot be told from this curve"
        )
    if found.unfinished:
        lines.append(UNFINISHED)
    if any(len(labels) < 2 for labels in found.members.values()):
        lines.append("one run of each: a second seed would say how much of this is chance")
    if found.disagree and found.other is not None and found.other.value is not None:
        other = candidate_name(found, found.other.value)
        lines.append(
            f"by the {JUDGES[found.other.judged_by]} it would be {other}: report both, and judge by the metric (section 4.2, Fig. 6)"
        )
    if found.varied.name != "curve" and choice.status == "chosen" and choice.edge:
        lines.append(f"it is the {'smallest' if choice.edge == 'low' else 'largest'} that was tried: a better one may lie beyond")
    if found.too_short:
        lines.append("these runs are too short to tell weight decays apart: lr/(1 - momentum), summed, times their difference is below 0.1")
    if found.try_next:
        lines.append(f"next weight decay to try: {', '.join(f'{value:g}' for value in found.try_next)} (section 4.4)")
    return lines


def drawn(text: str) -> str:
    """A name from a file as a label that a picture does not hide, as it would one with a leading underscore."""
    return " " * text.startswith("_") + printable(text)


def panels(found: Found) -> tuple[Panel, ...]:
    """The pictures: a curve's loss with its clues as boxes, and its metric; of several curves first all together, then each one's loss."""
    if found.comparison is None:
        return tuple(panel for reading in found.readings for panel in _of_curve(reading))
    own = found.readings if len(found.readings) <= MOST_PANELS else ()
    return (*_together(found.readings, found.comparison), *(_of_curve(reading)[0] for reading in own))


def _of_curve(reading: CurveReading) -> tuple[Panel, ...]:
    curve, x = reading.curve, reading.loaded.over or ("lr" if reading.range or reading.sweep else "step")
    x_label = "learning rate" if x == "lr" else drawn(reading.loaded.unit)
    lines = [series(curve, x, label="validation loss")]
    lines += [series(curve, x, "train_loss", "training loss")] if curve.train_loss is not None else []
    limit = reading.range.lr_limit if reading.range else None
    marks = ((limit.value, f"limit {limit.value:.2g}"),) if x == "lr" and limit is not None and limit.value is not None else ()
    log_x = x == "lr" and reading.sweep is not None
    name = drawn(curve.label)
    loss = Panel(name, x_label, "loss", tuple(lines), marks, boxes(reading.clues, x), log_x=log_x)
    if curve.accuracy is None:
        return (loss,)
    metric = series(curve, x, "accuracy", drawn(reading.loaded.columns["accuracy"]))
    return loss, Panel(
        f"{name}, metric", x_label, "validation metric", (metric,), marks, log_x=log_x, higher_is_better=curve.higher_is_better
    )


def _together(readings: Sequence[CurveReading], found: Comparison) -> tuple[Panel, ...]:
    curves = [reading.curve for reading in readings]
    x_label = "learning rate" if found.x == "lr" else drawn(readings[0].loaded.unit)
    loss = tuple(series(curve, found.x, label=drawn(curve.label)) for curve in curves)
    metric = tuple(series(curve, found.x, "accuracy", drawn(curve.label)) for curve in curves if curve.accuracy is not None)
    pictures = [Panel("All curves", x_label, "validation loss", loss)]
    higher = all(curve.higher_is_better for curve in curves)
    pictures += [Panel("All curves, metric", x_label, "validation metric", metric, higher_is_better=higher)] if metric else []
    return tuple(pictures)
