"""The top of the report: what must be known first, the recommended settings with a sentence why for each, the schedule, the results."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpcheck.config import Config
from hpcheck.config.recommended import rises
from hpcheck.drawing.frame import SMALL
from hpcheck.drawing.markup import Markup
from hpcheck.drawing.panels import Panel, Series
from hpcheck.drawing.strip import strip
from hpcheck.recommendation import recommended, wording
from hpcheck.recommendation.metric import Metric
from hpcheck.recommendation.verdict import has_no_answer
from hpcheck.report.advice import Line, missing
from hpcheck.report.figure import Figure, figures
from hpcheck.runs.schedules import cyclical_momentum, one_cycle, values
from hpcheck.steps.order import CONFIRM
from hpcheck.steps.reading import Reading
from hpcheck.text import bound, number

NAMES = {"learning_rate": "Learning rate", "total_batch_size": "Batch size", "momentum": "Momentum", "weight_decay": "Weight decay"}
ALL_NAMES = NAMES | {"min_lr": "Smallest learning rate", "momentum_shape": "Shape of the momentum", "momentum_floor": "Least momentum"}
PER_EPOCH = 1000  # the schedule's picture counts in thousandths of an epoch: knots are whole steps


@dataclass(frozen=True)
class Banner:
    """What a reader must not overlook."""

    title: str
    words: str
    loud: bool = True


@dataclass(frozen=True)
class SettingRow:
    """One setting of the table: `link` is the name on the page of where it was read, "" where it was not."""

    label: str
    link: str
    value: str
    course: str
    interval: str
    status: str
    confidence: str
    why: str


@dataclass(frozen=True)
class Table:
    """Columns and rows of words."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


def banners(content: Mapping[str, Any], readings: Sequence[Reading], config: Config) -> list[Banner]:
    """All that a reader must not overlook."""
    found = []
    if config.data.validate_on == "test":
        words = (
            "Every curve and every choice below was made on the test split, as Smith's paper does. The final figures are therefore not an "
            "independent estimate: they flatter the settings. Set data.validate_on: held-out for one that is."
        )
        found.append(Banner("Validated on the test split", words))
    for reading in readings:
        for item in reading.evidence:
            if item.status == "abstained" and not (reading.step == CONFIRM and has_no_answer(content)):  # that is the verdict itself
                kept = "your value" if item.kept == "start" else item.kept
                title = f"No answer for {ALL_NAMES.get(item.setting, item.setting).lower()}"
                found.append(Banner(title, f"{sentence(f'{kept} is kept')} {sentence(item.reason)}"))
    steps = missing(content, readings)
    if steps:
        found.append(Banner("Unfinished", f"Not run yet: {', '.join(steps)}. {_what_that_means(steps)}", loud=False))
    return found


def _what_that_means(not_run: Sequence[str]) -> str:
    """What the steps that were not run leave open; training sets nothing."""
    start = "Their settings are where you started from." if set(not_run) - {"train"} else ""
    untried = "No full training has tried these settings." if "train" in not_run else ""
    return f"{start} {untried}".strip()


