"""recommended.yaml: the settings, the evidence for each and where they were found; written, read back and compared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hpcheck import __version__
from hpcheck import config as configs
from hpcheck.config import recommended_file, yaml12
from hpcheck.config.problems import ConfigError
from hpcheck.config.recommended import LearningRateBlock, MomentumBlock, SettingsBlock
from hpcheck.recommendation import verdict
from hpcheck.recommendation.cost import cost, records_of
from hpcheck.recommendation.metric import Metric
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import write_whole
from hpcheck.runs.schedules import FLOOR_DIVISOR
from hpcheck.steps.build_runs import data_spec
from hpcheck.steps.confirm_plan import trainings_of
from hpcheck.steps.order import CONFIRM
from hpcheck.steps.reading import Evidence, Reading, Settings, as_measured
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked
from hpcheck.steps.train import schedule

read = recommended_file.read
FORMAT = 2
LINE = 1000  # characters: a reason or a list of runs is one line, so that a change in it is one line of a diff
HEADER = "# Recommended by hpcheck. To train with these settings: hpcheck train --from recommended.yaml\n"
HEADER_OF_KEPT = "# Your own settings, since nothing better was found. To train with them: hpcheck train --from recommended.yaml\n"
HEADER_OF_NO_ANSWER = (
    "# Your own settings, since no training learnt enough to compare any. To train with them: hpcheck train --from recommended.yaml\n"
)
HEADER_OF_BEATEN = "# Found by hpcheck, but not better than yours. To train with them anyway: hpcheck train --from recommended.yaml\n"


def write(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> None:
    """Write `recommended.yaml` for what has been read so far; its first line is the verdict against the start."""
    write_whole(runs.recommended, text(content(runs, asked, readings)))


def text(said: Mapping[str, Any]) -> str:
    """The file: the verdict's answer and what the file is for, then what it says. Each reason, candidate and training is a line, so
    that a diff is as short as what has changed."""
    header = HEADER_OF_BEATEN if verdict.is_beaten(said) else HEADER_OF_KEPT if verdict.keeps_yours(said) else HEADER
    if verdict.has_no_answer(said):
        header = HEADER_OF_NO_ANSWER
    dense = {key: yaml12.short_ones_on_a_line(said[key]) for key in ("evidence", "results") if key in said}
    origin = {key: yaml12.short_ones_on_a_line(value) if key == "cost" else value for key, value in said["provenance"].items()}
    return f"# {verdict.parts(verdict.first_line(said))[0]}\n{header}{yaml12.write({**said, **dense, 'provenance': origin}, LINE)}"


def content(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> dict[str, Any]:
    """What recommended.yaml says: `settings` alone can be started from; `verdict`, `evidence` and `provenance` are for people and for
    `check`."""
    found = [(reading.step, no_surer_than_confirmed(item, reading, readings)) for reading in readings for item in reading.evidence]
    evidence = {item.setting: item for _, item in found}  # a later step's word is the last one
    return {
        "format": FORMAT,
        "verdict": plain(verdict.against_start(asked, readings).block()),
        "cost": whole_cost(runs, asked, readings),
        "settings": settings_block(asked, readings),
        "evidence": {name: evidence_block(as_trained(item, asked)) | changes_of_mind(item, found) for name, item in evidence.items()},
        "results": {reading.step: plain(reading.results) for reading in readings if reading.results},
        "provenance": provenance(runs, asked, readings),
    }


def no_surer_than_confirmed(item: Evidence, reading: Reading, readings: Sequence[Reading]) -> Evidence:
    """The evidence with low confidence where no full training has confirmed it: a curve of a short run shows what it shows, and how sure
    that is for the training is another thing. Where `confirm` says how sure a value is, that counts."""
    said: Mapping[str, Any] = next(
        (one.results["confidence"] for one in readings if one.step == CONFIRM and "confidence" in one.results), {}
    )
    if item.confidence == "none" or reading.step == CONFIRM:
        return item
    return replace(item, confidence=said.get(item.setting, "low"))


def whole_cost(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> dict[str, Any]:
    """What search, confirmation and training came to, in trainings of the user's."""
    spent = cost(records_of(runs, readings), asked)
    return {
        "trainings": spent["trainings"],
        "of": "your batch size and epochs",
        "iterations": spent["iterations"],
        "seconds": spent["device_seconds"],
    }


def settings_block(asked: Asked, readings: Sequence[Reading]) -> SettingsBlock:
    """The settings after the last reading; the learning rate is left out where none is known."""
    settings = readings[-1].settings if readings else start_settings(asked.config)
    block: SettingsBlock = {"total_batch_size": settings.total_batch_size}
    if settings.max_lr is not None and settings.min_lr is not None:
        block["learning_rate"] = _learning_rate(asked, settings, settings.max_lr, settings.min_lr)
    block["momentum"] = _momentum(asked.config.train.momentum, settings.max_momentum, settings.min_momentum)
    block["weight_decay"] = settings.weight_decay
    return block


