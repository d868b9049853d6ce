"""Columns that belong together: a loss that is logged in parts is summed, learning rates that are the same are one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hpcheck.curves.columns import Mismatch
from hpcheck.curves.names import AROUND, NAMES, PARTS, TRAINING_LOSS, VALIDATION, VALIDATION_LOSS, is_called, split_of, words
from hpcheck.curves.table import Row, Table

ALIKE = (
    0.5  # ours: share of rows in which parameter groups have one lr (the rest is a warm-up that treats biases apart), or a loss all parts
)


@dataclass(frozen=True)
class Combined:
    """A table with its sums as further columns. `chosen`: quantity -> such a column; `wrong` is what the user named and is not there."""

    table: Table
    chosen: Mapping[str, str]
    wrong: tuple[Mismatch, ...] = ()


def combine(table: Table, wanted: Mapping[str, str], summed: Mapping[str, Sequence[str]]) -> Combined:
    """Sum what the user wants summed (`summed`: quantity -> its parts' names), else the parts of a loss that has no total."""
    chosen: dict[str, str] = {}
    wrong: list[Mismatch] = []
    table = _one_lr(table) if "lr" not in wanted else table
    for quantity, names in summed.items():
        parts = [next((column for column in table.columns if is_called(column, name)), "") for name in names]
        missing = [name for name, part in zip(names, parts, strict=True) if not part]
        if missing:
            option = f"--{quantity.replace('_', '-')}"
            listed = ", ".join(map(repr, table.columns[:12]))
            wrong.append(Mismatch(f"{option}: no column {missing[0]!r}", f"the columns {listed}", "names of columns"))
        else:
            table, chosen[quantity] = _with_sum(table, parts)
    for quantity, split, whole in (("val_loss", "val", VALIDATION_LOSS), ("train_loss", "train", TRAINING_LOSS)):
        named = quantity in wanted or quantity in summed
        if not named and not any(one.fits(column) for one in whole for column in table.columns if split_of(column) != _other(split)):
            parts = [column for column in table.columns if is_part(column, split)]
            if len(parts) > 1 and _together(table, parts):
                table, chosen[quantity] = _with_sum(table, parts)
    return Combined(table, chosen, tuple(wrong))


def _other(split: str) -> str:
    return "train" if split == "val" else "val"


def is_part(column: str, split: str) -> bool:
    """Whether a column is a part of a split's loss, as detectors log them."""
    beside = set(words(column)) - VALIDATION - AROUND - {"loss", "train", "training"}
    return split_of(column) in (split, "" if split == "train" else split) and "loss" in words(column) and bool(beside) and beside <= PARTS


def _together(table: Table, parts: Sequence[str]) -> bool:
    """Whether most rows with one part have all of them: else they are losses of several trainings."""
    rows = [{id(row) for row, _ in table.values(part)} for part in parts]
    return len(set.intersection(*rows)) > ALIKE * len(set.union(*rows))


def _with_sum(table: Table, parts: Sequence[str]) -> tuple[Table, str]:
    """The table with the sum of these columns, and the sum's name."""
    name = " + ".join(parts)
    of_row: dict[int, list[float]] = {}
    for part in parts:
        for row, value in table.values(part):
            of_row.setdefault(id(row), []).append(value)
    full = {at: sum(values) for at, values in of_row.items() if len(values) == len(parts)}
    rows = tuple(Row(row.line, {**row.cells, name: full[id(row)]}) if id(row) in full else row for row in table.rows)
    return replace(table, rows=rows, notes=(*table.notes, f"the loss is logged in parts, and their sum is read: {name}")), name


def _one_lr(table: Table) -> Table:
    """Without the learning rates of parameter groups that are those of another: of equal columns the last is kept."""
    tiers = [[column for column in table.columns if one.fits(column)] for one in NAMES["lr"]]
    rates = next((tier for tier in tiers if tier), [])
    if len(rates) < 2:
        return table
    values = {column: {id(row): value for row, value in table.values(column)} for column in rates}

    def alike(one: str, other: str) -> bool:
        both = values[one].keys() & values[other].keys()
        return bool(both) and sum(values[one][at] == values[other][at] for at in both) > ALIKE * len(both)

    kept = max(reversed(rates), key=lambda column: sum(alike(column, other) for other in rates))
    same = [column for column in rates if column != kept and alike(column, kept)]
    if not same:
        return table
    note = f"{', '.join(same)} and {kept} are the same learning rate, up to a warm-up: {kept} is read"
    rows = tuple(Row(row.line, {name: cell for name, cell in row.cells.items() if name not in same}) for row in table.rows)
    return replace(table, rows=rows, notes=(*table.notes, note))
