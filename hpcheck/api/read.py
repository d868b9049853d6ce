"""`hpcheck.read`: curves from anywhere, read from Python; and what was read, as an object that prints, plots and shows itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcheck.api.picture import Picture
from hpcheck.config.problems import ConfigError
from hpcheck.curves import describe, files, in_memory, terminal
from hpcheck.curves.in_memory import InMemory
from hpcheck.curves.judge import CurveReading, Found, read_all
from hpcheck.curves.load import Loaded, unique_labels
from hpcheck.curves.training_only import comparable, in_words
from hpcheck.errors import InputError
from hpcheck.report.render import render

Source = str | Path | InMemory


@dataclass(frozen=True, repr=False)
class CurvesRead:
    """What was read in one curve, or in several against each other."""

    found: Found

    @property
    def verdict(self) -> str:
        """What follows, in a line or a few: the largest lr, which curve is best, or why nothing can be said."""
        return "\n".join(self._compared() or [line for reading in self.found.readings for line in _concluded(reading)])

    @property
    def settings(self) -> Mapping[str, float]:
        """The settings that the curves determine: `max_lr` is where a range test stays stable up to, the largest to consider; of several
        curves the best value of what varies. Empty where they determine none."""
        compared = self.found.comparison
        if compared is not None:
            best = compared.choice.value
            return {} if best is None or compared.varied.name == "curve" else {compared.varied.name: best}
        range_ = self.found.readings[0].range
        largest = None if range_ is None else range_.stable_lr.value or range_.lr_limit.value
        return {} if largest is None else {"max_lr": largest}

    @property
    def evidence(self) -> Mapping[str, Any]:
        """All that was read, as plain values: each curve's columns, clues and range, the comparison; what `hpcheck read --json` prints."""
        return terminal.content(self.found)

    @property
    def abstained(self) -> bool:
        """Whether there is no answer: the curve cannot be read, or the curves cannot be told apart."""
        return self.found.abstained

    @property
    def notes(self) -> list[str]:
        """What was passed over or taken for granted in the files."""
        return terminal.notes(self.found)

    def plot(self, curve: str | None = None) -> Picture:
        """The curves with their clues as boxes; of one `curve` by its label, or of all."""
        labels = [reading.curve.label for reading in self.found.readings]
        if curve is not None and curve not in labels:
            raise InputError(f"there is no curve {curve!r}; there are {', '.join(labels)}")
        chosen = self.found if curve is None else Found(tuple(one for one in self.found.readings if one.curve.label == curve))
        return Picture(curve or ", ".join(labels), describe.panels(chosen))

    def __str__(self) -> str:
        lines = []
        for reading in self.found.readings:
            lines += [describe.headline(reading), terminal.taken(reading.loaded)]
            lines += [" | ".join(" ".join(cell.split("\n")) for cell in row if cell) for row in _clues(reading)]
            lines += _concluded(reading)
        return "\n".join([*lines, *self._compared()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        readings = [
            {
                "headline": describe.headline(reading),
                "taken": terminal.taken(reading.loaded),
                "clues": _clues(reading),
                "concluded": _concluded(reading),
            }
            for reading in self.found.readings
        ]
        compared = self.found.comparison
        rows = [] if compared is None else [describe.compared_row(compared, *one) for one in compared.choice.scores]
        columns = {"clue_columns": describe.CLUE_COLUMNS, "compared_columns": describe.COMPARED_COLUMNS}
        return str(render("curves", readings=readings, compared=rows, lines=self._compared(), **columns))

    def _compared(self) -> list[str]:
        if self.found.comparison is None:
            return []
        loaded = comparable([reading.loaded for reading in self.found.readings])
        return list(in_words(loaded[0], describe.comparison_lines(self.found.comparison)))


def _concluded(reading: CurveReading) -> Sequence[str]:
    return in_words(reading.loaded, describe.conclusions(reading))


def _clues(reading: CurveReading) -> list[tuple[str, ...]]:
    return [tuple(in_words(reading.loaded, describe.clue_row(clue, reading.loaded.unit))) for clue in reading.clues]


def read(
    *curves: Source,
    step: str | None = None,
    lr: str | None = None,
    val_loss: str | Sequence[str] | None = None,
    train_loss: str | None = None,
    accuracy: str | None = None,
    x: str | None = None,
    format: str | None = None,
) -> CurvesRead:
    """Read validation curves: their clues, the largest learning rate, and which of several is best (Smith 2018, 3 and 4).

    Args:
        curves: paths of logs or folders (CSV, JSON, console logs, TensorBoard, MLflow, Caffe), data frames of pandas or polars, dicts of
            columns (a Keras `history.history`), or lists of rows (a Hugging Face `log_history`).
        step, lr, val_loss, train_loss, accuracy: which column is what, where its name does not say so; several `val_loss` are summed.
        x: what to draw and compare against, the lr's column or a step's.
        format: read files as this; else by what they hold.

    Returns:
        What was read. It prints as text; a notebook shows it as tables.

    Raises:
        ConfigError: with everything that is wrong with any of the curves.
    """
    if not curves:
        raise InputError(f"no curve was given: give {in_memory.EXPECTED}")
    if format is not None and format not in files.FORMATS:
        raise InputError(f"there is no format {format!r}; there are {', '.join(files.FORMATS)}")
    parts = [val_loss] if isinstance(val_loss, str) else list(val_loss or [])
    given = {"step": step, "lr": lr, "train_loss": train_loss, "accuracy": accuracy, "val_loss": parts[0] if len(parts) == 1 else None}
    wanted = {quantity: name for quantity, name in given.items() if name is not None}
    asked = files.Asked(wanted, {"val_loss": parts} if len(parts) > 1 else {}, format, x)
    return CurvesRead(read_all(_loaded(curves, asked)))


def _loaded(curves: Sequence[Source], asked: files.Asked) -> list[Loaded]:
    """The curves of all sources, or one `ConfigError` with what is wrong with any of them."""
    found: list[Loaded] = []
    problems = []
    for at, curve in enumerate(curves, start=1):
        try:
            if isinstance(curve, str | Path):
                found += files.load_all([Path(curve)], asked.wanted, asked.format_, asked.x, asked.summed)
            else:
                what, tables = in_memory.tables(curve)
                found += files.load_tables(Path(f"{what} {at}" if len(curves) > 1 else what), what, tables, asked)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return unique_labels(found)
