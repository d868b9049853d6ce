"""Checks of plain values that were read from a file: each says what was expected, or nothing where the value is that."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hpcheck.config.problems import Finding, shown
from hpcheck.config.yaml12 import KeyPath

NAME = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,63}")  # of a setting, a step, a package
LARGEST = 1e300  # ours: a whole number beyond it is no float

Check = Callable[[Any], str]  # what was expected where a value is something else, else ""


def number(value: Any) -> str:
    fits = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST)
    return "" if fits else "a number"


def whole(value: Any) -> str:
    return "" if isinstance(value, int) and not number(value) else "a whole number"


def line(value: Any) -> str:
    return "" if isinstance(value, str) and value.isprintable() else "text on one line"


def one_of(*words: str) -> Check:
    return lambda value: "" if isinstance(value, str) and value in words else f"one of {', '.join(words)}"


def list_of(check: Check, words: str, length: int | None = None) -> Check:
    def is_list(value: Any) -> str:
        fits = isinstance(value, list) and length in (None, len(value)) and not any(map(check, value))
        return "" if fits else f"a list of {length or ''} {words}".replace("  ", " ")

    return is_list


def scalar(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | str) or not number(value) else "a number or text"


def number_or_name(value: Any) -> str:
    return "" if not number(value) or not line(value) else "a number or a name"


def checked(values: Mapping[str, Any], checks: Mapping[str, Check], path: KeyPath) -> Iterator[Finding]:
    """What of the keys in `checks` is there and is something else; other keys are nobody's concern, since nothing reads them."""
    for key, check in checks.items():
        if values.get(key) is not None and (expected := check(values[key])):
            yield Finding((*path, key), "not allowed", shown(values[key]), expected)


def blocks(values: Any, path: KeyPath, named: Check) -> Iterator[tuple[Any, Any, Finding | None]]:
    """Each key and what it holds, with a finding where the key is no name."""
    if not isinstance(values, dict):
        yield "", None, Finding(path, "not a mapping", shown(values), "lines of `key: value`")
        return
    for key, value in values.items():
        expected = named(key)
        yield key, value, Finding((*path, key), "not a name", "", expected) if expected else None


def is_name(key: str) -> str:
    return "" if NAME.fullmatch(key) else "letters, digits, '.', '_' or '-', a letter first"


def mappings(values: Any, path: KeyPath, named: Check, checks: Mapping[str, Check]) -> Iterator[Finding]:
    """What is wrong with a mapping of names to mappings of values."""
    for key, value, wrong in blocks(values, path, named):
        if wrong is not None:
            yield wrong
        elif not isinstance(value, dict):
            yield Finding((*path, key), "not a mapping", shown(value), "lines of `key: value`")
        else:
            yield from checked(value, checks, (*path, key))
