"""The config of a task of the user's own: what may not stand beside `task`, and what stands for data and model meanwhile."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hpcheck.config.problems import Finding, shown
from hpcheck.config.types import is_entry_point

if TYPE_CHECKING:
    from hpcheck.config.sections import Config

PARTS = ("data", "model")
NAMES = ("name", "lightning", "data")  # keys of `task` that name code
LOGGED = ("loss", "metric", "metric_is")  # keys that say which logged value of a LightningModule is which
OWN = (*NAMES, "reads")  # those that are no arguments of the task
# Keys that a task decides, or that it cannot be driven with.
DECIDED = {
    "run": {"bn_splits": "passes a batch as its step does", "engine": "is computed on this machine"},
    "train": {"fit": "splits its own data"},
}


def of_task(values: Mapping[str, Any]) -> Iterator[Finding]:
    """What of the values cannot stand beside a task, and what is wrong with its names."""
    given = values.get("task")
    if given is None:
        return
    if values.get("script") is not None:
        yield Finding(("task",), "stands beside script, which trains by itself", shown(given), "one of the two")
    for part in PARTS:
        if part in values:
            yield Finding((part,), "stands beside task, which is both data and model", shown(values[part]), "one of the two")
    task = folded(given)
    if task is not None:
        yield from _names(task)


def _names(task: Mapping[str, Any]) -> Iterator[Finding]:
    """A task of one's own is named alone; a LightningModule with its LightningDataModule."""
    lightning = task.get("lightning") is not None
    if lightning == (task.get("name") is not None):
        yield Finding(
            ("task",), "names no task" if not lightning else "names two", shown(task), "name: pkg.module:Task, or lightning and data"
        )
        return
    for key in LOGGED if not lightning else ():
        if task.get(key) is not None:
            yield Finding(
                ("task", key), "is for a LightningModule; a task says it itself", shown(task[key]), f"the attribute {key} of the task"
            )
    if lightning != (task.get("data") is not None):
        words = "is required beside task.lightning" if lightning else "is for a LightningModule; a task has loaders"
        yield Finding(
            ("task", "data"), words, "" if lightning else shown(task["data"]), "pkg.module:DataModule" if lightning else "nothing"
        )
    for key in NAMES:
        name = task.get(key)
        if isinstance(name, str) and not is_entry_point(name):
            yield Finding(("task", key), "not the name of a class or a function", shown(name), "pkg.module:Class")
    for key, value in task.items():
        if key not in (*OWN, *LOGGED) and isinstance(value, dict):
            yield Finding(("task", key), "too deep for an option", shown(value), "a value or a list of values")


def folded(given: Any) -> Mapping[str, Any] | None:
    """`pkg.module:Task` is short for `{name: pkg.module:Task}`; None for what is neither."""
    if isinstance(given, str):
        return {"name": given}
    return given if isinstance(given, Mapping) else None


def placeholders(given: Any) -> dict[str, dict[str, Any]]:
    """Data and model as a run's identity has them: the task's names, and its options as the model's."""
    task = folded(given) or {}
    name = task.get("lightning") or task.get("name") or ":"
    options = {key: value for key, value in task.items() if key not in OWN and value is not None}
    reads = {"reads": task["reads"]} if task.get("reads") is not None else {}
    return {"data": {"name": task.get("data") or name}, "model": {"name": name, **options, **reads}}


def kind(config: "Config") -> str:
    """What trains, as `DataSpec.task` has it."""
    if config.task is None:
        return ""
    return "lightning" if config.task.lightning is not None else "task"


def of_tasks_config(config: "Config") -> Iterator[Finding]:
    """What is wrong with a config that is right section by section."""
    if config.task is None:
        return
    for section, keys in DECIDED.items():
        given = getattr(config, section)
        for key, why in keys.items():
            default = type(given).model_fields[key].default
            if getattr(given, key) != default:
                yield Finding((section, key), f"cannot be set for a task, which {why}", shown(getattr(given, key)), shown(default))
