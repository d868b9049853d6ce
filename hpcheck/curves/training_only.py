"""A file with a training loss alone: it is read as such, and nothing is read in it that only a validation loss can show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpcheck.analysis.clue import OVERFITTING, Clue
from hpcheck.curves.columns import is_of_training
from hpcheck.curves.load import Loaded
from hpcheck.curves.names import AROUND, words
from hpcheck.curves.table import Table

RISE = 3.0  # ours: a learning rate that rises by this factor, and hardly ever falls, is an lr finder's
RISING = 0.9  # ours: share of its increments that must not be negative


def settled(table: Table, columns: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The columns with the loss that the user named as validation's where it belongs, and a note where that is among the training's.

    A loss is of training where its name says so, and where the file is an lr finder's: a rising lr and one loss without a split.
    """
    named = columns.get("val_loss", "")
    finder = set(words(named)) <= AROUND | {"loss"} and "train_loss" not in columns and _is_finder(table, columns)
    if "val_loss" not in wanted or not (is_of_training(named) or finder):
        return dict(columns), []
    others = {quantity: column for quantity, column in columns.items() if quantity != "val_loss"}
    why = "an lr finder logs the loss of its training batches" if finder else "its name says so"
    return {**others, "train_loss": named}, [f"{named!r} is a training loss: {why}"]


def _is_finder(table: Table, columns: Mapping[str, str]) -> bool:
    lr = [value for _, value in table.values(columns["lr"])] if "lr" in columns else []
    return len(lr) > 1 and lr[-1] >= RISE * lr[0] > 0 and float(np.mean(np.diff(lr) >= 0)) >= RISING


def of_training(loaded: Loaded, table: Table) -> Loaded:
    """A curve of the training loss, marked as one."""
    taken = loaded.columns["train_loss"]
    bare = [column for column in table.columns if column != taken and "loss" in words(column) and set(words(column)) <= AROUND | {"loss"}]
    note = f"only a training loss ({taken!r}): read as such; overfitting cannot be seen in it"
    if bare and is_of_training(taken):
        note = f"no column is a validation loss by its name, so the training loss {taken!r} is read"
        note += f"; if {bare[0]!r} is of validation, --val-loss says so"
    return replace(loaded, of="training", notes=(note, *loaded.notes))


def can_show(loaded: Loaded, clues: Sequence[Clue]) -> tuple[Clue, ...]:
    """Those clues that such a loss can show."""
    return tuple(one for one in clues if loaded.of == "validation" or one.kind != OVERFITTING)


def comparable(loaded: Sequence[Loaded]) -> list[Loaded]:
    """Curves of one kind of loss: a training loss is never compared with a validation loss."""
    validation = [one for one in loaded if one.of == "validation"]
    return validation or list(loaded)


def in_words(loaded: Loaded, lines: Sequence[str]) -> Sequence[str]:
    """What is said of a curve, with its loss called by its name."""
    return [line if loaded.of == "validation" else line.replace("validation loss", "training loss") for line in lines]
