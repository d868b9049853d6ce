"""Files as curves: finds each file's format, reads it, maps its columns; every file's problems come out together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from hpcheck.config.problems import ConfigError, Problem
from hpcheck.curves import caffe, csv_curves, jsonl, tensorboard
from hpcheck.curves.columns import assign, is_called
from hpcheck.curves.load import Loaded, load, unique_labels
from hpcheck.curves.table import LARGEST, Table
from hpcheck.files.regular import opened

READERS: Mapping[str, Callable[[Path], Table]] = {
    "csv": csv_curves.read,
    "jsonl": jsonl.read,
    "tensorboard": tensorboard.read,
    "caffe": caffe.read,
}
HEAD = 1 << 20  # bytes in which a Caffe log must show itself: a network's description stands before its first iteration


def load_all(paths: Sequence[Path], wanted: Mapping[str, str], format_: str | None = None, x: str | None = None) -> list[Loaded]:
    """A curve for each file. `wanted`: quantity -> the user's name for its column; `x`: the column to draw and compare against.

    Raises `ConfigError` with everything that is wrong in any of the files.
    """
    found, problems = [], []
    for path in paths:
        try:
            found.append(load_one(path, wanted, format_, x))
        except ConfigError as error:
            problems += error.problems
        except OSError as error:
            words = error.strerror or str(error)
            problems.append(Problem(str(path), None, "", words[:1].lower() + words[1:]))
    if problems:
        raise ConfigError(problems)
    return unique_labels(found)


def load_one(path: Path, wanted: Mapping[str, str], format_: str | None = None, x: str | None = None) -> Loaded:
    """The curve in one file."""
    name = format_ or find_format(path)
    if path.is_dir() and name != "tensorboard":
        raise ConfigError([Problem(str(path), None, "", "a directory", "", "a file, or a directory with TensorBoard's event files")])
    table = READERS[name](path)
    columns, wrong = assign(table, wanted)
    over: Literal["", "step", "lr"] = "" if x is None else "lr" if is_called(columns.get("lr"), x) else "step"
    if x is not None and over == "step" and not is_called(columns.get("step"), x):
        columns, wrong = assign(table, {**wanted, "step": x}, asked_by={"step": "--x"})
    if wrong:
        line = 1 if table.rows and table.rows[0].line else None
        raise ConfigError([*table.problems, *(Problem(str(path), line, "", one.problem, one.got, one.expected) for one in wrong)])
    return replace(load(path, name, table, columns), over=over)


def find_format(path: Path) -> str:
    """The format by what the file holds; a directory is TensorBoard's where there is an event file in it."""
    if path.is_dir():
        return "tensorboard" if any(tensorboard.EVENTS in found.name for found in path.rglob("*")) else "csv"
    if tensorboard.EVENTS in path.name:
        return "tensorboard"
    with opened(path, LARGEST) as file:
        head = file.read(HEAD).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if head[:1] in ("{", "["):
        return "jsonl"
    return "caffe" if caffe.LOOKS.search(head) else "csv"
