"""Files as curves: finds each file's format, reads it, maps its columns; every file's problems come out together, in few lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hpcheck.config.problems import ConfigError, Problem
from hpcheck.curves.columns import Mismatch, assign
from hpcheck.curves.combine import combine
from hpcheck.curves.counters import one_after_another, settle
from hpcheck.curves.formats import caffe, console, csv, headerless, json_columns, json_lists, jsonl, mlflow, optuna, sqlite, tensorboard
from hpcheck.curves.formats.content import beginning
from hpcheck.curves.formats.folders import files_below
from hpcheck.curves.formats.format import Format
from hpcheck.curves.load import Loaded, load, unique_labels
from hpcheck.curves.names import is_called
from hpcheck.curves.runs import names_its_rows, separate
from hpcheck.curves.splits import of_file, runs_of_losses, widen
from hpcheck.curves.table import Table, refusal
from hpcheck.curves.training_only import of_training, settled

FORMATS: Mapping[str, Format] = {  # in the order in which they are asked whether a file is theirs
    "tensorboard": tensorboard,
    "sqlite": sqlite,
    "caffe": caffe,
    "optuna": optuna,
    "json": json_columns,
    "list": json_lists,
    "jsonl": jsonl,
    "mlflow": mlflow,
    "headerless": headerless,
    "console": console,
    "csv": csv,
}
READERS: Mapping[str, Callable[[Path], Sequence[Table]]] = {name: one.read for name, one in FORMATS.items()}
MOST_LINES = 3  # lines of errors about one file
MOST_CURVES = 200  # ours: files of a directory that are read
LOGS = {  # endings that are read in a directory
    *(".csv", ".tsv", ".txt", ".log", ".json", ".jsonl", ".ndjson", ".out", ".err", ".dat", ""),
    *(".db", ".sqlite", ".sqlite3"),
}
PACKED = ".gz"
AIM = ".aim"  # the directory in which Aim keeps its runs


@dataclass(frozen=True)
class Asked:
    """What the user asks for. `wanted`: quantity -> the name of its column; `summed`: quantity -> names whose sum it is; `x`: what to draw
    and compare against."""

    wanted: Mapping[str, str] = field(default_factory=dict)
    summed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    format_: str | None = None
    x: str | None = None


def load_all(
    paths: Sequence[Path],
    wanted: Mapping[str, str],
    format_: str | None = None,
    x: str | None = None,
    summed: Mapping[str, Sequence[str]] | None = None,
) -> list[Loaded]:
    """The curves of all files: one for each, or for each run in it; of a directory those of all its logs.

    Raises `ConfigError` with everything that is wrong in any of the files.
    """
    asked = Asked(wanted, summed or {}, format_, x)
    found: list[Loaded] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found += load_path(path, asked)
        except ConfigError as error:
            problems += few(str(path), error.problems)
        except OSError as error:
            words = error.strerror or str(error)
            problems.append(Problem(str(path), None, "", words[:1].lower() + words[1:]))
    if problems:
        raise ConfigError(problems)
    return unique_labels(found)


def load_one(path: Path, wanted: Mapping[str, str], format_: str | None = None, x: str | None = None) -> Loaded:
    """The curve in one file that holds one."""
    (one,) = load_path(path, Asked(wanted, {}, format_, x))
    return one


def load_path(path: Path, asked: Asked) -> list[Loaded]:
    """The curves in one file or directory."""
    name = asked.format_ or find_format(path)
    if path.is_dir() and name not in ("tensorboard", "mlflow"):
        return _of_directory(path, asked)
    return load_tables(path, name, READERS[name](path), asked)


def load_tables(path: Path, format_: str, tables: Sequence[Table], asked: Asked) -> list[Loaded]:
    """The curves in a file's tables; `path` names what is no file too."""
    runs = [run for table in tables for run in separate(table)]
    if not asked.wanted and not asked.summed and len(runs) == 1:
        runs = runs_of_losses(runs[0], path)
    return [one for run in runs for one in _curves(path, format_, of_file(widen(run), path), asked)]


