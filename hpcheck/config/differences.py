"""What `-s` set when something was run: the keys in which the config that it was run with differs from the file."""

import json
from collections.abc import Iterator
from typing import Any

from hpcheck.config import Config

ASKED = (
    "seed",
    "budget",
    "start",
    "lr_range",
    "batch",
    "momentum",
    "wd_grid",
    "confirm",
    "train",
)  # not what is trained


def overrides_between(file: Config, made_with: Config) -> list[str]:
    """`made_with` as overrides of `file`, in the parts that say what a search asks. None for a script or a task: what these told is in one
    of the two configs alone."""
    if made_with.script is not None or made_with.task is not None:
        return []
    before, then = (dict(_leaves(config.model_dump(include=set(ASKED), mode="json"))) for config in (file, made_with))
    return [f"{key}={json.dumps(value)}" for key, value in then.items() if before.get(key) != value]


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
