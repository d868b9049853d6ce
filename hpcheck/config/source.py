"""What a config is made of before it is checked: the file's values, the overrides, and where each value stands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcheck.config import yaml12
from hpcheck.config.problems import ConfigError, Finding, Problem, key_text, shown
from hpcheck.config.yaml12 import KeyPath
from hpcheck.files.regular import opened

MAX_BYTES = 1 << 20  # of a config file; ours
SHORT_FOR = {
    ("data",): ("name",),
    ("model",): ("name",),
    ("task",): ("name",),
    ("optimizer",): ("name",),
    ("start", "momentum"): ("max", "min"),
}


@dataclass
class Source:
    """Values not checked yet, and the place of each: (file, line), or (override, None)."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, tuple[str, int | None]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)  # of overrides that cannot be read

    def located(self, finding: Finding) -> Problem:
        """The finding at its key's place, or at that of the nearest key around it."""
        around = (finding.path[:length] for length in range(len(finding.path), 0, -1))
        file, line = next((self.places[path] for path in around if path in self.places), (self.name, None))
        return Problem(file, line, key_text(finding.path), finding.problem, finding.got, finding.expected)


def read_text(path: Path) -> str:
    """The text of a config file: UTF-8, at most 1 MiB. Raises `ConfigError`."""
    try:
        with opened(path) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(path, "no such file", "a config file; `hpcheck init` writes one") from None
    except IsADirectoryError:
        raise _unreadable(path, "a folder", "a config file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, f"cannot be read: {getattr(error, 'strerror', None) or error}", "") from None
    if len(content) > MAX_BYTES:
        raise _unreadable(path, "larger than 1 MiB", "a config file")
    if b"\0" in content:
        raise _unreadable(path, "a binary file", "YAML text in UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(str(path), content.count(b"\n", 0, error.start) + 1, "", "not UTF-8", expected="YAML text in UTF-8")
        raise ConfigError([problem]) from None


def run_name(path: Path) -> str:
    """The stem of a config file as the name of a run, or the name of its folder where the file is called hpcheck.yaml: every project has
    one of those. What a name may not hold becomes `-`."""
    stem = path.resolve().parent.name if path.stem == "hpcheck" else path.stem
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "config"


def read(text: str, name: str, overrides: Sequence[str]) -> Source:
    """The values of `text` with `overrides` put in. Raises `ConfigError` when `text` is not a mapping in YAML."""
    try:
        document = yaml12.read(text)
    except yaml12.YamlError as error:
        raise ConfigError([Problem(name, error.line, "", error.problem)]) from None
    if document.value is None:
        raise ConfigError([Problem(name, None, "", "is empty", expected="at least the keys data and model, or task, or script")])
    if not isinstance(document.value, dict):
        raise ConfigError([Problem(name, None, "", "not a mapping", shown(document.value), "lines of `key: value`")])
    source = Source(name, document.value, {path: (name, line) for path, line in document.lines.items()})
    for override in overrides:
        _put(source, override)
    return source


def _put(source: Source, override: str) -> None:
    """Apply one `a.b=value`; what is wrong with its form joins `source.problems`."""
    dotted, equals, text = override.partition("=")
    path = tuple(dotted.strip().split("."))
    place = f"-s {key_text(path)}"
    if not equals or not all(path):
        source.problems.append(
            Problem(f"-s {shown(override)}", None, "", "not an override", expected="key=value, as in batch.sizes=[64, 128]")
        )
        return
    try:
        value = yaml12.read(text).value
    except yaml12.YamlError as error:
        source.problems.append(Problem(place, None, key_text(path), error.problem, got=shown(text)))
        return
    around = source.values
    for length, key in enumerate(path[:-1], start=1):
        inner = _unfolded(path[:length], around.get(key))
        if not isinstance(inner, dict):
            source.problems.append(Problem(place, None, key_text(path), f"{key_text(path[:length])} holds no keys", got=shown(inner)))
            return
        if around.get(key) is None:
            source.places[path[:length]] = (place, None)
        around[key] = inner
        around = inner
    around[path[-1]] = value
    for inside in [known for known in source.places if known[: len(path)] == path]:
        del source.places[inside]
    source.places[path] = (place, None)


def _unfolded(path: tuple[str, ...], value: Any) -> Any:
    """A mapping that keys can be put in: nothing becomes {}, and `mnist` or 0.9 the mapping that it is short for."""
    if value is None:
        return {}
    if path in SHORT_FOR and isinstance(value, str | int | float):
        return dict.fromkeys(SHORT_FOR[path], value)
    return value


def _unreadable(path: Path, problem: str, expected: str) -> ConfigError:
    return ConfigError([Problem(str(path), None, "", problem, expected=expected)])
