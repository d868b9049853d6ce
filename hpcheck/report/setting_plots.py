"""Evidence as one small plot for each setting: what was tried, its score as people read it, what was chosen, and the user's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.config import Config
from hpcheck.drawing import layout_png
from hpcheck.drawing.panels import Candidate, SettingPlot
from hpcheck.recommendation import recommended, wording
from hpcheck.recommendation.metric import Metric
from hpcheck.runs.directory import RunDirectory
from hpcheck.steps import lr_in_full
from hpcheck.steps.confirm_reading import NOT_BETTER
from hpcheck.steps.nothing_learnt import NOT_TESTED
from hpcheck.steps.order import CONFIRM
from hpcheck.steps.reading import Evidence, Reading, Settings, as_measured
from hpcheck.steps.step import Asked
from hpcheck.text import number

FILE = "settings.png"
TITLES = {"learning_rate": "Learning rate", "total_batch_size": "Batch size", "momentum": "Momentum", "weight_decay": "Weight decay"}
LOG = frozenset({"learning_rate", "total_batch_size", "weight_decay"})


def write(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> None:
    """Write `plots/settings.png` for what has been read so far."""
    settings = recommended.settings_block(asked, readings)
    layout_png.draw(plots(readings, settings, asked.config, Metric.of(asked)), runs.plots / FILE)


def plots(readings: Sequence[Reading], settings: Mapping[str, Any], config: Config, metric: Metric) -> list[SettingPlot]:
    """A plot for each setting, in the order of the settings table; `settings` are those of recommended.yaml."""
    return [_plot(name, readings, settings, config, metric) for name in TITLES]


def _plot(name: str, readings: Sequence[Reading], settings: Mapping[str, Any], config: Config, metric: Metric) -> SettingPlot:
    found = [(reading, item) for reading in readings for item in reading.evidence if item.setting == name]
    start = _start(name, config)
    answer = "no answer" if start is None and _learnt_nothing(readings) else wording.short(name, settings.get(name))
    shown = next(((reading, item) for reading, item in reversed(found) if len(item.considered) > 1), None)
    if shown is None:
        return SettingPlot(TITLES[name], answer, "", (), note=_why_no_plot(found, settings.get(name) is not None))
    reading, item = shown
    last = readings[-1].settings
    chosen = _value(name, last)
    carried = name == "learning_rate" and chosen is not None and item.value != chosen and found[-1][1] is item
    moved = found[-1][1] is not item and chosen not in (start, *(value for value, *_ in item.considered))
    return SettingPlot(
        TITLES[name],
        answer,
        metric.label if item.judged_by == "accuracy" else "validation loss",
        tuple(_candidate(item, value, score, error, metric) for value, score, error in item.considered if not isinstance(value, str)),
        chosen=item.value if carried and isinstance(item.value, float) else chosen,
        start=start,
        interval=None if moved and not _holds(item.interval, chosen) else item.interval,  # what full trainings have left says nothing
        log_x=name in LOG,
        higher_is_better=item.judged_by == "accuracy" and item.higher_is_better,
        note=_note(reading, item, carried),
    )


def _holds(interval: tuple[float, float] | None, value: float | None) -> bool:
    return interval is not None and value is not None and interval[0] <= value <= interval[1]


def _why_no_plot(found: Sequence[tuple[Reading, Evidence]], is_known: bool) -> str:
    """What stands in the place of a plot that would be empty."""
    if not found:
        return "not tested: yours stays" if is_known else "not tested yet"
    reading, item = found[-1]
    if item.status == "abstained":
        return _note(reading, item, carried=False)
    return "none better found: yours stays" if reading.step == CONFIRM and _kept(reading) else "one value, not compared"


def _learnt_nothing(readings: Sequence[Reading]) -> bool:
    """Whether full trainings said nothing at all, so that no value that the user does not have is one to set."""
    return any(one.results.get("verdict", {}).get("says") == NOT_TESTED for one in readings)


def _kept(confirmed: Reading) -> bool:
    """Whether full trainings left the user's own settings, so that no other value of one setting was trained beside them."""
    return bool(confirmed.results.get("verdict", {}).get("says") == NOT_BETTER)


def _candidate(item: Evidence, value: float, score: float, error: float, metric: Metric) -> Candidate:
    scale = 100.0 if item.judged_by == "accuracy" and metric.percent else 1.0
    return Candidate(
        value, scale * as_measured(score, item.judged_by, item.higher_is_better), scale * error, value in item.tied or value in item.good
    )


def _note(reading: Reading, item: Evidence, carried: bool) -> str:
    if item.status == "abstained":
        return f"no answer: {'yours' if item.kept == 'start' else item.kept} stays"
    if carried:
        return f"{number(float(f'{item.value:.2g}'))} at your batch size"
    return "in full, first seed" if reading.step in (CONFIRM, lr_in_full.STEP) else "short runs"


def _value(name: str, settings: Settings) -> float | None:
    """The value that was set, as the candidates have it: the largest of a lr and of a momentum."""
    return {
        "learning_rate": settings.max_lr,
        "total_batch_size": float(settings.total_batch_size),
        "momentum": settings.max_momentum,
        "weight_decay": settings.weight_decay,
    }[name]


def _start(name: str, config: Config) -> float | None:
    start = config.start
    return {
        "learning_rate": start.max_lr,
        "total_batch_size": float(start.total_batch_size),
        "momentum": start.momentum.max,
        "weight_decay": start.weight_decay,
    }[name]
