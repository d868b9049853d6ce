"""Curves that are no file: a dict of columns, a list of rows, or a data frame, as the tables that a file's reader would give."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from hpcheck.curves.formats.json_columns import tables_of
from hpcheck.curves.formats.jsonl import flat
from hpcheck.curves.table import Row, Table
from hpcheck.errors import InputError
from hpcheck.files.plain_json import refuse_deep

EXPECTED = "a path, a data frame, a dict of columns or a list of rows"


@runtime_checkable
class DataFrame(Protocol):
    """What is used of a data frame of pandas or polars: its columns' names, and each column by its name."""

    @property
    def columns(self) -> Iterable[Any]: ...

    def __getitem__(self, name: Any, /) -> Iterable[Any]: ...


InMemory = DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


def tables(given: Any) -> tuple[str, list[Table]]:
    """What it is, in a word, and its tables, one for each run in it. Raises `InputError` for anything else, or without numbers."""
    try:
        refuse_deep(given)
    except ValueError:
        raise InputError(f"curves that are nested too deep, or that hold themselves: give {EXPECTED}") from None
    if isinstance(given, Mapping):
        found = tables_of(plain(given))
        if not found:
            raise InputError("a dict without columns of numbers: give a list of numbers for each quantity, such as val_loss")
        return "dict", found
    if isinstance(given, DataFrame):
        return "data frame", [_of_frame(given)]
    if isinstance(given, Sequence) and not isinstance(given, str | bytes) and given and all(isinstance(row, Mapping) for row in given):
        return "rows", [Table(tuple(Row(None, dict(flat(plain(row)))) for row in given))]
    raise InputError(f"curves cannot be read from {type(given).__name__}: give {EXPECTED}")


def _of_frame(frame: DataFrame) -> Table:
    try:
        columns = {str(name): plain(list(frame[name])) for name in frame.columns}
    except TypeError as error:
        raise InputError(f"a data frame with a column that is none ({error}): give {EXPECTED}") from None
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InputError(f"a data frame whose columns have {' and '.join(map(str, sorted(lengths)))} rows: give one with as many in each")
    columns = {name: _without_gaps(values) for name, values in columns.items()}
    return Table(tuple(Row(None, dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)))


def _without_gaps(values: list[Any]) -> list[Any]:
    """A column with None for what was not measured. A data frame has NaN for that, and for a loss that is lost: where a number comes after
    the first NaN, they were gaps; where none does, the run diverged."""
    missing = [isinstance(value, float) and math.isnan(value) for value in values]
    first = missing.index(True) if True in missing else len(values)
    if all(missing[first:]) and first > 0:
        return values
    return [None if gap else value for value, gap in zip(values, missing, strict=True)]


def plain(value: Any) -> Any:
    """numpy's, torch's and pandas' numbers and arrays as Python's own, within dicts and lists too."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    for turned in ("tolist", "to_list"):
        if hasattr(value, turned):
            return plain(getattr(value, turned)()) if not isinstance(value, float) else float(value)
    return value
