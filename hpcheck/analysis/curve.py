"""Curve: one run's raw evaluations, as every reading takes them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]


@dataclass(frozen=True)
class Curve:
    """One run's raw evaluations in the order they were made; all arrays are (E,), and E may be 0.

    NaN and inf in the losses are values: the run had no loss there. `accuracy` is the metric, whatever it is; `higher_is_better` gives
    its direction. `train_loss` is the mean over the stretch before the evaluation. `diverged` says that the engine stopped the run
    (NaN, inf or a loss far above its start).
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

    def __post_init__(self) -> None:
        for name in ("step", "lr", "val_loss", "accuracy", "train_loss", "momentum"):
            given = getattr(self, name)
            if given is None:
                continue
            array = np.asarray(given, dtype=np.float64)
            if array.ndim != 1 or len(array) != len(self.step):
                raise ValueError(f"a curve's {name} must be one value for each of its {len(self.step)} steps (got shape {array.shape})")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.step)

    @property
    def metric_cost(self) -> FloatArray | None:
        """The metric turned so that lower is better, as the loss is; None without a metric, or where it is NaN throughout."""
        if self.accuracy is None or not np.isfinite(self.accuracy).any():
            return None
        return -self.accuracy if self.higher_is_better else self.accuracy
