"""A table and its columns as one curve: rows merged by step, training losses averaged between evaluations, long curves thinned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.config.problems import ConfigError, Problem, shown
from hpcheck.curves.counters import MOST_REPLACED
from hpcheck.curves.names import is_worse_when_higher
from hpcheck.curves.numbers import number
from hpcheck.curves.table import Table

MOST_UNREADABLE = 0.1  # ours: share of an optional column's cells that may be no numbers; beyond it the column is left out
MOST_READ = 400  # ours: longer curves are averaged down to this many evaluations; smoothing takes time in their square
COLUMNS_OF_CURVE = ("lr", "train_loss", "accuracy", "momentum", "weight_decay")

LONGEST_NAME = 60  # characters of a column's name in an error
SPOKEN_LOSS = {"val_loss": "validation loss", "train_loss": "training loss"}

Points = list[tuple[float, float, int | None]]  # (step, value, line)


@dataclass(frozen=True)
class Loaded:
    """A curve and where it came from. `columns` are the file's names for its quantities; `notes` what a person should know.

    `evaluations` counts those in the file; the curve may have been averaged down. `over` is what the user wants it drawn and compared
    against; "" leaves that to the reading.
    """

    path: Path
    format: str
    curve: Curve
    columns: Mapping[str, str]
    evaluations: int
    notes: tuple[str, ...] = ()
    over: Literal["", "step", "lr"] = ""
    of: Literal["validation", "training"] = "validation"  # whose loss the curve is: of training where the file has no other

    @property
    def unit(self) -> str:
        """What the steps count."""
        return self.columns.get("step", "row")


def load(path: Path, format_: str, table: Table, columns: Mapping[str, str]) -> Loaded:
    """The curve in `table`: of its validation loss, or of its training loss where `columns` has no other.

    Raises `ConfigError` where a loss or a step is no number, and where the steps do not rise."""
    of = "val_loss" if "val_loss" in columns else "train_loss"
    points, rows, left_out = _points(path, table, columns, of)
    losses, notes = _evaluations(path, points[of], columns.get("step"))
    columns = {quantity: column for quantity, column in columns.items() if quantity not in left_out}
    step = np.array([at for at, _, _ in losses])
    decays = sorted({value for _, value, _ in points["weight_decay"]})
    decay = decays[0] if len(decays) == 1 else table.constants.get("weight_decay") if not decays else None
    momentum = _along(points["momentum"], step)
    if momentum is None and "momentum" in table.constants:
        momentum = np.full(len(step), table.constants["momentum"])
    lr = _along(points["lr"], step)
    curve = Curve(
        step=step,
        lr=np.full(len(step), np.nan) if lr is None else lr,
        val_loss=np.array([value for _, value, _ in losses]),
        accuracy=_at(points["accuracy"], step),
        train_loss=_between(points["train_loss"], step) if of == "val_loss" else None,
        momentum=momentum,
        weight_decay=decay,
        diverged=table.diverged,
        higher_is_better=not is_worse_when_higher(columns.get("accuracy", "")),
        label=table.run or (path.stem if path.is_file() else path.name),
    )
    notes += [f"no column counts the steps, so the {rows} rows are counted"] * ("step" not in columns)
    notes += ["the weight decay changes along the run and is left out"] * (len(decays) > 1)
    notes += left_out.values()
    notes += ["no column is the learning rate by its name: --lr says which"] * (lr is None and "lr" not in left_out)
    notes += [f"{len(step)} evaluations, averaged down to {MOST_READ}"] * (len(step) > MOST_READ)
    return Loaded(path, format_, thinned(curve), columns, len(step), (*table.notes, *notes))


def _points(path: Path, table: Table, columns: Mapping[str, str], of: str) -> tuple[dict[str, Points], int, dict[str, str]]:
    """The points of every quantity in the file's order, how many rows there are, and the quantities that are left out, each with a note.

    The loss (`of`) and the step must be numbers. Of other columns a few cells may be none, which are passed over.
    """
    points: dict[str, Points] = {quantity: [] for quantity in ("val_loss", *COLUMNS_OF_CURVE)}
    bad: dict[str, list[Problem]] = {}
    for counted, row in enumerate(table.rows, start=1):
        values: dict[str, float] = {}
        for quantity, column in columns.items():
            try:
                value = number(row.cells.get(column))
            except (ValueError, OverflowError):
                got = shown(row.cells[column])
                bad.setdefault(quantity, []).append(
                    Problem(str(path), row.line, column[:LONGEST_NAME], "not a number", got, "a number, or nothing")
                )
                continue
            if value is not None:
                values[quantity] = value
        step = values.pop("step", float("nan")) if "step" in columns else float(counted)
        if np.isfinite(step):
            for quantity, value in values.items():
                points[quantity].append((step, value, row.line))
        elif of in values and "step" not in bad:
            bad.setdefault(of, []).append(Problem(str(path), row.line, columns["step"], f"a {SPOKEN_LOSS[of]} without a step"))
    without_step = [one for one in bad.get(of, []) if one.problem.endswith("without a step")]
    left_out = {}
    if without_step and len(points[of]) > len(without_step) == len(bad[of]):
        bad.pop(of)
        left_out["without a step"] = f"{len(without_step)} losses without a step are passed over, the first in line {without_step[0].line}"
    problems = [*table.problems, *bad.pop(of, []), *bad.pop("step", [])]
    if problems:
        raise ConfigError(sorted(problems, key=lambda one: one.line or 0))
    for quantity, cells in bad.items():
        if len(cells) > MOST_UNREADABLE * (len(cells) + len(points[quantity])):
            points[quantity] = []
            left_out[quantity] = f"{columns[quantity]!r} is left out: {len(cells)} of its cells are no numbers, such as {cells[0].got}"
    return points, len(table.rows), left_out


def _evaluations(path: Path, losses: Points, column: str | None) -> tuple[Points, list[str]]:
    """The evaluations in rising steps. Where steps go back, a run was resumed: what came later replaces what it repeats."""
    if not losses:
        raise ConfigError([Problem(str(path), None, "", "no loss in any row", "", "a number in at least one")])
    kept: Points = []
    notes: list[str] = []
    twice = 0
    for one in losses:
        if kept and kept[-1][:2] == one[:2]:  # logged twice, as by two handlers of one logger
            twice += 1
            continue
        replaced = len(kept)
        while kept and kept[-1][0] >= one[0]:
            kept.pop()
        if replaced > len(kept):
            place = f"line {one[2]}: " if one[2] is not None else ""
            notes.append(
                f"{place}back to {column} {one[0]:g}, as after a resume: {replaced - len(kept)} evaluations before it are replaced"
            )
        kept.append(one)
    if len(losses) - twice - len(kept) > max(1, MOST_REPLACED * len(losses)):
        problem = f"the steps go back or stand still {len(notes)} times, so they do not count the training"
        raise ConfigError([Problem(str(path), None, column or "", problem, "", "a column that rises along the run, with --step")])
    return kept, [*notes, f"{twice} evaluations are in the file twice"] if twice else notes


def _at(points: Points, step: FloatArray) -> FloatArray | None:
    """The values at these very steps, NaN where there is none; the last of several. None without any."""
    found = {at: value for at, value, _ in points}
    values = np.array([found.get(at, np.nan) for at in step])
    return values if any(at in found for at in step) else None


def _along(points: Points, step: FloatArray) -> FloatArray | None:
    """A setting at the evaluations: as logged there, else on the line between its neighbours in the log, else the nearest."""
    found = {at: value for at, value, _ in points if np.isfinite(value)}
    if not found:
        return None
    at = np.array(sorted(found))
    return np.interp(step, at, [found[one] for one in at])


def _between(points: Points, step: FloatArray) -> FloatArray | None:
    """Mean training loss over the stretch from the evaluation before up to each evaluation; NaN where none was logged."""
    if not points:
        return None
    at, values = np.array([one for one, _, _ in points]), np.array([value for _, value, _ in points])
    stretch = np.searchsorted(step, at)  # the first evaluation not before the value
    count = np.bincount(stretch, minlength=len(step) + 1)[: len(step)]
    total = np.bincount(stretch, weights=values, minlength=len(step) + 1)[: len(step)]
    means: FloatArray = np.divide(total, count, out=np.full(len(step), np.nan), where=count > 0)
    return means


def thinned(curve: Curve, most: int = MOST_READ) -> Curve:
    """The curve in at most `most` evaluations, each the mean of its neighbours; NaN where the last of these is, so that an end stays."""
    if len(curve) <= most:
        return curve
    blocks = np.array_split(np.arange(len(curve)), most)

    def means(values: FloatArray) -> FloatArray:
        return np.array([_mean(values[block]) for block in blocks])

    def if_any(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else means(values)

    return replace(
        curve,
        step=means(curve.step),
        lr=means(curve.lr),
        val_loss=means(curve.val_loss),
        accuracy=if_any(curve.accuracy),
        train_loss=if_any(curve.train_loss),
        momentum=if_any(curve.momentum),
    )


def _mean(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) and np.isfinite(values[-1]) else float(values[-1])


def unique_labels(found: Sequence[Loaded]) -> list[Loaded]:
    """Curves with labels that tell them apart: the file's name, with its folder, or its whole path, where names repeat."""
    ways: Sequence[Callable[[Loaded], str]] = (
        lambda one: one.curve.label,
        lambda one: f"{one.path.parent.name}/{one.curve.label}",
        lambda one: f"{one.path.stem} {one.curve.label}",
        lambda one: str(one.path) if one.curve.label in one.path.name else f"{one.path} {one.curve.label}",
    )
    for way in ways:
        labels = [way(one) for one in found]
        if len(set(labels)) == len(labels):
            break
    return [replace(one, curve=replace(one.curve, label=name)) for one, name in zip(found, labels, strict=True)]
