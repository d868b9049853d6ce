"""A table and its columns as one curve: rows merged by step, training losses averaged between evaluations, long curves thinned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.config.problems import ConfigError, Problem, shown
from hpcheck.curves.columns import is_worse_when_higher
from hpcheck.curves.table import Table, number

MOST_REPLACED = 1 / 3  # ours: share of evaluations that a resumed run may repeat; beyond it, the step column starts over, as in every epoch
MOST_READ = 400  # ours: longer curves are averaged down to this many evaluations; smoothing takes time in their square
COLUMNS_OF_CURVE = ("lr", "train_loss", "accuracy", "momentum", "weight_decay")

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

    @property
    def unit(self) -> str:
        """What the steps count."""
        return self.columns.get("step", "row")


def load(path: Path, format_: str, table: Table, columns: Mapping[str, str]) -> Loaded:
    """The curve in `table`. Raises `ConfigError` with every cell that is not a number, and where the steps do not rise."""
    points, rows = _points(path, table, columns)
    losses, notes = _evaluations(path, points["val_loss"], columns.get("step"))
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
        train_loss=_between(points["train_loss"], step),
        momentum=momentum,
        weight_decay=decay,
        diverged=table.diverged,
        higher_is_better=not is_worse_when_higher(columns.get("accuracy", "")),
        label=path.stem if path.is_file() else path.name,
    )
    notes += [f"no column counts the steps, so the {rows} rows are counted"] * ("step" not in columns)
    notes += ["the weight decay changes along the run and is left out"] * (len(decays) > 1)
    notes += ["no column is the learning rate by its name: --lr says which"] * (lr is None)
    notes += [f"{len(step)} evaluations, averaged down to {MOST_READ}"] * (len(step) > MOST_READ)
    return Loaded(path, format_, thinned(curve), columns, len(step), (*table.notes, *notes))


def _points(path: Path, table: Table, columns: Mapping[str, str]) -> tuple[dict[str, Points], int]:
    """The points of every quantity in the file's order, and how many rows there are."""
    points: dict[str, Points] = {quantity: [] for quantity in ("val_loss", *COLUMNS_OF_CURVE)}
    problems = list(table.problems)
    for counted, row in enumerate(table.rows, start=1):
        values: dict[str, float] = {}
        for quantity, column in columns.items():
            try:
                value = number(row.cells.get(column))
            except (ValueError, OverflowError):
                problems.append(Problem(str(path), row.line, column, "not a number", shown(row.cells[column]), "a number, or nothing"))
                continue
            if value is not None:
                values[quantity] = value
        step = values.pop("step", float("nan")) if "step" in columns else float(counted)
        if np.isfinite(step):
            for quantity, value in values.items():
                points[quantity].append((step, value, row.line))
        elif "val_loss" in values:
            problems.append(Problem(str(path), row.line, columns["step"], "a validation loss without a step"))
    if problems:
        raise ConfigError(sorted(problems, key=lambda one: one.line or 0))
    return points, len(table.rows)


def _evaluations(path: Path, losses: Points, column: str | None) -> tuple[Points, list[str]]:
    """The evaluations in rising steps. Where steps go back, a run was resumed: what came later replaces what it repeats."""
    if not losses:
        raise ConfigError([Problem(str(path), None, "", "no validation loss in any row", "", "a number in at least one")])
    kept: Points = []
    notes: list[str] = []
    for one in losses:
        replaced = len(kept)
        while kept and kept[-1][0] >= one[0]:
            kept.pop()
        if replaced > len(kept):
            place = f"line {one[2]}: " if one[2] is not None else ""
            notes.append(
                f"{place}back to {column} {one[0]:g}, as after a resume: {replaced - len(kept)} evaluations before it are replaced"
            )
        kept.append(one)
    if len(losses) - len(kept) > max(1, MOST_REPLACED * len(losses)):
        problem = f"the steps go back or stand still {len(notes)} times, so they do not count the training"
        raise ConfigError([Problem(str(path), None, column or "", problem, "", "a column that rises along the run, with --step")])
    return kept, notes


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
    return np.array([values[stretch == index].mean() if (stretch == index).any() else np.nan for index in range(len(step))])


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
    for label in (lambda one: one.curve.label, lambda one: f"{one.path.parent.name}/{one.curve.label}", lambda one: str(one.path)):
        labels = [label(one) for one in found]
        if len(set(labels)) == len(labels):
            break
    return [replace(one, curve=replace(one.curve, label=name)) for one, name in zip(found, labels, strict=True)]
