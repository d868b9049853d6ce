"""The config of a user's own script: what may not stand beside `script`, and what stands for data and model meanwhile."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hpcheck.config.problems import Finding, shown
from hpcheck.config.tasks import placeholders
from hpcheck.plugins.find import SCRIPT

if TYPE_CHECKING:
    from hpcheck.config.sections import Config

PARTS = ("data", "model")
# Keys that say how hpcheck itself trains: the script decides these.
OF_THE_SCRIPT = {
    "run": ("precision", "devices", "bn_splits", "engine", "together", "device"),
    "train": ("variation", "fit"),
    "budget": ("eval_size",),
}


def of_script(values: Mapping[str, Any]) -> Iterator[Finding]:
    """What of the values cannot stand beside a script."""
    if values.get("script") is None:
        return
    for part in PARTS:
        if part in values:
            yield Finding((part,), "stands beside script, which is both data and model", shown(values[part]), "one of the two")


def with_placeholders(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with a name for data and model where a script or a task takes their place."""
    if values.get("script") is not None:
        return {**values, **{part: {"name": SCRIPT} for part in PARTS}}
    if values.get("task") is not None:
        return {**values, **placeholders(values["task"])}
    return values


def without_placeholders(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a person would write them: data and model, or a script, or a task."""
    of_script, of_task = values.get("script") is not None, values.get("task") is not None
    left_out = {*(PARTS if of_script or of_task else ()), *(() if of_script else ("script", "script_reads", "script_version"))}
    left_out |= set() if of_task else {"task"}
    return {key: value for key, value in values.items() if key not in left_out}


def of_scripts_config(config: "Config") -> Iterator[Finding]:
    """What is wrong with a config that is right section by section."""
    if config.script is None:
        if config.budget.steps is not None and config.task is None:
            yield Finding(("budget", "steps"), "is for a script or a task", shown(config.budget.steps), "budget.epochs")
        return
    for section, keys in OF_THE_SCRIPT.items():
        given = getattr(config, section)
        for key in keys:
            if getattr(given, key) != type(given).model_fields[key].default:
                yield Finding((section, key), "is decided by the script", shown(getattr(given, key)), "the default")
