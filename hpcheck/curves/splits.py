"""Long tables made wide: rows that say of which split or quantity they are become columns; and what the file's name says of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpcheck.curves.names import HELD_OUT, LOSSES, TRAINING, VALIDATION, is_setting, measures, split_of, words
from hpcheck.curves.table import Row, Table

SPLITS = {"phase", "split", "mode", "set", "subset", "stage", "partition", "dataset", "type", "kind"}
QUANTITIES = {"metric", "name", "tag", "key", "variable", "quantity", "scalar"}  # a row for each value: which quantity it is
VALUES = {"value", "values"}
OF_LOSSES = {"loss", "accuracy", "acc", "metric", "metrics", "history", "curve", *LOSSES}  # of a test_error.tsv; a test.log may be a try
AROUND_SPLIT = OF_LOSSES | {"log", "logs", "result", "results", "score", "scores", "epoch", "step"}


def of_file(table: Table, path: Path) -> Table:
    """The table with the split in the names of its losses and metrics that only the file's name tells: CatBoost's `test_error.tsv`."""
    has = set(words(path.stem))
    told = has & VALIDATION
    known = has <= VALIDATION | AROUND_SPLIT and bool(has & (HELD_OUT | OF_LOSSES))
    columns = [name for name in table.columns if measures(name) and not is_setting(name)]
    if len(told) != 1 or not known or not columns or any(split_of(name) for name in table.columns) or not path.is_file():
        return table
    names = {name: f"{next(iter(told))}/{name}" for name in columns}
    rows = tuple(Row(row.line, {names.get(name, name): cell for name, cell in row.cells.items()}) for row in table.rows)
    listed = ", ".join(map(repr, columns[:3]))
    return replace(table, rows=rows, notes=(*table.notes, f"the file's name says that {listed} is of validation"))


def widen(table: Table) -> Table:
    """The table with a column for each quantity of each split; the same table where no column says which split a row is of."""
    return _by_split(_by_quantity(_unfolded(table)))


def runs_of_losses(table: Table, path: Path) -> list[Table]:
    """A table for each column of a file of losses, such as losses.csv, whose columns are the names of runs; else the table alone."""
    columns = [name for name in table.columns if not is_setting(name) and sum(1 for _ in table.values(name)) > 1]
    has = set(words(path.stem))
    named = "loss" in has and has <= VALIDATION | TRAINING | AROUND_SPLIT and path.is_file()
    if not named or len(columns) < 2 or any(map(measures, table.columns)) or len(columns) + 1 < len(table.columns):
        return [table]
    split = next(iter(has & (VALIDATION | TRAINING)), "train")
    note = f"the file's name says that its columns are losses: each is read as a run of its own, of {split}"
    return [_of_column(table, column, f"{split} loss", note) for column in columns]


def _of_column(table: Table, column: str, name: str, note: str) -> Table:
    kept = {one: name if one == column else one for one in table.columns if one == column or is_setting(one)}
    rows = (Row(row.line, {kept[one]: cell for one, cell in row.cells.items() if one in kept}) for row in table.rows)
    return replace(table, rows=tuple(rows), run=column, notes=(*table.notes, note))


def _unfolded(table: Table) -> Table:
    """The table with the columns that its cells of JSON hold, as trackio writes a row's metrics."""
    first = next((row for row in table.rows), None)
    folded = [name for name, cell in first.cells.items() if _object(cell)] if first else []
    if not folded:
        return table
    rows = tuple(Row(row.line, _opened(row.cells, folded)) for row in table.rows)
    return replace(table, rows=rows)


def _opened(cells: Mapping[str, Any], folded: list[str]) -> dict[str, Any]:
    found = {name: cell for name, cell in cells.items() if name not in folded}
    for name in folded:
        found |= {inner: cell for inner, cell in _object(cells.get(name)).items() if inner not in found}
    return found


def _object(cell: Any) -> Mapping[str, Any]:
    if not isinstance(cell, str) or not cell.startswith("{") or not cell.endswith("}"):
        return {}
    try:
        found = json.loads(cell)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _by_split(table: Table) -> Table:
    column = next((name for name in table.columns if set(words(name)) & SPLITS and _names_splits(table, name)), None)
    if column is None:
        return table
    rows = tuple(Row(row.line, _of_split(row.cells, column)) for row in table.rows)
    return replace(table, rows=rows, notes=(*table.notes, f"{column!r} says which split a row is of"))


def _names_splits(table: Table, column: str) -> bool:
    """Whether a column's cells are names of splits, at least two rows of one that is known."""
    cells = [row.cells[column] for row in table.rows if row.cells.get(column) not in (None, "")]
    known = [cell for cell in cells if isinstance(cell, str) and set(words(cell)) & (VALIDATION | TRAINING)]
    return len(known) > 1 and len(known) >= 0.5 * len(cells) and all(isinstance(cell, str) for cell in cells)


def _of_split(cells: Mapping[str, Any], column: str) -> dict[str, Any]:
    split = cells.get(column)
    if split in (None, ""):
        return dict(cells)
    return {name if is_setting(name) else f"{split}/{name}": cell for name, cell in cells.items() if name != column}


def _by_quantity(table: Table) -> Table:
    """`metric, value` columns: each row's value goes to the column of its own name."""
    names = {name: words(name) for name in table.columns}
    value = next((name for name, has in names.items() if has and has[-1] in VALUES and set(has[:-1]) <= QUANTITIES), None)
    key = next((name for name, has in names.items() if has and has[-1] in QUANTITIES | {"id"} and set(has) & QUANTITIES), None)
    if value is None or key is None or not all(isinstance(row.cells.get(key), str) for row in table.rows):
        return table
    rows = tuple(
        Row(row.line, {**{n: cell for n, cell in row.cells.items() if n not in (key, value)}, row.cells[key]: row.cells.get(value)})
        for row in table.rows
    )
    return replace(table, rows=rows, notes=(*table.notes, f"{key!r} says which quantity a row is of"))
