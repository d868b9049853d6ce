"""Which column is what: the ones that the user named, else names that people use; what could be two things is an error."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hpcheck.config.problems import did_you_mean, shown
from hpcheck.curves.table import Table, is_missing

VALIDATION = {"val", "valid", "validation", "test", "eval", "evaluation", "dev", "holdout"}
TRAINING = {"train", "training", "trn"}
AROUND = {"epoch", "step", "avg", "average", "mean", "metrics", "metric", "log", "dataloader", "idx", "top", "0", "1"}
AROUND_METRIC = AROUND | {"sparse", "categorical", "binary", "error", "err"}
AROUND_STEP = TRAINING | {"global", "trainer", "num", "number", "batch", "batches"}
AROUND_LR = TRAINING | {
    "base",
    "trainer",
    "optimizer",
    "scheduler",
    "current",
    "epoch",
    "sgd",
    "nesterov",
    "adam",
    "adamw",
    "w",  # AdamW
    "radam",
    "nadam",
    "rmsprop",
    "lion",
    "pg",
    "group",
    "0",
    "1",
}
WORSE_WHEN_HIGHER = {"error", "err", "loss", "perplexity", "ppl", "rmse", "mse", "mae", "wer", "cer"}

# quantity: what it may be called, the best first: (words of which one is needed, words that are needed beside, words that may be there)
NAMES: Mapping[str, Sequence[tuple[set[str], set[str], set[str]]]] = {
    "step": (
        ({"iteration", "iterations", "iter", "iters", "step", "steps"}, set(), AROUND_STEP),
        ({"epoch", "epochs"}, set(), AROUND_STEP),
    ),
    "lr": (({"lr", "learningrate"}, set(), AROUND_LR), ({"learning"}, {"rate"}, AROUND_LR)),
    "val_loss": ((VALIDATION, {"loss"}, AROUND),),
    "train_loss": ((TRAINING, {"loss"}, AROUND), ({"loss"}, set(), AROUND)),
    "accuracy": (
        (VALIDATION, {"accuracy"}, AROUND_METRIC),
        (VALIDATION, {"acc"}, AROUND_METRIC),
        (VALIDATION, {"top"}, AROUND_METRIC),
        (VALIDATION, {"metric"}, AROUND_METRIC),
        ({"accuracy", "acc", "metric"}, set(), AROUND_METRIC),
        (VALIDATION, {"error"}, AROUND_METRIC),
        (VALIDATION, {"err"}, AROUND_METRIC),
    ),
    "momentum": (({"momentum", "mom"}, set(), AROUND_LR | {"lr"}),),
    "weight_decay": (({"wd", "weightdecay"}, set(), AROUND_LR), ({"weight"}, {"decay"}, AROUND_LR)),
}
SPOKEN = {
    "step": "the step",
    "lr": "the learning rate",
    "val_loss": "the validation loss",
    "train_loss": "the training loss",
    "accuracy": "the metric",
}
NEEDED = ("val_loss",)  # without a step rows are counted; the rest may be missing


@dataclass(frozen=True)
class Mismatch:
    """Why a quantity has no column: for an error about a file."""

    problem: str
    got: str
    expected: str


def words(name: str) -> list[str]:
    """The words of a column's name, in lower case.

    >>> words("metrics/valLoss_top1")
    ['metrics', 'val', 'loss', 'top', '1']
    """
    return re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


def is_called(column: str | None, name: str) -> bool:
    """Whether the user's `name` is this column's, by its words."""
    return column is not None and (column == name or words(column) == words(name) != [])


def is_worse_when_higher(name: str) -> bool:
    """The direction of a metric, by its name."""
    return bool(WORSE_WHEN_HIGHER.intersection(words(name)))


def assign(
    table: Table, wanted: Mapping[str, str], asked_by: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, str], list[Mismatch]]:
    """The column of each quantity that has one, and what stands in the way of the others. `wanted` holds the user's own names; `asked_by`
    the option that gave one, where it is not the quantity's own."""
    found, wrong = _named(table, wanted, asked_by)
    if table.counts and "step" not in wanted:
        found["step"] = table.counts
    for quantity in NAMES:
        if quantity in wanted or quantity in found:
            continue
        candidates = _candidates(table, quantity, set(found.values()))
        if quantity == "accuracy" and len(candidates) > 1:
            candidates = _same_split(candidates, found.get("val_loss", "")) or candidates
        if quantity == "train_loss" and len(candidates) > 1:
            candidates = [column for column in candidates if "epoch" in words(column)] or candidates  # Lightning logs a step's loss too
        if len(candidates) == 1:
            found[quantity] = candidates[0]
        elif candidates and quantity in SPOKEN:
            wrong.append(
                Mismatch(f"several columns could be {SPOKEN[quantity]}", _listed(candidates), f"one of them with {_option(quantity)}")
            )
        elif not candidates and quantity in NEEDED:
            expected = f"one of them with {_option(quantity)}"
            wrong.append(Mismatch(f"no column is {SPOKEN[quantity]} by its name", f"the columns {_listed(table.columns)}", expected))
    return found, wrong


def _named(table: Table, wanted: Mapping[str, str], asked_by: Mapping[str, str]) -> tuple[dict[str, str], list[Mismatch]]:
    found, wrong = {}, []
    for quantity, name in wanted.items():
        alike = [column for column in table.columns if column == name] or [column for column in table.columns if is_called(column, name)]
        if len(alike) == 1:
            found[quantity] = alike[0]
        else:
            problem = f"{asked_by.get(quantity, _option(quantity))}: no column {shown(name)}{did_you_mean(name, table.columns)}"
            wrong.append(Mismatch(problem, f"the columns {_listed(table.columns)}", "one of these"))
    return found, wrong


def _candidates(table: Table, quantity: str, taken: set[str]) -> list[str]:
    """The columns that fit the quantity's best name that any fits; a column of one value is no curve beside one of many."""
    free = [column for column in table.columns if column not in taken]
    fitting = [[column for column in free if _fits(column, *name)] for name in NAMES[quantity]]
    for columns in (*([c for c in tier if _is_curve(table, c)] for tier in fitting), *fitting):
        if columns:
            return columns
    return []


def _fits(column: str, one_of: set[str], beside: set[str], around: set[str]) -> bool:
    has = set(words(column))
    return bool(has & one_of) and beside <= has and has <= one_of | beside | around


def _is_curve(table: Table, column: str) -> bool:
    cells = (row for row in table.rows if not is_missing(row.cells.get(column)))
    return next(cells, None) is not None and next(cells, None) is not None


def _same_split(candidates: Sequence[str], val_loss: str) -> list[str]:
    """Those of the split that the validation loss is of: test_accuracy beside test_loss."""
    split = VALIDATION.intersection(words(val_loss))
    return [column for column in candidates if split.intersection(words(column))]


def _option(quantity: str) -> str:
    return f"--{quantity.replace('_', '-')}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in names) or "none"
