"""What to try after an abstention: one command, with its number."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.nothing_learnt import NOT_TESTED
from hpcheck.steps.reading import Reading, left_open

LONGER = 2  # ours: noise at the end of a run falls, and its descent grows, with each doubling; less than that seldom turns an abstention
MORE_TRAININGS = 4  # ours: further full trainings, where those made decide nothing or found nothing better
SECTIONS = {"lr-range": "lr_range", "lr-reprobe": "lr_range", "batch": "batch", "momentum": "momentum", "wd-grid": "wd_grid"}
BY_ITSELF = {"lr-reprobe": "train"}  # step: the command that makes it


Find = Callable[[str], RunRecord | None]  # a record by its run's name


def after_abstention(readings: Sequence[Reading], by_id: Find, config: Path | None = None, script: Sequence[str] | None = None) -> str:
    """The command that is likeliest to answer the first question that was left open; "" where none was, or no command would."""
    first = next(iter(left_open(readings)), None)
    if first is None:
        return ""
    if first.undone:
        return _written("lr-range", "", config, script) if first.settings.max_lr is None and first.step != "lr-range" else ""
    return longer(first, by_id, config, script)


def longer(reading: Reading, by_id: Find, config: Path | None = None, script: Sequence[str] | None = None) -> str:
    """The command that runs a step again with runs twice as long, or with more full trainings; "" where its records are not there."""
    if reading.results.get("verdict", {}).get("says") == NOT_TESTED:  # none learnt anything: other settings would not either
        return _written("run", f"budget.epochs={LONGER * reading.settings.epochs:g}", config, script)
    if reading.step == "confirm":
        trained = len(set(reading.runs))
        return _written("confirm", f"confirm.trainings={trained + MORE_TRAININGS}", config, script) if trained else ""
    specs = [record.spec for record in map(by_id, reading.runs) if record is not None]
    longest = max((spec.steps - spec.at_step for spec in specs if isinstance(spec, RunSpec)), default=0)
    if not longest or reading.step not in SECTIONS:
        return ""
    return _written(BY_ITSELF.get(reading.step, reading.step), f"{SECTIONS[reading.step]}.steps={LONGER * longest}", config, script)


def _written(command: str, override: str, config: Path | None, script: Sequence[str] | None) -> str:
    parts = ["hpcheck", command, *([str(config)] if config is not None else []), *(["-s", override] if override else [])]
    return shlex.join([*parts, *(["--", *script] if script is not None else [])])