def find_format(path: Path) -> str:
    """The format by what the file holds; of a directory TensorBoard or MLflow, or "" where it is one of files."""
    if path.is_dir():
        if any(tensorboard.EVENTS in found.name for found in files_below(path)):
            return "tensorboard"
        return "mlflow" if mlflow.holds(path) else ""
    if tensorboard.EVENTS in path.name:
        return "tensorboard"
    first = beginning(path)
    return next(name for name, one in FORMATS.items() if one.looks(path, first))


def _of_directory(path: Path, asked: Asked) -> list[Loaded]:
    """The curves of a directory's logs; files that hold none are passed over with a note."""
    found: list[Loaded] = []
    passed: list[str] = []
    if path.name == AIM or (path / AIM).is_dir():
        raise refusal(path, None, "an Aim repository, which Aim alone can read", "", "Repo(PATH).query_metrics().dataframe(), saved as CSV")
    for file in (one for one in files_below(path) if _ending(one) in LOGS):
        try:
            found += load_path(file, asked)
        except ConfigError as error:
            passed.append(f"{file.relative_to(path)} is passed over: {error.problems[0].problem}")
        if len(found) > MOST_CURVES:
            raise refusal(path, None, f"more than {MOST_CURVES} curves", "", "the files to compare")
    if not found:
        why = f", {passed[0]}" if passed else ""
        raise refusal(path, None, f"a directory without a training log{why}", "", "logs, TensorBoard's event files or mlruns/")
    return [replace(found[0], notes=(*passed, *found[0].notes)), *found[1:]]


def _ending(file: Path) -> str:
    ending = file.suffix.lower()
    return file.with_suffix("").suffix.lower() if ending == PACKED else ending


def _curves(path: Path, format_: str, table: Table, asked: Asked) -> list[Loaded]:
    """The curves in one table: one, or each of the runs that were appended to one another."""
    combined = combine(table, asked.wanted, asked.summed)
    table, wanted = combined.table, {**combined.chosen, **asked.wanted}
    columns, wrong = assign(table, wanted)
    over: Literal["", "step", "lr"] = "" if asked.x is None else "lr" if is_called(columns.get("lr"), asked.x) else "step"
    if asked.x is not None and over == "step" and not is_called(columns.get("step"), asked.x):
        wanted = {**wanted, "step": asked.x}
        columns, wrong = assign(table, wanted, asked_by={"step": "--x"})
    needed = [*combined.wrong, *(one for one in wrong if one.needed)]
    if needed:
        raise ConfigError([*table.problems, *_problems(path, table, needed)])
    if "step" not in columns and names_its_rows(table):
        raise refusal(path, None, "a table of runs, a row for each, and no curve", "", "one run's history")
    remarks = [one.remark for one in wrong if not one.problem.endswith("the step")]
    columns, spoken = settled(table, columns, asked.wanted)
    named = "step" in wanted or bool(table.counts)
    curves = []
    for run in one_after_another(table, columns):
        counted, own, notes = settle(run, columns, named)
        loaded = load(path, format_, counted, own)
        loaded = replace(loaded, over=over, notes=(*loaded.notes, *spoken, *remarks, *notes))
        curves.append(of_training(loaded, counted) if "val_loss" not in own else loaded)
    return curves


def _problems(path: Path, table: Table, wrong: Sequence[Mismatch]) -> list[Problem]:
    line = 1 if table.rows and table.rows[0].line else None
    return [Problem(str(path), line, "", one.problem, one.got, one.expected) for one in wrong]


def few(path: str, problems: Sequence[Problem]) -> list[Problem]:
    """One line for each cause, and at most `MOST_LINES`: problems of one kind and column are one, with the first as an example."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for one in problems:
        kinds.setdefault((one.key, one.problem), []).append(one)
    lines = [
        replace(same[0], problem=f"{same[0].problem}, as in {len(same) - 1} more lines" if len(same) > 1 else same[0].problem)
        for same in kinds.values()
    ]
    if len(lines) > MOST_LINES:
        rest = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], Problem(path, None, "", f"{rest} more kinds of problems")]
    return lines
