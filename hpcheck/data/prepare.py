"""From raw splits to what is trained and validated on: hold-out, limit, and the shift and scale that normalize. No torch."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.split import stratified_subset
from hpcheck.data.streamed import Streamed

__all__ = ["Prepared", "prepare", "stratified_subset"]
CHUNK_VALUES = 2**18  # summed at a time: they stay in the processor's cache, and no float copy of everything is made

STREAMED_AT_ONCE = 64  # ours: images decoded together for the mean


@dataclass(frozen=True)
class Prepared:
    """What a run trains and validates on. A model sees `(x - shift) * scale`, save for tokens, which it sees as they are.

    The arrays are in memory, contiguous and writable; `test` is None where the data have no test split.
    """

    train: Arrays
    val: Arrays
    test: Arrays | None
    shift: NDArray[np.float32]  # these two broadcast to one example: (H, W, C), or (D,)
    scale: NDArray[np.float32]
    classes: tuple[str, ...] | None
    outputs: int
    input_shape: tuple[int, ...]  # (C, H, W) of images, channels first as models take them; otherwise one example's shape
    task: str  # "classes", "regression" or "tokens"
    targets: "Units | None" = None  # of which targets were standardized; None where they are as they came


@dataclass(frozen=True)
class Units:
    """What targets were standardized by: a network's output y stands for y * deviation + mean."""

    mean: NDArray[np.float32]  # () or (K,), as the next
    deviation: NDArray[np.float32]  # 1 where a target never varies

    def standardized(self, arrays: Arrays) -> Arrays:
        """The same examples with targets of mean 0 and deviation 1 over those that the units are of."""
        return Arrays(arrays.x, ((arrays.y.astype(np.float32) - self.mean) / self.deviation).astype(np.float32))


def prepare(
    raw: Raw,
    *,
    val_fraction: float = 0.1,
    validate_on: str = "held-out",
    normalize: str = "standardize",
    limit: int | None = None,
    split_seed: int = 0,
    fit: str = "train",
    crop: int | None = None,
    targets: str = "none",
) -> Prepared:
    """Split and describe `raw`.

    validate_on "held-out": `raw.val`, or where there is none a stratified `val_fraction` of the training split. "test": the test split,
    as the paper does. `limit` keeps that many training examples (stratified) before anything is held out. `fit` "all" also trains on what
    is held out; validation then repeats training examples, and only the test split says something new. Models see squares of `crop` pixels.
    `targets` "standardize" gives values mean 0 and deviation 1 over what is trained on.
    """
    train, val = split(raw, val_fraction, validate_on, limit, split_seed)
    if fit == "all" and validate_on == "held-out":
        train = _join(train, val)
    task, outputs = task_and_outputs(raw)
    units, test = None, raw.test
    if targets == "standardize":
        units = units_of(train.y, task)
        train, val, test = units.standardized(train), units.standardized(val), None if test is None else units.standardized(test)
    shape = _input_shape(raw.train.x, crop)
    shift, scale = _normalization(train.x, normalize)
    return Prepared(
        train=_own(train),
        val=_own(val),
        test=None if test is None else _own(test),
        shift=centre(shift, crop) if shift.ndim == 3 else shift,
        scale=scale,
        classes=raw.classes,
        outputs=outputs,
        input_shape=shape,
        task=task,
        targets=units,
    )


def units_of(y: NDArray[np.generic], task: str) -> Units:
    """Mean and deviation of each target over the examples (N,) or (N, K). Raises `DataError` for targets that are no values."""
    if task != "regression":
        raise DataError(f"data.targets: is standardize, but the targets are {task}; leave it out")
    values = y.astype(np.float64)
    deviation = values.std(axis=0)
    return Units(np.asarray(values.mean(axis=0), np.float32), np.asarray(np.where(deviation > 0, deviation, 1.0), np.float32))


def split(raw: Raw, val_fraction: float, validate_on: str, limit: int | None, split_seed: int = 0) -> tuple[Arrays, Arrays]:
    """What is trained and what is validated on. Raises `DataError` where there is none of one of them."""
    train = raw.train if limit is None else raw.train.take(stratified_subset(raw.train.y, limit, split_seed))
    if validate_on == "test":
        if raw.test is None:
            raise DataError("data.validate_on is test, but the data have no test split; use held-out")
        return train, raw.test
    if raw.val is not None:
        return train, raw.val
    size = round(val_fraction * len(train))
    if not 0 < size < len(train):
        raise DataError(f"data.val_fraction {val_fraction} of {len(train)} training examples leaves {size} to validate on")
    held_out = stratified_subset(train.y, size, split_seed)
    kept = np.setdiff1d(np.arange(len(train)), held_out)
    return train.take(kept), train.take(held_out)


def _join(first: Arrays, second: Arrays) -> Arrays:
    if isinstance(first.x, Streamed) and isinstance(second.x, Streamed):
        return Arrays(first.x.joined(second.x), np.concatenate([first.y, second.y]))
    return Arrays(np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y]))


def _own(arrays: Arrays) -> Arrays:
    """The same in memory of its own, save for a user's file mapping, which stays one: pages that are written to are private."""
    if isinstance(arrays.x, Streamed):
        return arrays
    return Arrays(_own_array(arrays.x), _own_array(arrays.y))


