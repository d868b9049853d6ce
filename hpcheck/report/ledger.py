"""The regularization ledger: what each choice adds or takes away, so that the balance can be seen whole (Smith 2018, Remark 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpcheck.config import Config
from hpcheck.plugins import find
from hpcheck.recommendation import wording
from hpcheck.text import number

ADDS, TAKES, NEITHER, NONE = "adds", "takes away", "neither", "none"
SIGNS = {ADDS: "+ adds", TAKES: "\u2212 takes away", NEITHER: "neither", NONE: "none"}
COLUMNS = ("Regularizer", "Now", "Start", "Regularization", "What the paper says")


@dataclass(frozen=True)
class Entry:
    """One line: what regularizes, its value, what it was at the start, which way it works, and the paper's word on it."""

    name: str
    value: str
    before: str
    effect: str
    words: str
    source: str

    @property
    def sign(self) -> str:
        return SIGNS[self.effect]


def ledger(settings: Mapping[str, Any], config: Config) -> list[Entry]:
    """Every regularizer that hpcheck knows of, those it set and those it was given."""
    return [_lr(settings, config), _batch(settings, config), _momentum(settings, config), _weight_decay(settings, config), *_given(config)]


def _lr(settings: Mapping[str, Any], config: Config) -> Entry:
    lr, start = settings.get("learning_rate"), config.start.max_lr
    value = f"up to {number(lr['max'])}" if lr else "none known"
    words = "Large learning rates regularize. Other regularization then has to be reduced."
    return Entry("Learning rate", value, number(start) if start else "not given", ADDS if lr else NONE, words, "section 4.1, Remark 3")


def _batch(settings: Mapping[str, Any], config: Config) -> Entry:
    size, before = settings["total_batch_size"], config.start.total_batch_size
    effect = NEITHER if size == before else TAKES if size > before else ADDS
    words = "Small batches regularize more, large ones less."
    moved = "" if size == before else f" Now {'larger' if size > before else 'smaller'} than at the start."
    return Entry("Batch size", number(size), number(before), effect, words + moved, "section 5, item 2")


def _momentum(settings: Mapping[str, Any], config: Config) -> Entry:
    now, start = settings["momentum"], config.start.momentum
    words = "Not a regularizer itself. Momentum that falls while the learning rate rises lets it rise further, and that regularizes."
    return Entry("Momentum", wording.momentum_words(now)[0], _range(start.max, start.min), NEITHER, words, "section 4.3, Remark 5")


def _weight_decay(settings: Mapping[str, Any], config: Config) -> Entry:
    value = settings["weight_decay"]
    words = "The one to set last, to balance all the others. It is constant through training."
    before = number(config.start.weight_decay)
    return Entry("Weight decay", number(value), before, ADDS if value > 0 else NONE, words, "section 4.4, Remark 6")


def _given(config: Config) -> list[Entry]:
    """What the config fixes and no step changes."""
    augment = config.data.augment
    if config.script is not None or config.task is not None:
        words = f"Your {'script' if config.task is None else 'task'}'s own: hpcheck does not look inside."
        return [Entry(name, "not known", "not known", NEITHER, words, "section 4.4, Remark 6") for name in ("Dropout", "Augmentation")]
    mirrored = Entry(
        "Augmentation",
        augment,
        augment,
        NONE if augment == "none" else ADDS,
        "Fixed by data.augment. More of it asks for less weight decay.",
        "section 4.4, Remark 6",
    )
    dropout = dropout_of(config)
    effect = NONE if dropout == 0 else ADDS
    value = "not known" if dropout is None else number(dropout)
    words = "Fixed by the model, and on during every search." if dropout is not None else "Your own model's: hpcheck does not look inside."
    return [Entry("Dropout", value, value, effect if dropout is not None else NEITHER, words, "section 4.4, Remark 6"), mirrored]


def dropout_of(config: Config) -> float | None:
    """The model's dropout as the config or the model's file gives it; 0 where a shipped model has none, None where it cannot be known."""
    given = config.model.options().get("dropout")
    if given is not None:
        return float(given)
    if find.is_users_own(config.model.name):
        return None
    default = find.options("models", config.model.name).get("dropout", 0.0)
    return float(default) if isinstance(default, int | float) else None


def _range(high: float, low: float) -> str:
    return number(high) if high == low else f"{number(high)} to {number(low)}"
