"""Which column is what: the ones that the user named, else names that people use; what could be two things is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hpcheck.config.problems import did_you_mean, shown
from hpcheck.curves.names import METRIC, NAMES, TRAINING, TRAINING_LOSS, VALIDATION, Called, is_called, split_of, words
from hpcheck.curves.numbers import is_missing
from hpcheck.curves.table import Table

SPOKEN = {
    "step": "the step",
    "lr": "the learning rate",
    "val_loss": "the validation loss",
    "train_loss": "the training loss",
    "accuracy": "the metric",
    "momentum": "the momentum",
    "weight_decay": "the weight decay",
}
OPTIONS = ("step", "lr", "val_loss", "train_loss", "accuracy")  # quantities that an option of the command names
MOST_LISTED = 12  # columns that an error lists


@dataclass(frozen=True)
class Mismatch:
    """Why a quantity has no column: an error about a file where the quantity is needed, else a remark."""

    problem: str
    got: str
    expected: str
    needed: bool = True

    @property
    def remark(self) -> str:
        """The same, where the reading goes on without the quantity."""
        return f"{self.problem} ({self.got}): none is taken; name {self.expected}"


def assign(
    table: Table, wanted: Mapping[str, str], asked_by: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, str], list[Mismatch]]:
    """The column of each quantity that has one, and what stands in the way of the others. `wanted` holds the user's own names; `asked_by`
    the option that gave one, where it is not the quantity's own.

    A loss is needed: of validation, or of training where there is no other, and then what is found has no `val_loss`."""
    found, wrong = _named(table, wanted, asked_by)
    if table.counts and "step" not in wanted:
        found["step"] = table.counts
    for quantity in NAMES:
        if quantity in wanted or quantity in found:
            continue
        fitting = _candidates(table, quantity, set(found.values()))
        candidates = fitting if quantity == "train_loss" and _of_some_kind(fitting) else _narrowed(quantity, fitting, found)
        if len(candidates) == 1:
            found[quantity] = candidates[0]
        elif candidates:
            option = f"one of them with {_option(quantity)}" if quantity in OPTIONS else "no other alike"
            if quantity == "val_loss":
                option += ", or their sum by giving it for each"
            needed = quantity == "val_loss" or (quantity == "train_loss" and "val_loss" not in found)
            wrong.append(Mismatch(f"several columns could be {SPOKEN[quantity]}", _listed(candidates), option, needed))
    if "val_loss" not in wanted and _is_last_word(table, found):
        found.pop("val_loss")
    if not found.keys() & {"val_loss", "train_loss"} and not any(one.needed for one in wrong):
        expected = f"one of them with {_option('val_loss')}, or with {_option('train_loss')}"
        wrong.append(Mismatch("no column is a loss by its name", f"the columns {_listed(table.columns)}", expected))
    return found, wrong


def _is_last_word(table: Table, found: Mapping[str, str]) -> bool:
    """Whether the validation loss is the one test loss after a training, which is no curve, and the training loss is one."""
    if not {"val_loss", "train_loss"} <= found.keys():
        return False
    return not _is_curve(table, found["val_loss"]) and _is_curve(table, found["train_loss"])


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
    if quantity == "train_loss":
        free = [column for column in free if split_of(column) != "val"]
    fitting = [[column for column in free if one.fits(column)] for one in NAMES[quantity]]
    for columns in (*([c for c in tier if _is_curve(table, c)] for tier in fitting), *fitting):
        if columns:
            return columns
    return []


def _of_some_kind(columns: Sequence[str]) -> bool:
    """Whether these are losses of which the names do not say that they are the whole: a generator's, a policy's."""
    return bool(columns) and not any(one.fits(column) for one in TRAINING_LOSS for column in columns)


def _is_curve(table: Table, column: str) -> bool:
    cells = (row for row in table.rows if not is_missing(row.cells.get(column)))
    return next(cells, None) is not None and next(cells, None) is not None


def _narrowed(quantity: str, candidates: Sequence[str], found: Mapping[str, str]) -> list[str]:
    """Of several, those that go before the others: an epoch's before a step's (Lightning logs both), the loss's own split."""
    kept = list(candidates)
    if quantity in ("val_loss", "train_loss", "accuracy") and len(kept) > 1:
        kept = [column for column in kept if "epoch" in words(column)] or kept
        kept = [column for column in kept if "step" not in words(column)] or kept
        plainest = min(len(words(column)) for column in kept)  # "loss" before "avg loss"
        kept = [column for column in kept if len(words(column)) == plainest]
    if quantity == "accuracy":
        if "val_loss" not in found:  # beside a training loss alone, a metric without a split is of training too
            kept = [column for column in kept if split_of(column) == "val" or not METRIC_OF_EITHER.fits(column)]
        kept = [column for column in kept if VALIDATION.intersection(words(found.get("val_loss", ""))).intersection(words(column))] or kept
        kept = [column for column in kept if "1" in words(column)] or kept
    return kept


METRIC_OF_EITHER: Called = next(one for one in METRIC if "accuracy" in one.one_of)


def is_of_training(column: str) -> bool:
    """Whether a name says that a column is of training."""
    return bool(TRAINING.intersection(words(column)))


def _option(quantity: str) -> str:
    return f"--{quantity.replace('_', '-')}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return (", ".join(shown(name) for name in names[:MOST_LISTED]) or "none") + more
