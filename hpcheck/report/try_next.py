"""What to try after an abstention: one command, with its number."""

from collections.abc import Callable, Sequence

from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.nothing_learnt import NOT_TESTED
from hpcheck.steps.reading import Reading, left_open

LONGER = 2  # ours: noise at the end of a run falls, and its descent grows, with each doubling; less than that seldom turns an abstention
MORE_TRAININGS = 4  # ours: further full trainings, where those made decide nothing or found nothing better
SECTIONS = {"lr-range": "lr_range", "lr-reprobe": "lr_range", "batch": "batch", "momentum": "momentum", "wd-grid": "wd_grid"}
BY_ITSELF = {"lr-reprobe": "train"}  # step: the command that makes it


Find = Callable[[str], RunRecord | None]  # a record by its run's name


def after_abstention(readings: Sequence[Reading], by_id: Find) -> str:
    """The command that is likeliest to answer the first question that was left open; "" where none was, or no command would."""
    first = next(iter(left_open(readings)), None)
    if first is None:
        return ""
    if first.undone:
        return "hpcheck lr-range" if first.settings.max_lr is None and first.step != "lr-range" else ""
    return longer(first, by_id)


def longer(reading: Reading, by_id: Find) -> str:
    """The command that runs a step again with runs twice as long, or with more full trainings; "" where its records are not there."""
    if reading.results.get("verdict", {}).get("says") == NOT_TESTED:  # none learnt anything: other settings would not either
        return f"hpcheck run -s budget.epochs={LONGER * reading.settings.epochs:g}"
    if reading.step == "confirm":
        trained = len(set(reading.runs))
        return f"hpcheck confirm -s confirm.trainings={trained + MORE_TRAININGS}" if trained else ""
    specs = [record.spec for record in map(by_id, reading.runs) if record is not None]
    longest = max((spec.steps - spec.at_step for spec in specs if isinstance(spec, RunSpec)), default=0)
    if not longest or reading.step not in SECTIONS:
        return ""
    return f"hpcheck {BY_ITSELF.get(reading.step, reading.step)} -s {SECTIONS[reading.step]}.steps={LONGER * longest}"
