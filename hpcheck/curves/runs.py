"""Several runs in one table: W&B's exports, whose columns are `RUN - metric`, and a column that names the run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpcheck.curves.names import is_setting, words
from hpcheck.curves.numbers import is_number
from hpcheck.curves.table import Row, Table

BOUNDS = ("__MIN", "__MAX")  # W&B's smallest and largest value of the rows that it binned
BETWEEN = " - "  # between a run's name and the metric's in W&B's exports
RUN_WORDS = {"run", "runs", "trial", "experiment", "exp", "run_id", "seed", "job"}
AROUND_RUN = RUN_WORDS | {"id", "name", "number", "no", "hash"}
OF_ROWS = AROUND_RUN | {"model", "config", "version", "method", "fold", "dataset", "display"}  # what a table of results names its rows by
FEWEST_RUNS = 3  # ours: rows of a table of runs; fewer are no curve anyway


def separate(table: Table) -> list[Table]:
    """A table for each run."""
    table = _without_bounds(table)
    apart = {column: column.rpartition(BETWEEN) for column in table.columns}
    named = {column: (run.strip(), metric.strip()) for column, (run, found, metric) in apart.items() if found and run.strip()}
    if named and all(column in named or is_setting(column) or not _is_numeric(table, column) for column in table.columns):
        return _by_prefix(table, named)
    return _by_column(table)


def _without_bounds(table: Table) -> Table:
    bounds = {column for column in table.columns if column.endswith(BOUNDS) and column[: -len(BOUNDS[0])] in table.columns}
    if not bounds:
        return table
    return replace(table, rows=tuple(_kept(row, {name: name for name in row.cells if name not in bounds}) for row in table.rows))


def _kept(row: Row, names: Mapping[str, str]) -> Row:
    """The row's cells under these names: old -> new."""
    return Row(row.line, {new: row.cells[old] for old, new in names.items() if old in row.cells})


def _by_prefix(table: Table, named: Mapping[str, tuple[str, str]]) -> list[Table]:
    tables = []
    for run in dict.fromkeys(run for run, _ in named.values()):
        names = {column: column for column in table.columns if column not in named}
        names |= {column: metric for column, (of, metric) in named.items() if of == run}
        own = [column for column in named if named[column][0] == run]
        rows = tuple(_kept(row, names) for row in table.rows if any(row.cells.get(column) not in (None, "") for column in own))
        tables.append(replace(table, rows=rows, run=run))
    return [one for one in tables if one.rows]


def _is_numeric(table: Table, column: str) -> bool:
    return all(is_number(row.cells.get(column)) for row in table.rows)


def _by_column(table: Table) -> list[Table]:
    """Rows apart by a column that names their run, where each run has several rows and the runs are not all one."""
    for column in table.columns:
        has = set(words(column))
        if not (has & RUN_WORDS and has <= AROUND_RUN):
            continue
        groups: dict[Any, list[Row]] = {}
        for row in table.rows:
            groups.setdefault(str(row.cells.get(column, "")), []).append(row)
        if len(groups) > 1 and min(map(len, groups.values())) > 2:
            return [
                replace(table, rows=tuple(rows), run=f"{run}" if not is_number(run) else f"{column} {run}") for run, rows in groups.items()
            ]
    return [table]


def names_its_rows(table: Table) -> bool:
    """Whether a column gives each row a name of its own: then the rows are runs or models, and no curve."""
    if len(table.rows) < FEWEST_RUNS:
        return False
    for column in (name for name in table.columns if set(words(name)) and set(words(name)) <= OF_ROWS):
        cells = [row.cells.get(column) for row in table.rows]
        if not any(map(is_number, cells)) and len(set(map(str, cells))) == len(cells):
            return True
    return False
