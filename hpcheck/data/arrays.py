"""What a data set is once loaded: numpy arrays by split. No torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcheck.errors import InputError

IGNORED = -100  # a target token that counts in no loss and no metric, such as padding: what torch's cross-entropy ignores


class DataError(InputError):
    """The data cannot be used as given: one line that says what came, where, and what to do."""


@dataclass(frozen=True)
class Arrays:
    """Examples and what is to be said of them.

    x: (N, H, W, C) uint8 or float32 images, (N, ..., D) float32 vectors, or (N, T) int64 tokens
    y: (N,) int64 classes, (N,) or (N, K) float32 values, or (N, T) int64 tokens, `IGNORED` where none counts
    """

    x: NDArray[np.generic]
    y: NDArray[np.generic]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: NDArray[np.intp]) -> "Arrays":
        """The examples at `indices`, in that order, as arrays of their own."""
        return Arrays(self.x[indices], self.y[indices])


@dataclass(frozen=True)
class Raw:
    """A data set as its loader gives it: `val` and `test` are None where the data have no such split."""

    train: Arrays
    val: Arrays | None = None
    test: Arrays | None = None
    classes: tuple[str, ...] | None = None

    def splits(self) -> dict[str, Arrays]:
        """Name -> arrays of the splits there are."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {name: arrays for name, arrays in named.items() if arrays is not None}