def _own_array(array: NDArray[Any]) -> NDArray[Any]:
    """A cached array is a read-only file mapping, about which torch warns; a mapping that was opened copy-on-write is as good as memory."""
    if array.flags.c_contiguous and (array.flags.owndata or (isinstance(array, np.memmap) and array.flags.writeable)):
        return array
    return np.array(array)


def task_and_outputs(raw: Raw) -> tuple[str, int]:
    """What is predicted, and how many outputs that takes."""
    targets = [arrays.y for arrays in raw.splits().values()]
    if not np.issubdtype(raw.train.y.dtype, np.integer):
        return "regression", 1 if raw.train.y.ndim == 1 else raw.train.y.shape[1]
    largest = max(int(y.max()) for y in targets)
    if raw.train.y.ndim == 2:
        reads_tokens = raw.train.x.ndim == 2 and np.issubdtype(raw.train.x.dtype, np.integer)  # else images or vectors with dense targets
        inputs = [int(arrays.x.max()) for arrays in raw.splits().values()] if reads_tokens else []
        return "tokens", 1 + max([largest, *inputs])
    if largest == 0:
        raise DataError("all examples are of class 0; at least two classes are needed")
    return "classes", max(largest + 1, len(raw.classes or ()))


def _input_shape(x: NDArray[np.generic], crop: int | None) -> tuple[int, ...]:
    if x.ndim != 4:
        if crop is not None:
            raise DataError(f"data.crop is {crop}, but the data are not images; leave it out")
        return x.shape[1:]
    height, width, channels = x.shape[1:]
    if crop is not None and crop > min(height, width):
        raise DataError(f"data.crop is {crop}, but the images have {height}x{width}; crop at most {min(height, width)}")
    return (channels, height, width) if crop is None else (channels, crop, crop)


def centre(x: NDArray[Any], crop: int | None) -> NDArray[Any]:
    """The middle `crop` x `crop` pixels of an image (H, W, C); all of them for None."""
    if crop is None:
        return x
    top, left = (x.shape[0] - crop) // 2, (x.shape[1] - crop) // 2
    return x[top : top + crop, left : left + crop]


def _normalization(x: NDArray[Any], normalize: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shift and scale. "standardize": mean 0 and deviation 1 in each channel or feature; "mean-image": the mean example subtracted and
    pixels left in 0..255 (the paper's CIFAR); "unit": x/256 (the paper's MNIST); "none". Tokens are never changed."""
    channels = x.shape[-1]
    zero, one = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    if normalize == "none" or np.issubdtype(x.dtype, np.signedinteger):
        return zero, one
    if normalize == "unit":
        return zero, np.full(channels, 1 / 256, np.float32)
    if normalize == "mean-image":
        return _mean(x).astype(np.float32), one
    if normalize != "standardize":
        raise DataError(f"data.normalize is {normalize!r}; allowed are standardize, mean-image, unit, none")
    refuse_padding(x)
    axes = tuple(range(x.ndim - 2))
    mean = _mean(x).mean(axis=axes)  # (C,)
    deviation = np.sqrt(_mean(x, around=mean).mean(axis=axes))
    scale = 1 / np.where(deviation > 0, deviation, 1.0)
    return mean.astype(np.float32), scale.astype(np.float32)


def refuse_padding(x: NDArray[Any]) -> None:
    """Raise `DataError` for sequences (N, T, D) of floats that end in rows of zeros, as padded ones do.

    Standardized they are zeros no more, and a network that masks or sums them computes something else."""
    if isinstance(x, Streamed) or x.ndim != 3 or not np.issubdtype(x.dtype, np.floating):
        return
    padded = int((~x[:, -1].any(axis=1)).sum())
    if padded:
        raise DataError(
            f"data.normalize: standardize would make padding non-zero ({padded} of {len(x)} sequences end in a row of zeros); "
            "use data.normalize: none, and scale in your own loader"
        )


def _mean(x: NDArray[Any], around: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The mean example (H, W, C); given `around` (C,), the mean squared difference from it instead."""
    centre = None if around is None else np.array(np.broadcast_to(around, x.shape[1:]))  # in full: broadcasting 3 channels is 3x slower
    x = x.sample() if isinstance(x, Streamed) else x
    total = np.zeros(x.shape[1:], np.float64)
    step = STREAMED_AT_ONCE if isinstance(x, Streamed) else max(1, CHUNK_VALUES // math.prod(x.shape[1:]))
    for first in range(0, len(x), step):
        part = x[first : first + step]
        part = part.decoded() if isinstance(part, Streamed) else part
        total += part.sum(axis=0, dtype=np.float64) if centre is None else np.square(part - centre).sum(axis=0)
    return total / len(x)


def held_out_counts(raw: Raw, *, val_fraction: float, validate_on: str, limit: int | None) -> tuple[int, int]:
    """How many examples there are to train and to validate on, without splitting them."""
    count = len(raw.train) if limit is None else min(limit, len(raw.train))
    if validate_on == "test" and raw.test is not None:
        return count, len(raw.test)
    if raw.val is not None:
        return count, len(raw.val)
    held_out = round(val_fraction * count)
    return count - held_out, held_out
