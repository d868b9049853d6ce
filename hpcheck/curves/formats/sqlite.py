"""SQLite databases of trackers: trackio's projects, and the stores of MLflow and Optuna. They are opened to be read alone."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hpcheck.curves.formats import optuna
from hpcheck.curves.formats.content import refuse_many
from hpcheck.curves.formats.jsonl import flat
from hpcheck.curves.formats.mlflow import counted
from hpcheck.curves.numbers import is_number, number
from hpcheck.curves.table import Row, Table, refusal
from hpcheck.files.regular import opened

MAGIC = "SQLite format 3"
STEP = "step"
ANOMALIES = {"INF_POS": float("inf"), "INF_NEG": float("-inf"), "NAN": float("nan")}  # Optuna's names for what SQL has no number for

Columns = Mapping[str, set[str]]  # of each table


def looks(path: Path, head: str) -> bool:
    """By the file's first bytes."""
    return head.startswith(MAGIC)


def read(path: Path) -> list[Table]:
    """A table for each run or trial in the database."""
    with opened(path):
        pass  # a regular file, or an error
    try:
        with closing(_connected(path)) as database:
            columns = _columns(database)
            for needed, reader in STORES:
                if all(names <= columns.get(table, set()) for table, names in needed.items()):
                    return reader(path, database, columns)
    except sqlite3.Error as error:
        raise refusal(path, None, f"an SQLite database that cannot be read: {error}", "", "a copy that no program is writing to") from error
    held = ", ".join(list(columns)[:6]) or "none"
    raise refusal(path, None, "an SQLite database of none of trackio, MLflow and Optuna", f"the tables {held}", "its runs, exported as CSV")


def _connected(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, not even the files beside a database that is written ahead; unless one is there and has news."""
    ahead = path.with_name(path.name + "-wal")
    how = "mode=ro" if ahead.is_file() and ahead.stat().st_size else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True)


def _columns(database: sqlite3.Connection) -> Columns:
    tables = [str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: {str(row[1]) for row in database.execute("SELECT * FROM pragma_table_info(?)", (name,))} for name in tables}


def _rows(path: Path, found: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    rows = []
    for row in found:
        rows.append(row)
        refuse_many(path, len(rows))
    return rows


def _trackio(path: Path, database: sqlite3.Connection, columns: Columns) -> list[Table]:
    """A project of trackio's: each row of a run holds its metrics as JSON."""
    runs: dict[str, list[Row]] = {}
    for run, step, metrics in _rows(path, database.execute("SELECT run_name, step, metrics FROM metrics ORDER BY rowid")):
        runs.setdefault(str(run), []).append(Row(None, {STEP: step, **dict(flat(_object(metrics)))}))
    settings = {}
    if {"run_name", "config"} <= columns.get("configs", set()):
        settings = {str(run): dict(flat(_object(config))) for run, config in database.execute("SELECT run_name, config FROM configs")}
    return _tables(path, "trackio", runs, settings)


def _mlflow(path: Path, database: sqlite3.Connection, columns: Columns) -> list[Table]:
    """MLflow's store: a row for each value of each metric."""
    query = "SELECT run_uuid, key, step, value, is_nan FROM metrics ORDER BY run_uuid, step, timestamp"
    runs: dict[str, list[Row]] = {}
    for run, key, step, value, is_nan in _rows(path, database.execute(query)):
        runs.setdefault(str(run), []).append(Row(None, {STEP: step, str(key): float("nan") if is_nan else value}))
    names = dict(database.execute("SELECT run_uuid, name FROM runs")) if {"run_uuid", "name"} <= columns.get("runs", set()) else {}
    settings: dict[str, dict[str, Any]] = {}
    if {"run_uuid", "key", "value"} <= columns.get("params", set()):
        for run, key, value in database.execute("SELECT run_uuid, key, value FROM params"):
            settings.setdefault(str(run), {})[str(key)] = number(value) if is_number(value) else value
    labels = {run: str(names.get(run) or run) for run in runs}
    alike = len(set(labels.values())) < len(labels)
    labels = {run: f"{label} {run[:8]}" if alike else label for run, label in labels.items()}
    held = {labels[run]: counted(rows, STEP) for run, rows in runs.items()}
    return _tables(path, "MLflow", held, {labels[run]: found for run, found in settings.items() if run in labels})


def _tables(path: Path, what: str, runs: Mapping[str, list[Row]], settings: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    if not runs:
        raise refusal(path, None, f"a database of {what} without metrics", "", "one in which a run logged some")
    note = f"a database of {what}: {len(runs)} run{'s' * (len(runs) > 1)}"
    return [Table(tuple(rows), STEP, optuna.constants(settings.get(run, {})), (note,), run=run) for run, rows in runs.items()]


def _optuna(path: Path, database: sqlite3.Connection, columns: Columns) -> list[Table]:
    """Optuna's store: the values that trials reported."""
    directions: dict[int, list[str]] = {}
    if {"study_id", "direction"} <= columns.get("study_directions", set()):
        for study, direction in database.execute("SELECT study_id, direction FROM study_directions"):
            directions[study] = [*directions.get(study, []), str(direction)]
    studies = dict(database.execute("SELECT study_id, study_name FROM studies")) if "studies" in columns else {}
    trials = {}
    for at, count, study in database.execute("SELECT trial_id, number, study_id FROM trials ORDER BY trial_id"):
        trials[at] = optuna.Trial(count, str(studies.get(study, study)), directions.get(study, ["MINIMIZE"]) == ["MINIMIZE"])
    kind = "intermediate_value_type" if "intermediate_value_type" in columns["trial_intermediate_values"] else "NULL"
    query = f"SELECT trial_id, step, intermediate_value, {kind} FROM trial_intermediate_values"
    for at, step, value, special in _rows(path, database.execute(query)):
        if at in trials:
            trials[at].values.append((step, ANOMALIES.get(str(special), float("nan") if value is None else float(value))))
    if {"trial_id", "param_name", "param_value"} <= columns.get("trial_params", set()):
        for at, name, value in database.execute("SELECT trial_id, param_name, param_value FROM trial_params"):
            if at in trials:
                trials[at].params[str(name)] = value
    return optuna.tables(path, list(trials.values()))


def _object(text: str | bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


Store = Callable[[Path, sqlite3.Connection, Columns], list[Table]]
STORES: tuple[tuple[Mapping[str, set[str]], Store], ...] = (  # by the tables and columns that each needs
    ({"metrics": {"run_name", "step", "metrics"}}, _trackio),
    ({"metrics": {"key", "value", "run_uuid", "step", "is_nan", "timestamp"}}, _mlflow),
    ({"trials": {"trial_id", "number", "study_id"}, "trial_intermediate_values": {"trial_id", "step", "intermediate_value"}}, _optuna),
)
