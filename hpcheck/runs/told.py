"""What a task or a script tells of itself: values such as a config may have. In a run directory from elsewhere they may be anything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpcheck.config.types import MAX_COUNT, MAX_VALUE
from hpcheck.plugins import find
from hpcheck.runs.record_content import is_count, is_finite

LONGEST = 200  # ours: characters of a name
SHOWN = 40  # ours: characters of a value that is none


@dataclass(frozen=True)
class Kind:
    """Which values there are, and what they are called."""

    fits: Callable[[Any], bool]
    words: str


def optional(kind: Kind) -> Kind:
    """The same, or None."""
    return Kind(lambda value: value is None or kind.fits(value), kind.words)


def _is_positive(value: Any) -> bool:
    return is_finite(value) and 0 < value <= MAX_COUNT


def _is_setting(value: Any) -> bool:
    return is_finite(value) and 0 <= value <= MAX_VALUE


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST


def _are_ratios(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_setting, pair)) for pair in value)


COUNT = Kind(lambda value: is_count(value) and 0 < value <= MAX_COUNT, f"a whole number from 1 to {MAX_COUNT:,}")
SETTING = Kind(_is_setting, f"a number from 0 to {MAX_VALUE:g}")
WORD = Kind(_is_word, f"a name of at most {LONGEST} characters")
MOMENTUM = Kind(lambda value: is_finite(value) and 0 <= value < 1, "a number from 0 to below 1")
FLAG = Kind(lambda value: isinstance(value, bool), "true or false")
LOOPS = Kind(lambda value: isinstance(value, dict) and all(map(_is_positive, value.values())), f"lengths from 0 to {MAX_COUNT:,}")
ALWAYS = {
    "total_batch_size": COUNT,
    "train_examples": optional(COUNT),
    "validation": COUNT,
    "metric": WORD,
    "metric_is": Kind(lambda value: value in ("higher", "lower"), "higher or lower"),
    "optimizer": WORD,
    "kind": Kind(lambda value: value == "" or (isinstance(value, str) and value in find.known("optimizers")), "an optimizer of hpcheck's"),
    "lr": optional(SETTING),
    "weight_decay": optional(SETTING),
    "momentum": optional(MOMENTUM),
    "groups": Kind(_are_ratios, "pairs of numbers"),
}


def first_wrong(told: Any, further: Mapping[str, Kind]) -> str | None:
    """The first value that is none, with what is expected of it; None where all are as they should be.

    Args:
        told: what was told, by name.
        further: what is told beside `ALWAYS`.
    """
    if not isinstance(told, dict):
        return "nothing was told"
    for name, kind in {**ALWAYS, **further}.items():
        if name not in told:
            return f"{name} is missing"
        if not kind.fits(told[name]):
            return f"{name} is {shown(told[name])}; expected {kind.words}"
    return None


def shown(value: Any) -> str:
    """A value in a few characters."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        text = "a number too large to show"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