def _learning_rate(asked: Asked, settings: Settings, largest: float, smallest: float) -> LearningRateBlock:
    """The lr over a training: its cycle or cycles, or the value that another policy of the config begins with."""
    if asked.config.train.policy != "1cycle":
        return {"policy": asked.config.train.policy, "max": largest, "epochs": settings.epochs}
    policy = asked.config.lr_range.policy
    block: LearningRateBlock = {"policy": policy, "max": largest, "min": smallest}
    if policy == "1cycle":
        block["final"] = _short(smallest / FLOOR_DIVISOR)
    return {**block, **schedule(asked, settings)}


def _momentum(shape: str, largest: float, smallest: float) -> MomentumBlock:
    """Momentum over a training as `train.momentum` has it: it falls from max to min and comes back, unless `shape` says that it rises."""
    if shape == "constant":
        return {"max": largest, "min": largest}
    block: MomentumBlock = {"max": largest, "min": smallest}
    if shape == "rising" and smallest < largest:
        block["shape"] = "rising"
    return block


def as_trained(item: Evidence, asked: Asked) -> Evidence:
    """The evidence with its value as `settings` has it: for the momentum, in the shape that the training gives it."""
    if item.setting != "momentum":
        return item
    return replace(item, value=_momentum(asked.config.train.momentum, item.value["max"], item.value["min"]))


def carried_from(content: Mapping[str, Any]) -> float | None:
    """The lr that the evidence is for, where a batch size that was set since has moved the recommended one; None where it is that."""
    read_at = content["evidence"].get("learning_rate", {}).get("value")
    now = (content["settings"].get("learning_rate") or {}).get("max")
    return read_at if isinstance(read_at, float) and isinstance(now, float) and not math.isclose(read_at, now, rel_tol=0.01) else None


def evidence_block(item: Evidence) -> dict[str, Any]:
    """One setting's evidence as plain values, without what is empty."""
    apart = ("setting", "kept", "higher_is_better", "good")  # the block's own key, what its source, the config and its reason say
    block = {key: plain(value) for key, value in asdict(item).items() if key not in apart and value not in (None, (), [])}
    if item.considered:
        block["considered"] = [plain(candidate(item, *line)) for line in item.considered]
    if item.status == "abstained":
        block["source"] = f"{item.kept} (abstained); {item.source}"
    return block


def candidate(item: Evidence, value: float | str, score: float, error: float) -> dict[str, Any]:
    """One of those that were considered, its score as it was measured: a loss, or the metric itself."""
    measured = as_measured(score, item.judged_by, item.higher_is_better) if math.isfinite(score) else "diverged"
    return {"value": value, "score": measured, "error": float(f"{error:.2g}")}


def changes_of_mind(last: Evidence, found: Sequence[tuple[str, Evidence]]) -> dict[str, Any]:
    """What earlier steps said of the setting that a later one read again, in order; nothing where it was read once."""
    before = [(step, item) for step, item in found if item.setting == last.setting and item is not last]
    return {"earlier": [{"step": step, "value": plain(item.value), "reason": item.reason} for step, item in before]} if before else {}


def provenance(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> dict[str, Any]:
    """What the recommendation rests on, and what it cost: every run that any step looked at, counted once."""
    records, data = records_of(runs, readings), data_spec(asked)
    first = records[0] if records else None
    confirmed = {run for reading in readings if reading.step == CONFIRM for run in reading.runs}
    final = {run for reading in readings if reading.step == "train" for run in reading.runs} - confirmed
    search = [record for record in records if record.run_id not in final | confirmed]
    parts = {"search": search, "confirmation": [record for record in records if record.run_id in confirmed]}
    parts["training"] = [record for record in records if record.run_id in final]
    return {
        "hpcheck": __version__,
        "config": configs.digest(asked.config),
        "data": runs.fingerprints.data(data)[:16],
        "seed": asked.config.seed,
        **({"script": {"train_examples": asked.facts.train_examples}} if asked.config.script is not None else {}),
        "environment": {key: value for key, value in first.environment.items() if key not in ("data", "identity")} if first else {},
        **Metric.of(asked).block(),
        "confirm_trainings": trainings_of(asked),
        "cost": {part: cost(of_part, asked) for part, of_part in parts.items() if of_part or part != "confirmation"},
    }


def topics(content: Mapping[str, Any]) -> list[str]:
    """What a recommendation speaks of: settings that it has evidence for, and how they trained."""
    trained = {"train", "confirm"} & set(content.get("results") or {})
    return [*content.get("evidence", {}), *(["the training"] * bool(trained))]


def topics_in(path: Path) -> list[str]:
    """The topics of the recommended.yaml at `path`; none where there is no such file, or none that can be read."""
    try:
        return topics(read(path, ("evidence", "results")))
    except ConfigError:
        return []


def lost_words(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """That what a recommendation had said of some topics holds no longer; nothing where it holds."""
    lost = ", ".join(topic for topic in before if topic not in now)
    why = "it was found with another config, before another step changed a setting, or from records that were altered since"
    return [f"what recommended.yaml said of {lost} no longer holds: {why}. hpcheck run finds it again"] * bool(lost)


def plain(value: Any) -> Any:
    """Tuples as lists, numpy numbers as Python's, floats to four significant figures: small, stable, and it diffs well."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    return _short(float(value))


def _short(value: float) -> float:
    return float(f"{value:.4g}") if math.isfinite(value) else value
