"""Choosing examples by class: the same ones on every machine and with every version of numpy."""

import numpy as np
from numpy.typing import NDArray


def stratified_subset(y: NDArray[np.generic], size: int, seed: int) -> NDArray[np.intp]:
    """Sorted indices of `size` examples with the classes in proportion (all of them where there are no more).

    Subsets of one seed are nested: a larger one contains a smaller one. Targets that are not classes, one integer each, are one class.
    """
    count = len(y)
    if size >= count:
        return np.arange(count)
    stratum = y if y.ndim == 1 and np.issubdtype(y.dtype, np.integer) else np.zeros(count, np.int64)
    draw = np.random.PCG64(seed).random_raw(count)  # (N,); numpy promises this stream for good, unlike Generator's methods
    grouped = np.lexsort((draw, stratum))  # by class, at random within each
    _, first, sizes = np.unique(stratum[grouped], return_index=True, return_counts=True)  # each (K,)
    rank = np.arange(count) - np.repeat(first, sizes)  # within its class
    share = (rank + 0.5) / np.repeat(sizes, sizes)  # taking all up to a share gives each class that share, rounded
    chosen = grouped[np.lexsort((draw[grouped], share))[:size]]
    return np.sort(chosen)
