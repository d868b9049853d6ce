"""What is wrong with a config, in words: where it stands, which key, the value got and what is allowed, with a suggestion."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hpcheck.config import allowed
from hpcheck.config.types import is_entry_point
from hpcheck.config.yaml12 import KeyPath
from hpcheck.plugins import find

KINDS = {"data": "data", "model": "models", "optimizer": "optimizers"}  # section of the config: kind of plug-in
LOADER_KEYS = ("folder", "image_size", "stream")  # described keys of `data` that only some loaders take
MEANT = {"lr": "start.max_lr", "learning_rate": "start.max_lr", "wd": "start.weight_decay", "batch_size": "start.total_batch_size"}
MAX_SHOWN = 60  # characters of a value got
MAX_LISTED = 50  # problems written out

PROBLEMS = {  # pydantic's error type: our words
    "missing": "is required",
    "literal_error": "not one of the choices",
    "finite_number": "not a finite number",
    "int_type": "not a whole number",
    "int_from_float": "not a whole number",
    "float_type": "not a number",
    "bool_type": "neither true nor false",
    "string_type": "not text",
    "tuple_type": "not a list",
    "model_type": "another kind of value",
}
OUT_OF_RANGE = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


@dataclass(frozen=True)
class Finding:
    """Something wrong at a key, before it is known where that key stands. `got` and `expected` are "" where there is nothing to say."""

    path: KeyPath
    problem: str
    got: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a config. `file` is the file or the override (`-s batch.sizes`) it stands in; `line` counts from 1."""

    file: str
    line: int | None
    key: str
    problem: str
    got: str = ""
    expected: str = ""

    def __str__(self) -> str:
        file = self.file if self.file.isprintable() else ascii(self.file)
        place = file if self.line is None else f"{file}:{self.line}"
        key = "" if not self.key or self.file == f"-s {self.key}" else f"{self.key}: "
        facts = [f"got {self.got}"] * bool(self.got) + [f"expected {self.expected}"] * bool(self.expected)
        return f"error: {place}: {key}{self.problem}" + (f" ({'; '.join(facts)})" if facts else "")


class ConfigError(Exception):
    """Everything that is wrong with a config, one line each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = list(problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_LISTED]]
        more = len(self.problems) - MAX_LISTED
        return "\n".join(lines + [f"error: and {more} more"] * (more > 0))


def located(finding: Finding, file: str, lines: Mapping[KeyPath, int]) -> Problem:
    """The finding at its key's line, or at that of the nearest key around it."""
    around = (finding.path[:length] for length in range(len(finding.path), 0, -1))
    line = next((lines[path] for path in around if path in lines), None)
    return Problem(file, line, key_text(finding.path), finding.problem, finding.got, finding.expected)


def shown(value: Any) -> str:
    """A value as the user would write it, on one line, shortened.

    >>> shown([1, True, None])
    '[1, true, null]'
    """
    text = _spelled(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _spelled(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key_text((key,))}: {_spelled(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelled, value))}]"
    return ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)


def key_text(path: KeyPath) -> str:
    """`("batch", "sizes", 0)` is written `batch.sizes[0]`; what cannot be printed is escaped."""
    text = ""
    for key in path:
        name = key if isinstance(key, int) or key.isprintable() else ascii(key)
        text += f"[{key}]" if isinstance(key, int) else f".{str(name)[:MAX_SHOWN]}"
    return text.removeprefix(".")


