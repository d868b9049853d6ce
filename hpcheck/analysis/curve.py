"""Curve: one run's raw evaluations, as every reading takes them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
BoolArray = NDArray[np.bool_]
LARGEST = 1e30  # ours: a loss beyond this is as good as infinite; nothing that trains comes near it


def is_value(y: FloatArray) -> NDArray[np.bool_]:
    """Where `y` is a number to reckon with: neither NaN nor infinite nor beyond 1e30; (E,)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(y) <= LARGEST)


def _bounded(y: FloatArray) -> FloatArray:
    """`y` with what lies beyond 1e30 infinite, so that no sum or power of what is left overflows; the same array if none does."""
    beyond = np.abs(y) > LARGEST
    return np.where(beyond, np.copysign(np.inf, y), y) if beyond.any() else y


ARRAYS = ("step", "lr", "val_loss", "accuracy", "train_loss", "momentum")


@dataclass(frozen=True)
class Curve:
    """One run's raw evaluations; all arrays are (E,), and E may be 0. They are kept in the order of their steps, NaN steps last.

    NaN and inf in the losses are values: the run had no loss there. A value beyond 1e30 becomes infinite,
    and a step beyond it NaN. An lr that is missing is NaN. `accuracy` is the metric, whatever it
    is; `higher_is_better` gives its direction. `train_loss` is the mean over the stretch before the evaluation. `diverged` says that the
    engine stopped the run (NaN, inf or a loss far above its start). `continued` says that the run goes on from another one, so that its
    first loss is not where training began.
    """

    step: FloatArray
    lr: FloatArray
    val_loss: FloatArray
    accuracy: FloatArray | None = None
    train_loss: FloatArray | None = None
    momentum: FloatArray | None = None
    weight_decay: float | None = None
    diverged: bool = False
    higher_is_better: bool = True
    label: str = ""
    continued: bool = False

    def __post_init__(self) -> None:
        for name in ARRAYS:
            given = getattr(self, name)
            if given is None:
                continue
            array = np.asarray(given, dtype=np.float64)
            if array.ndim != 1 or len(array) != len(self.step):
                raise ValueError(f"a curve's {name} must be one value for each of its {len(self.step)} steps (got shape {array.shape})")
            bounded = _bounded(array)
            object.__setattr__(self, name, np.where(np.isinf(bounded), np.nan, bounded) if name == "step" else bounded)
        if not np.all(self.step[1:] >= self.step[:-1]):
            self._sort()

    def _sort(self) -> None:
        order = np.argsort(self.step, kind="stable")
        for name in ARRAYS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, getattr(self, name)[order])

    def __len__(self) -> int:
        return len(self.step)

    @cached_property
    def key(self) -> tuple[object, ...]:
        """All that a reading of this curve depends on, as one hashable value: its arrays' bytes and its flags."""
        arrays = (getattr(self, name) for name in ARRAYS)
        values = tuple(None if array is None else array.tobytes() for array in arrays)
        return (*values, self.diverged, self.higher_is_better, self.continued)

    @property
    def metric_cost(self) -> FloatArray | None:
        """The metric turned so that lower is better, as the loss is; None without a metric, or where it is NaN throughout."""
        if self.accuracy is None or not is_value(self.accuracy).any():
            return None
        return -self.accuracy if self.higher_is_better else self.accuracy