def sentence(words: str) -> str:
    """Words as a sentence: a capital and a full stop."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) or not words else ".")


SETTINGS_COLUMNS = ("Setting", "Recommended", "Interval", "Result", "Why")


def settings_rows(content: Mapping[str, Any]) -> list[SettingRow]:
    """A row a setting: value, where else it could lie, how sure, and why."""
    return [_row(name, label, content) for name, label in NAMES.items()]


def _row(name: str, label: str, content: Mapping[str, Any]) -> SettingRow:
    evidence = content["evidence"].get(name, {})
    interval = " to ".join(bound(end) for end in evidence.get("interval") or ())
    kept = "Not tested: yours stays." if name in content["settings"] else "Not tested yet."
    why = sentence(evidence["reason"]) if evidence.get("reason") else kept
    read_at = recommended.carried_from(content) if name == "learning_rate" else None
    if read_at is not None:
        why = f"{why} {sentence(wording.carried_words(read_at, content['settings']))}"
    value, course = value_of(name, content["settings"].get(name))
    status = wording.status_of(name, content) or "not tested"
    link = f"setting-{name}" if evidence else ""
    sure = "" if status == wording.STAYS else evidence.get("confidence", "")
    return SettingRow(label, link, value, course, interval or "\u2013", status, sure, why)


def value_of(name: str, value: Any) -> tuple[str, str]:
    """A setting as it is read, and its course over the training, "" where it has none."""
    if value is None:
        return "none known", ""
    if name == "learning_rate":
        return wording.lr_words(value)
    if name == "momentum":
        return wording.momentum_words(value)
    return (number(value) if isinstance(value, int | float) else str(value)), ""


def schedule(settings: Mapping[str, Any]) -> list[Figure]:
    """Learning rate and momentum over the recommended training, their tail included."""
    lr, momentum = settings.get("learning_rate"), settings["momentum"]
    if not lr or "final" not in lr:
        return []  # no lr is known, or it is not a 1cycle's
    stepsize, steps = round(lr["cycle_epochs"] * PER_EPOCH / 2), round(lr["epochs"] * PER_EPOCH)
    lrs = one_cycle(lr["max"], lr["min"], max(stepsize, 1), steps).points
    first, turned = ("min", "max") if rises(momentum) else ("max", "min")
    cycles = cyclical_momentum(momentum[first], momentum[turned], max(stepsize, 1), steps)
    momenta = [point for point in cycles.points if point[0] < steps] + [(steps, float(values(cycles, steps + 1)[-1]))]
    panels = [_line("Learning rate", "learning rate", lrs, "lr"), _line("Momentum", "momentum", momenta, "momentum")]
    return figures(panels, "schedule", (SMALL,))


def _line(title: str, y_label: str, points: Sequence[tuple[float, float]], label: str) -> Panel:
    xs, ys = zip(*((step / PER_EPOCH, value) for step, value in points), strict=True)
    return Panel(title, "epoch", y_label, (Series(label, xs, ys),), whole=True)


def answer(content: Mapping[str, Any], next_: Sequence[Line] = ()) -> list[tuple[str, str, str]]:
    """Below the verdict: what to set, how sure that is, what it cost, what was not tested, and what to do next with its command."""
    said = {
        "What to set": wording.to_set_line(content),
        "How sure": f"{wording.belief_line(content)}{wording.confidence_words(content)}",
        "What it cost": wording.cost_line(content),
        "Not tested": wording.untested_line(content),
    }
    rows = [(name, sentence(words), "") for name, words in said.items() if words]
    words, command = next_[0] if next_ else ("", "")
    return [*rows, *([("What next", f"{words}:" if command else sentence(words), command)] if words else [])]


@dataclass(frozen=True)
class Results:
    """The final training beside what it is compared with: a strip of dots (None where no run finished), and a table."""

    strip: Markup | None
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def results(content: Mapping[str, Any], fit: str) -> Results | None:
    """None where nothing was trained; `fit` is the config's `train.fit`."""
    arms = {name: arm for name, arm in wording.arms_of(content).items() if isinstance(arm, Mapping) and "runs" in arm}
    if not arms:
        return None
    split = "test" if any("test" in arm for arm in arms.values()) else "val"
    metric = Metric.in_content(content)
    words = f"{metric.name} on {wording.SPLITS[split]}{', %' * metric.percent}"
    shown = [_dots(name, arm[split], metric) for name, arm in arms.items() if split in arm]
    held_out = "Validation split, trained on too" if fit == "all" else "Validation split"
    columns = (f"{metric.name[:1].upper()}{metric.name[1:]} when trained with", "Test split", held_out, "Diverged")
    return Results(strip(shown, words), columns, [_result(name, arm, metric) for name, arm in arms.items()])


def _dots(name: str, figures: Mapping[str, Any], metric: Metric) -> tuple[str, float, tuple[float, ...]]:
    """An arm of the strip, in the metric's own unit."""
    scale = 100.0 if metric.percent else 1.0
    words = f"{wording.ARMS.get(name, name)}: {_figure(figures, metric)}"
    return words, scale * figures["metric"], tuple(scale * value for value in figures["each"])


def _result(name: str, arm: Mapping[str, Any], metric: Metric) -> tuple[str, ...]:
    test, val = (_figure(arm[split], metric) if split in arm else "\u2013" for split in ("test", "val"))
    return wording.ARMS.get(name, name), test, val, f"{arm.get('diverged', 0)} of {len(arm['runs'])}"


def _figure(figures: Mapping[str, Any], metric: Metric) -> str:
    """Mean and standard deviation, or the one figure where there is but one training."""
    count = len(figures["each"])
    words = metric.words(figures["metric"], figures.get("std", math.nan), figures.get("examples", 0))
    return f"{words}, {'one training' if count == 1 else f'{count} trainings'}"
