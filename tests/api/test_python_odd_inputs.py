"""`hpcheck.run` and `hpcheck.read` from Python with what is no config and no curve: an error of ours, which says what to give."""

import math
from typing import Any

import numpy as np
import pytest

import hpcheck
from hpcheck.config import ConfigError
from hpcheck.errors import InputError

FALLING = list(np.linspace(2, 0.5, 30))


class Frame:
    def __init__(self, columns: dict[str, Any]) -> None:
        self.of = columns
        self.columns = list(columns)

    def __getitem__(self, name: str) -> Any:
        return self.of[name]


def deep(levels: int = 3000) -> dict[str, Any]:
    outer: dict[str, Any] = {}
    inner = outer
    for _ in range(levels):
        inner["a"] = {}
        inner = inner["a"]
    return outer


def itself() -> dict[str, Any]:
    outer: dict[str, Any] = {}
    outer["a"] = [outer, outer]
    return outer


CURVES = [
    (deep(), "nested too deep, or that hold themselves"),
    ([deep()] * 3, "nested too deep"),
    (itself(), "hold themselves"),
    ({}, "a dict without columns of numbers"),
    (None, "cannot be read from NoneType"),
    ({"val_loss": [object()] * 30}, "a dict without columns of numbers"),
    ([{"val_loss": object()}] * 30, "not a number"),
    ({"val_loss": [10**400] * 30}, "a dict without columns of numbers"),
    (Frame({"val_loss": FALLING, "lr": [0.1]}), "columns have 1 and 30 rows"),
    (Frame({"val_loss": None}), "with a column that is none"),
    (Frame({"val_loss": [object()] * 30}), "not a number"),
    ("a\0b", "it holds a NUL"),
]
CONFIGS = [
    (deep(), (), "nested too deep"),
    (itself(), (), "holds itself"),
    (3, (), "a config is a path or a dict"),
    ({"data": "digits", "model": "mlp"}, [1], "overrides are a list of texts"),
    ({"data": "digits", "model": "mlp"}, "budget.epochs=1", "overrides are a list of texts"),
    ({"data": "digits", "model": "mlp", "start": {"max_lr": np.float64(-1)}}, None, "start.max_lr: out of range"),
    ({"data": "digits", "model": "mlp", "start": {"max_lr": math.nan}}, (), "not a finite number"),
]


@pytest.mark.parametrize(("given", "said"), CURVES)
def test_what_is_no_curve_is_refused(given: Any, said: str) -> None:
    with pytest.raises((ConfigError, InputError), match=said):
        hpcheck.read(given)


@pytest.mark.parametrize(("given", "overrides", "said"), CONFIGS)
def test_what_is_no_config_is_refused(given: Any, overrides: Any, said: str) -> None:
    with pytest.raises((ConfigError, InputError), match=said):
        hpcheck.run(given, overrides, quiet=True)
