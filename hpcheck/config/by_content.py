"""What a YAML file is, by its top-level keys: a config, a recommendation, or neither. Works on text that is no valid YAML too."""

import re
from pathlib import Path

from hpcheck.config.problems import ConfigError
from hpcheck.config.source import read_text

KEY = re.compile(r"^([A-Za-z_]\w*)[ \t]*:", re.MULTILINE)
# Keys that no other program's config is likely to have beside `data` and `model`, which many have.
OWN = {"budget", "start", "lr_range", "wd_grid", "confirm", "script", "script_reads", "task"}
NAMES = ("hpcheck.yaml", "hpcheck.yml")


def is_config(path: Path) -> bool:
    """Whether a file is a config of hpcheck: by its name, or since it names data and model, a script or a task, and hpcheck or a section
    that only hpcheck has. What cannot be read counts as one where its name says so."""
    text, keys = _keys(path)
    if path.name in NAMES and "jobs" not in keys:  # a workflow that runs hpcheck often has its name
        return True
    names_what_trains = {"data", "model"} <= keys or bool({"script", "task"} & keys)
    return names_what_trains and not is_recommendation(path) and bool(keys & (OWN - {"script", "task"}) or "hpcheck" in text)


def is_recommendation(path: Path) -> bool:
    """Whether a file is a recommended.yaml, whatever it is called."""
    return {"settings", "evidence"} <= _keys(path)[1]


def _keys(path: Path) -> tuple[str, set[str]]:
    try:
        text = read_text(path)
    except ConfigError:
        return "", set()
    return text, set(KEY.findall(text))
