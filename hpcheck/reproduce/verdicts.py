"""The paper's value beside ours: one line for each experiment, and whether the two agree. Pure functions of plain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcheck.analysis.choice import Choice
from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.lr_range import read_range
from hpcheck.reproduce.lookup import Found
from hpcheck.runs.schedules import is_linear_ramp
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import curve
from hpcheck.steps.reading import Evidence, Finding, Reading

SPREADS = 2.0  # ours: an accuracy below the paper's by more than so many standard deviations (theirs and ours together) is a miss
CLOSE = 10**0.25  # ours: a value within half of the half-decade that the paper's grids step by is the same "one significant figure"
NAMES = {
    "weight_decay": "weight decay",
    "learning_rate": "max lr",
    "lr_limit": "lr limit",
    "total_batch_size": "batch",
    "momentum": "momentum",
}


@dataclass(frozen=True)
class Verdict:
    """`agrees` is None where nothing was run or a reading abstained: there is nothing to compare."""

    paper: str
    ours: str
    agrees: bool | None
    why: str = ""


def judge(answer: Mapping[str, Any], found: Sequence[Found]) -> Verdict:
    """The verdict on an experiment: `found` holds its configs in order. Forms of an answer:

    accuracy, std: percent over the paper's runs. setting, value (or low and high, or tied): what a step recommends. clue, low, high: a clue
    between two lrs. limit_rises: two weight decays of a range test, the second bearing the larger lr. better: "accuracy" or "loss", by
    which the first config's trainings beat the last's. kinds: for each config, a clue that its training shows. finding: of a reading that
    sets nothing.
    """
    if "accuracy" in answer:
        return accuracy(answer["accuracy"], answer["std"], found[0])
    if "better" in answer:
        return better(answer["better"], found[0], found[-1])
    if "kinds" in answer:
        return kinds(answer["kinds"], found)
    if "clue" in answer:
        return clue(answer, found[0].reading)
    if "limit_rises" in answer:
        return limit_rises(answer["limit_rises"], found[0])
    if "finding" in answer:
        return finding(answer["finding"], found[0].reading)
    if "tied" in answer:
        return alike(answer, found[0].reading)
    return setting(answer, found[0].reading)


def accuracy(paper: float, std: float, found: Found) -> Verdict:
    """Percent, ours against the paper's; a single run of ours is taken to spread as the paper's do."""
    digits = 1 if std >= 0.1 else 2  # as the paper prints them
    told = f"{paper:.{digits}f} +- {std:.{digits}f}"
    if not found.tests:
        return Verdict(told, "every run diverged" if found.finals else "", False if found.finals else None)
    percent = 100 * np.array(found.tests)
    mean, spread = float(percent.mean()), float(percent.std(ddof=1)) if len(percent) > 1 else std
    lost = len(found.finals) - len(found.tests)
    ours = f"{mean:.2f}" + (f" +- {spread:.2f}" if len(percent) > 1 else "") + f" ({_runs(len(percent))}{', ' * bool(lost)}{_lost(lost)})"
    lacking = paper - mean
    agrees = lacking <= SPREADS * math.hypot(std, spread)
    return Verdict(told, ours, agrees, "" if agrees else f"{lacking:.2f} points below")


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count > 1)}"


def _lost(count: int) -> str:
    return f"{count} diverged" if count else ""


def better(by: str, first: Found, last: Found) -> Verdict:
    """Whether the first config's final trainings are better than the last's, by test accuracy or by test loss."""
    names = first.run.config.name, last.run.config.name
    told = f"{names[0]} better by {by} than {names[1]}"
    sides = [(found.tests if by == "accuracy" else found.losses) for found in (first, last)]
    if not all(sides):
        return Verdict(told, "", None)
    means = [float(np.mean(side)) for side in sides]
    ours = f"{means[0]:.4f} against {means[1]:.4f} ({_runs(len(sides[0]))}, {_runs(len(sides[1]))})"
    return Verdict(told, ours, means[0] > means[1] if by == "accuracy" else means[0] < means[1])


def setting(answer: Mapping[str, Any], reading: Reading | None) -> Verdict:
    """A recommended setting: it agrees where its value, a value tied with it or its interval meets what the paper read."""
    name, low = answer["setting"], answer.get("low", answer.get("value"))
    high = answer.get("high", low)
    label = NAMES.get(name, name.replace("_", " "))
    told = f"{label} {low}" if isinstance(low, str) else f"{label} {low:g}" + (f"-{high:g}" if high != low else "")
    item = next((one for one in reading.evidence if one.setting == name), None) if reading is not None else None
    if item is None:
        return Verdict(told, "" if reading is None else f"no {label} was read", None)
    if item.status == "abstained":
        return Verdict(told, f"{label}: the reading abstained", None, item.reason)
    if isinstance(low, str):
        tied = item.status == "tied" and low in item.reason
        return Verdict(told, f"{item.value} ({item.status})", item.value == low or tied, item.reason)
    return Verdict(told, f"{label} {_value(item):g}{_range(item)}", _meets(item, float(low), float(high)), item.reason)


def _value(item: Evidence) -> float:
    return float(item.value["max"] if isinstance(item.value, Mapping) else item.value)


def _numbers(values: Sequence[float | str]) -> list[float]:
    return [value for value in values if not isinstance(value, str)]


def _range(item: Evidence) -> str:
    if item.tied:
        return f" (tie: {', '.join(f'{value:g}' for value in sorted(_numbers(item.tied)))})"
    return f" ({item.interval[0]:.2g}-{item.interval[1]:.2g})" if item.interval else ""


def _meets(item: Evidence, low: float, high: float) -> bool:
    values = (_value(item), *_numbers(item.tied))
    interval = item.interval or (values[0], values[0])
    if interval[0] <= high and interval[1] >= low:
        return True
    if item.setting == "momentum":  # steps of a momentum are steps of 1 - m
        low, high, values = 1 - high, 1 - low, tuple(1 - value for value in values)
    return any(low / CLOSE <= value <= high * CLOSE for value in values)


def clue(answer: Mapping[str, Any], reading: Reading | None) -> Verdict:
    """A clue of one kind that lies, in part at least, between two learning rates."""
    kind, low, high = answer["clue"], answer["low"], answer["high"]
    told = f"{kind} at lr {low:g}-{high:g}"
    if reading is None:
        return Verdict(told, "", None)
    boxes = [box for panel in reading.panels if panel.x_label == "learning rate" for box in panel.boxes]
    ours = dict.fromkeys(f"{box.text} at lr {box.from_x:.2g}-{box.to_x:.2g}" for box in boxes)
    seen = any(box.text == kind and box.from_x <= high and box.to_x >= low for box in boxes)
    return Verdict(told, "; ".join(ours) or "no clue", seen)


def alike(answer: Mapping[str, Any], reading: Reading | None) -> Verdict:
    """Values that come out alike: our reading agrees where it cannot tell them apart."""
    label, values = NAMES[answer["setting"]], answer["tied"]
    told = f"{label} {', '.join(f'{value:g}' for value in values)} alike"
    item = next((one for one in reading.evidence if one.setting == answer["setting"]), None) if reading is not None else None
    if item is None or item.status == "abstained":
        return Verdict(told, "" if item is None else f"{label}: the reading abstained", None)
    return Verdict(told, f"{label} {_value(item):g}{_range(item)}", set(values) <= set(item.tied), item.reason)


def limit_rises(weight_decays: Sequence[float], found: Found) -> Verdict:
    """Range tests at two weight decays: whether the second stays stable to a larger lr, or reaches the end where the first turns."""
    lower, higher = weight_decays
    told = f"weight decay {higher:g} bears larger lrs than {lower:g}"
    ramps = [one for one in found.records if isinstance(one.spec, RunSpec) and is_linear_ramp(one.run.lr)]
    tests = {one.run.weight_decay: one for one in sorted(ramps, key=lambda one: one.run.steps)}  # the slowest ramp at each
    if found.reading is None or not {lower, higher} <= set(tests):
        return Verdict(told, "", None)
    limits = [read_range(curve(tests[decay])).lr_limit for decay in (lower, higher)]
    ours = "; ".join(f"weight decay {decay:g}: {_limit(limit)}" for decay, limit in zip((lower, higher), limits, strict=True))
    if limits[0].value is None or limits[1].value is None:
        return Verdict(told, ours, None, "a limit cannot be read")
    turned = any(limit.edge != "high" for limit in limits)
    why = "the limit does not rise" if turned else "neither turns within the range"
    return Verdict(told, ours, limits[1].value > limits[0].value, why)


def _limit(limit: Choice) -> str:
    if limit.value is None:
        return "no limit can be read"
    return f"{'at least ' if limit.edge == 'high' else ''}lr {limit.value:.2g}"


def kinds(wanted: Sequence[str], found: Sequence[Found]) -> Verdict:
    """A clue that each config's first training shows: underfitting or overfitting."""
    told = ", ".join(f"{one.run.config.name}: {kind}" for one, kind in zip(found, wanted, strict=True))
    if not all(one.finals for one in found):
        return Verdict(told, "", None)
    seen = [list(dict.fromkeys(clue.kind for clue in find_clues(curve(one.finals[0])))) for one in found]
    ours = ", ".join(f"{one.run.config.name}: {' and '.join(clues) or 'no clue'}" for one, clues in zip(found, seen, strict=True))
    return Verdict(told, ours, all(kind in clues for kind, clues in zip(wanted, seen, strict=True)))


def finding(name: Finding, reading: Reading | None) -> Verdict:
    """What a reading found, where it sets nothing."""
    if reading is None:
        return Verdict(name, "", None)
    unread = reading.undone or "cannot be read" in reading.findings
    return Verdict(name, reading.remarks[0], None if unread else name in reading.findings)