def did_you_mean(word: Any, candidates: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or "" when nothing is like `word`."""
    close = difflib.get_close_matches(str(word)[:MAX_SHOWN], list(candidates), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def of_validation(error: ValidationError, schema: Mapping[str, Any], inside: KeyPath = ()) -> list[Finding]:
    """What pydantic found in the section `inside`, each with what the JSON `schema` allows there."""
    found = error.errors(include_url=False)
    return [_of_one((*inside, *one["loc"]), one["type"], one["input"], one.get("ctx", {}), schema) for one in found]


def _of_one(path: KeyPath, kind: str, got: Any, context: Mapping[str, Any], schema: Mapping[str, Any]) -> Finding:
    if kind == "hpcheck":
        return Finding(path, context["problem"], shown(got), context["expected"])
    if kind == "extra_forbidden":
        return unknown_key(path, allowed.keys(schema, path[:-1]), schema)
    expected = allowed.allowed(schema, path)
    if kind == "missing":
        return Finding(path, "is required", "", expected)
    suggestion = did_you_mean(got, allowed.choices(schema, path)) if kind == "literal_error" else ""
    problem = "out of range" if kind in OUT_OF_RANGE else PROBLEMS.get(kind, "not allowed")
    return Finding(path, problem + suggestion, shown(got), expected)


def unknown_key(path: KeyPath, keys: Sequence[str], schema: Mapping[str, Any] | None = None) -> Finding:
    """A key that nothing reads, with the one that was probably meant: a like one of `keys`, or the same in another section."""
    word = str(path[-1])
    moved = MEANT.get(word) or allowed.elsewhere(schema, word) if schema else None
    suggestion = f"; did you mean {moved!r}?" if moved else did_you_mean(word, keys)
    return Finding(path, f"unknown key{suggestion}", "", f"one of {', '.join(keys)}")


def of_parts(values: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the names and the options of data, model and optimizer. Imports no plug-in."""
    return [finding for section in KINDS for finding in _of_part(section, values.get(section), allowed.keys(schema, (section,)))]


def _of_part(section: str, given: Any, keys: Sequence[str]) -> Iterator[Finding]:
    part = {"name": given} if isinstance(given, str) else given
    name = part.get("name", "sgd" if section == "optimizer" else None) if isinstance(part, dict) else None
    if not isinstance(name, str):
        return  # said by pydantic: missing, or not text
    path: KeyPath = (section,) if isinstance(given, str) else (section, "name")
    known = find.known(KINDS[section])
    options: dict[str, Any] | None = None  # of the user's own, nobody knows
    if find.is_users_own(name):
        if not is_entry_point(name):
            yield Finding(path, "not the name of a function", shown(name), "pkg.module:function")
    elif name not in known and not find.is_torchvision(KINDS[section], name):
        yield Finding(path, f"unknown {section}{did_you_mean(name, known)}", shown(name), f"{', '.join(known)} or pkg.module:function")
    else:
        options = find.options(KINDS[section], name)
    for key in _option_keys(part, keys) if isinstance(part, dict) else ():
        yield from _of_option((section, key), part[key], options, keys)


def _option_keys(part: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    return [key for key, value in part.items() if key not in keys or (key in LOADER_KEYS and value is not None)]


def _of_option(path: KeyPath, value: Any, options: Mapping[str, Any] | None, keys: Sequence[str]) -> Iterator[Finding]:
    if options is not None and path[-1] not in options:
        misplaced = Finding(path, "not an option of this one", shown(value), "null")
        yield misplaced if path[-1] in keys else unknown_key(path, [*keys, *options])
        return
    default = ... if options is None else options[str(path[-1])]
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, list | dict) for item in items):
        yield Finding(path, "too deep for an option", shown(value), "a value or a list of values")
    elif any(isinstance(item, float) and not math.isfinite(item) for item in items):
        yield Finding(path, "not a finite number", shown(value), "a finite number")
    elif expected := _unlike(value, default):
        yield Finding(path, "of another kind than its default", shown(value), f"{expected}, as its default {shown(default)}")


def _unlike(value: Any, default: Any) -> str:
    """What `value` should have been to be like `default`, or "" when it is. A default of None or not a literal says nothing."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if isinstance(default, float):
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if isinstance(default, tuple):
        return _unlike_items(value, default)
    return ""


def _unlike_items(value: Any, default: tuple[Any, ...]) -> str:
    """The same of a list, whose items are to be like its default's."""
    if not isinstance(value, list):
        return "a list"
    expected = next((words for item in value for each in default[:1] if (words := _unlike(item, each))), "")
    return f"a list of which each is {expected}" if expected else ""
