"""MMEngine's `vis_data/scalars.json`: rows of training count iterations, those of evaluations epochs, and nothing says which is which."""

from dataclasses import replace
from typing import Any

from hpcheck.curves.names import is_setting, measures, split_of
from hpcheck.curves.table import Row, Table

ITERATION, STEP = "iter", "step"
BESIDE = {"time", "data_time"}  # what both kinds of rows hold
NOTE = "MMEngine's rows without 'iter' are evaluations: they are counted by the iteration before them"


def settled(table: Table) -> Table:
    """The table with its evaluations' names told apart and counted by iterations; any other table as it is."""
    kinds = {ITERATION in row.cells for row in table.rows if STEP in row.cells and BESIDE & row.cells.keys()}
    if kinds != {True, False}:
        return table
    last, rows = None, []
    for row in table.rows:
        last = row.cells.get(ITERATION, last)
        rows.append(row if ITERATION in row.cells or last is None else Row(row.line, {ITERATION: last, **_of_evaluation(row)}))
    return replace(table, rows=tuple(rows), notes=(*table.notes, NOTE))


def _of_evaluation(row: Row) -> dict[str, Any]:
    cells = {name: cell for name, cell in row.cells.items() if name != STEP}
    return {name if is_setting(name) or split_of(name) or not measures(name) else f"val/{name}": cell for name, cell in cells.items()}
