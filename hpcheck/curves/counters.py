"""What counts the steps: a counter that moves and rises along the run; runs that one file holds one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from hpcheck.curves.names import NAMES
from hpcheck.curves.table import Row, Table

MOST_REPLACED = 1 / 3  # ours: share of evaluations that a resumed run may repeat; beyond it, the counter starts over, as in every epoch
FEWEST_OF_RUN = 3  # ours: evaluations from which on a part of a file that starts over is a run; a run that died sooner is passed over


def repeated(values: Sequence[float]) -> int:
    """How many of these are replaced by what comes later, where a counter goes back or stands still."""
    kept: list[float] = []
    for value in values:
        while kept and kept[-1] >= value:
            kept.pop()
        kept.append(value)
    return len(values) - len(kept)


def rises(values: Sequence[float]) -> bool:
    """Whether a counter counts: rises along the run, but for what a resumed run repeats."""
    return len(set(values)) > 1 and repeated(values) <= max(1, MOST_REPLACED * len(values))


def settle(table: Table, columns: Mapping[str, str], named: bool) -> tuple[Table, dict[str, str], list[str]]:
    """The table and columns with a step that counts, and notes on it. `named`: the user or the format said which column that is.

    A column that never moves counts nothing; of iterations that start over in each epoch and the epochs, both count together."""
    loss = columns.get("val_loss") or columns["train_loss"]
    found = dict(columns)
    if named and "step" in found:
        return table, found, []
    candidates = [column for one in NAMES["step"] for column in table.columns if one.fits(column) and column != loss]
    candidates = sorted(dict.fromkeys(candidates), key=lambda column: column != columns.get("step"))
    along = {column: _along(table, column, loss) for column in candidates}
    if all(len(values) < 2 for values in along.values()):
        return table, found, []
    moving = {column: values for column, values in along.items() if len(set(values)) > 1}
    good = [column for column, values in moving.items() if rises(values)]
    notes = [f"{column!r} never moves, so it counts nothing" for column in candidates if len(along[column]) > 1 and column not in moving]
    if good:
        found["step"] = good[0]
        return table, found, notes
    found.pop("step", None)
    epochs = next((column for column in moving if NAMES["step"][1].fits(column) and _never_falls(moving[column])), None)
    within = next((column for column in moving if column != epochs and NAMES["step"][0].fits(column)), None)
    if epochs and within:
        table, found["step"] = _together(table, epochs, within)
        return table, found, [*notes, f"{within!r} starts over in every epoch, so {epochs!r} and {within!r} count together"]
    if epochs:
        return table, found, [*notes, f"{epochs!r} stands still for several rows at a time"]
    if moving:
        found["step"] = next(iter(moving))
    return table, found, notes


def _along(table: Table, column: str, loss: str) -> list[float]:
    """A counter's values in the rows that have the loss; rows that repeat both are one."""
    with_loss = {id(row): value for row, value in table.values(loss)}
    both = [(value, with_loss[id(row)]) for row, value in table.values(column) if id(row) in with_loss and np.isfinite(value)]
    return [one[0] for at, one in enumerate(both) if at == 0 or one != both[at - 1]]


def _never_falls(values: Sequence[float]) -> bool:
    return all(later >= earlier for earlier, later in pairwise(values))


def _together(table: Table, epochs: str, within: str) -> tuple[Table, str]:
    """The table with a counter of epochs and the share of each that is done."""
    name = f"{epochs} and {within}"
    epoch, step = ({id(row): value for row, value in table.values(column)} for column in (epochs, within))
    longest = max((value for value in step.values() if np.isfinite(value)), default=1.0)
    cells = {at: epoch[at] + step[at] / (longest + 1) for at in epoch.keys() & step.keys()}
    rows = tuple(Row(row.line, {**row.cells, name: cells[id(row)]}) if id(row) in cells else row for row in table.rows)
    return replace(table, rows=rows), name


def one_after_another(table: Table, columns: Mapping[str, str]) -> list[Table]:
    """The runs of a file to which one was appended after the other: the epochs start over, or the iterations and the loss do. One table
    where they do not."""
    loss = columns.get("val_loss") or columns["train_loss"]
    starts = _starts(table, columns["step"]) if "step" in columns else []
    if not starts:
        return [table]
    edges = [0, *starts, len(table.rows)]
    pieces = [replace(table, rows=table.rows[low:high]) for low, high in pairwise(edges)]
    losses = [[value for _, value in piece.values(loss)] for piece in pieces]
    of_epochs = any(one.fits(columns["step"]) for one in NAMES["step"][1:])  # epochs start over in no run, iterations may in each epoch
    told = [one for one in losses if one]
    if len(told) < 2 or (not of_epochs and not _loss_starts_over(told) and not _uneven(told)):
        return [table]
    whole = [piece for piece, values in zip(pieces, losses, strict=True) if len(values) >= FEWEST_OF_RUN]
    if not whole:
        return [table]
    held = sum(map(bool, losses))
    dropped = held - len(whole)
    note = f"{columns['step']!r} starts over: the file holds {held} runs one after another"
    note += f", {dropped} of them too short to read" if dropped else ""
    return [
        replace(piece, run=f"{table.run} run {at}".strip() if len(whole) > 1 else table.run, notes=(*table.notes, note))
        for at, piece in enumerate(whole, start=1)
    ]


def _starts(table: Table, step: str) -> list[int]:
    """The rows at which the counter falls back to where the file began, or below."""
    values = {id(row): value for row, value in table.values(step)}
    starts, first, before = [], None, -np.inf
    for at, row in enumerate(table.rows):
        value = values.get(id(row))
        if value is None:
            continue
        first = value if first is None else first
        if value < before and value <= first:
            starts.append(at)
        before = value
    return starts


def _uneven(parts: Sequence[Sequence[float]]) -> bool:
    """Whether the parts before the last are of different lengths, as runs are; the epochs of one run are alike."""
    lengths = [len(part) for part in parts[:-1]]
    return max(lengths) - min(lengths) > 1 or len(parts[-1]) > max(lengths) + 1


def _loss_starts_over(losses: Sequence[Sequence[float]]) -> bool:
    """Whether most parts begin nearer to where the first began than to where the part before ended."""
    back = [abs(later[0] - losses[0][0]) < abs(later[0] - earlier[-1]) for earlier, later in pairwise(losses)]
    return bool(back) and sum(back) > len(back) / 2
