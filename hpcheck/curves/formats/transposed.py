"""Tables that lie on their side: a line for each quantity, its name first, as a data frame of a history is saved that was not turned."""

from collections.abc import Sequence

from hpcheck.curves.names import measures
from hpcheck.curves.numbers import is_missing, is_number
from hpcheck.curves.table import Row, Table

COUNTED = "entry"  # the counter, where the first line counts the values
FEWEST = 3  # ours: values in a line


def transposed(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table | None:
    """The table with a column for each line; None where the lines are rows as usual.

    The first line counts the values, or is a quantity's own like the others.
    """
    counted = len(header) > FEWEST and _is_values(header[1:]) and (not header[0] or not is_number(header[0]))
    if not counted or not rows or any(len(cells) != len(header) or is_number(cells[0]) for cells in rows):
        return None
    names = [cells[0] for cells in rows]
    if not any(map(measures, names)) or not all(_is_values(cells[1:]) for cells in rows if measures(cells[0])):
        return None
    first = header[0] if header[0] and (measures(header[0]) or header[0] not in names) else COUNTED
    columns = {first: header[1:], **{name: cells[1:] for name, cells in zip(names, rows, strict=True)}}
    lines = tuple(Row(None, dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True))
    note = "a line for each quantity: the table is read on its side"
    return Table(lines, first if first == COUNTED else "", notes=(note,))


def _is_values(cells: Sequence[str]) -> bool:
    return all(map(is_number, cells)) and not all(map(is_missing, cells))
