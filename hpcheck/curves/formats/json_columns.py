"""JSON by columns: an object with an array for each quantity, pretty or on one line, as Python saves a history."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcheck.curves.formats.content import refuse_many, text
from hpcheck.curves.formats.json_lists import STEP, pairs
from hpcheck.curves.formats.jsonl import parsed
from hpcheck.curves.names import measures, split_of
from hpcheck.curves.numbers import is_number
from hpcheck.curves.table import Row, Table, refusal

COUNTED = "entry"  # the counter that is made where arrays have no step among them
DEEPEST = 6  # objects inside objects that are looked into
BESIDE = (("steps", "values"), ("step", "value"), ("x", "y"))  # a quantity's steps and values: Sacred, ClearML


def looks(path: Path, head: str) -> bool:
    """Whether the file is one object with arrays of numbers in it. The whole file is read for that, where it begins as an object."""
    if head[:1] != "{" or '"log_history"' in head:
        return False
    first = head.split("\n", 1)[0]
    if "[" not in head and '"0"' not in head and "'0'" not in head:
        return False
    if first.rstrip().endswith("}") and "[" not in first and len(head) > len(first) + 1:
        return False  # an object a line
    content = parsed(text(path))
    return isinstance(content, dict) and (bool(_runs(content)) or _paired(content) is not None)


def _paired(content: Mapping[str, Any]) -> Table | None:
    """The table of an object whose quantities hold their own steps, as pairs or as arrays beside each other; None where none does."""
    names = _columns(content)
    stepped = {name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in {values for _, values in BESIDE}} - {""}
    plain = any(measures(name) for name in names if name.rpartition("/")[0] not in stepped)
    found = {} if plain else _points(content)
    if not found:
        return None
    rows = [Row(None, {STEP: step, name: value}) for name, points in found.items() for step, value in points]
    return Table(tuple(rows), STEP)


def _points(content: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, list[tuple[float, Any]]]:
    found: dict[str, list[tuple[float, Any]]] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, list) and value and isinstance(value[0], list):
            found[name] = pairs(value) or []
        elif isinstance(value, dict) and (beside := next((names for names in BESIDE if set(names) <= value.keys()), None)):
            steps, values = (value[one] for one in beside)
            numbers = all(isinstance(one, list) and all(map(is_number, one)) and None not in one for one in (steps, values))
            found[name] = list(zip(map(float, steps), values, strict=False)) if numbers else []
        elif isinstance(value, dict) and depth < DEEPEST:
            found |= _points(value, f"{name}/", depth + 1)
    return {name: points for name, points in found.items() if points and measures(name)}


def read(path: Path) -> list[Table]:
    """A table for each object that holds arrays: the one of the file, or one for each run in it."""
    content = parsed(text(path))
    paired = _paired(content) if isinstance(content, dict) else None
    if paired is not None:
        return [paired]
    runs = _runs(content) if isinstance(content, dict) else {}
    if not runs:
        raise refusal(path, None, "no arrays of numbers", "", "an object with an array for each quantity")
    for columns in runs.values():
        refuse_many(path, max(map(len, columns.values())))
    return tables_of(content)


def tables_of(content: Mapping[str, Any]) -> list[Table]:
    """The tables of an object that holds arrays; none where it holds no array of numbers."""
    runs = _runs(content)
    return [_table(columns, run if len(runs) > 1 else "") for run, columns in runs.items()]


def _runs(content: Mapping[str, Any]) -> dict[str, dict[str, Sequence[Any]]]:
    """Run -> its arrays. Objects that hold the same names, which are no splits, are runs; others are parts of one run."""
    columns = _columns(content)
    outer: dict[str, dict[str, Sequence[Any]]] = {}
    for name, values in columns.items():
        run, _, inner = name.partition("/")
        outer.setdefault(run if inner else "", {})[inner or name] = values
    alike = {frozenset(one) for one in outer.values()}
    several = len(outer) > 1 and "" not in outer and len(alike) == 1 and not any(split_of(run) for run in outer)
    if several and all(len(one) > 1 or _is_split(one) for one in outer.values()):
        return outer
    return {"": _without_common(columns)} if columns else {}


def _without_common(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The arrays without the path that all of them share: `history/loss` is `loss`."""
    names = dict(columns)
    while len(names) > 1 and len({name.partition("/")[0] for name in names}) == 1 and all("/" in name for name in names):
        names = {name.partition("/")[2]: values for name, values in names.items()}
    return names


def _is_split(columns: Mapping[str, Any]) -> bool:
    return any(split_of(name) for name in columns)


def _columns(content: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Sequence[Any]]:
    """Every array of numbers under its path; an object whose keys count (as pandas writes a column) is one too."""
    found: dict[str, Sequence[Any]] = {}
    for key, value in content.items():
        if isinstance(value, dict) and value and all(str(one).isdigit() for one in value) and all(map(is_number, value.values())):
            value = list(value.values())
        if isinstance(value, dict) and depth < DEEPEST:
            found |= _columns(value, f"{prefix}{key}/", depth + 1)
        elif isinstance(value, list | tuple) and len(value) > 1 and all(is_number(one) for one in value):
            found[f"{prefix}{key}"] = value
    return found


def _evaluations(columns: Mapping[str, Sequence[Any]]) -> int:
    """The length to count by: of most of validation's arrays, else of most losses and metrics, else of most."""
    of_loss = [name for name in columns if measures(name)]
    counted = [name for name in of_loss if split_of(name) == "val"] or of_loss or list(columns)
    lengths = [len(columns[name]) for name in counted]
    return max(set(lengths), key=lambda count: (lengths.count(count), -count))


def _table(columns: Mapping[str, Sequence[Any]], run: str) -> Table:
    """The arrays as rows. One that is longer than the shortest loss's was logged more often, and is spread over the same stretch."""
    lengths = [len(values) for values in columns.values()]
    counts = sorted(set(lengths))
    if len(counts) == 1:
        rows = (Row(None, {name: values[at] for name, values in columns.items()}) for at in range(counts[0]))
        return Table(tuple(rows), run=run)
    few = _evaluations(columns)
    cells: dict[float, dict[str, Any]] = {}
    for name, values in columns.items():
        for at, value in enumerate(values, start=1):
            cells.setdefault(at * few / len(values), {})[name] = value
    rows_ = tuple(Row(None, {COUNTED: at, **cells[at]}) for at in sorted(cells))
    note = f"arrays of {', '.join(map(str, counts))} values: each is spread evenly over the run, {few} of them to count by"
    return Table(rows_, COUNTED, notes=(note,), run=run)
