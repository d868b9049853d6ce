"""stdout is for a command's data alone: within a command whatever else is printed, by the user's code or a library, goes to stderr."""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

_kept: list[TextIO] = []  # stdout as it was when the command began


@contextmanager
def for_data_alone() -> Iterator[None]:
    """Within the body `print` and the like write to stderr; `write` and `stream` reach stdout."""
    _kept.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _kept.pop()


def stream() -> TextIO:
    """Where a command's data go."""
    return _kept[-1] if _kept else sys.stdout


def write(text: str, end: str = "\n") -> None:
    """A command's data, or a part of them, to stdout."""
    stream().write(f"{text}{end}")
    stream().flush()


def as_json(content: Any) -> str:
    """What `--json` prints, which every reader of JSON takes: NaN becomes null, the infinities the strings "inf" and "-inf"."""
    return json.dumps(_plain(content), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None if math.isnan(value) else str(float(value))
    return value
