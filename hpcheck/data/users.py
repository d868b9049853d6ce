"""What a user's own loader returned, turned into arrays, or a clear error. Knows tensors by what they can do: no torch here."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcheck.data.arrays import IGNORED, Arrays, DataError, Raw

EXPECTED = "expected (train, val) or (train, val, test), each an (x, y) pair of arrays or tensors, or a Dataset of (x, y)"
READ_TWICE = 16  # ours: examples of a Dataset read again; a random flip of each is missed once in 65,536
CHECKED_AT_ONCE = 2**20  # ours: values of a mapped file that are looked at together, so that no mask as long as the file is made
CHANNELS = (1, 3, 4)  # ours: what the channels of an image are known by


def from_users(name: str, returned: Any) -> Raw:
    """The arrays behind what the loader `name` returned. Raises `DataError` where that is something else than is `EXPECTED`."""
    if not isinstance(returned, tuple | list) or len(returned) not in (2, 3):
        raise DataError(f"data {name} returned {_describe(returned)}; {EXPECTED}")
    names = ("train", "val", "test")
    splits = [_split(f"data {name}: {split}", part) for split, part in zip(names, returned, strict=False)]
    for split, arrays in zip(names[1:], splits[1:], strict=False):
        for part, ours, other in (("x", splits[0].x, arrays.x), ("y", splits[0].y, arrays.y)):
            if (ours.shape[1:], ours.dtype) != (other.shape[1:], other.dtype):
                raise DataError(f"data {name}: {part} of train is {_describe(ours)}, but {part} of {split} is {_describe(other)}")
    return Raw(splits[0], splits[1], splits[2] if len(splits) == 3 else None, None)


def _split(where: str, part: Any) -> Arrays:
    if isinstance(part, tuple | list) and len(part) == 2:
        x, y = part
    elif hasattr(part, "__getitem__") and hasattr(part, "__len__") and not _is_array(part) and not isinstance(part, Sequence):
        x, y = _materialized(where, part)
    else:
        raise DataError(f"{where} is {_describe(part)}; {EXPECTED}")
    arrays = Arrays(_inputs(f"{where}: x", x), _targets(f"{where}: y", y))
    if len(arrays.x) != len(arrays.y) or not len(arrays):
        raise DataError(f"{where} has {len(arrays.x)} x and {len(arrays.y)} y; one y for each x is expected")
    return arrays


def _materialized(where: str, dataset: Any) -> tuple[Any, Any]:
    """A map-style Dataset's examples, each read once and stacked: (N, ...) x and (N, ...) y."""
    pairs = [dataset[index] for index in range(len(dataset))]
    if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise DataError(f"{where} is a Dataset of {_describe(pairs[0]) if pairs else 'no examples'}; {EXPECTED}")
    _refuse_random(where, dataset, pairs)
    inputs, targets = ([_array(item) for item in column] for column in zip(*pairs, strict=True))
    for column in (inputs, targets):
        shapes = {item.shape for item in column}
        if len(shapes) > 1:
            raise DataError(f"{where}: examples differ in shape ({', '.join(map(str, sorted(shapes)[:3]))}); all must have one shape")
    x = np.stack(inputs)
    return (_channels_last(x) if hasattr(pairs[0][0], "detach") else x), np.stack(targets)


def _refuse_random(where: str, dataset: Any, pairs: Sequence[Any]) -> None:
    """Raise `DataError` for a Dataset that gives another example each time: hpcheck reads each example once, so what is random in it would
    be frozen, or change the data's identity at every command."""
    for index, pair in enumerate(pairs[:READ_TWICE]):
        if not all(map(_same, pair, dataset[index])):
            raise DataError(
                f"{where}: example {index} is another one each time it is read (random augmentation?), and hpcheck reads each once; "
                "return the plain examples and set data.augment, or have hpcheck drive your own script (hpcheck run -- python train.py)"
            )


def _same(first: Any, second: Any) -> bool:
    one, other = _array(first), _array(second)
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f" and other.dtype.kind == "f")


def _inputs(where: str, value: Any) -> NDArray[np.generic]:
    x = _mapped(value) if isinstance(value, np.memmap) else _array(value)
    if x.ndim == 4 and hasattr(value, "detach"):
        x = _channels_last(x)
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        return _contiguous(x if x.ndim == 4 else x[..., None])
    if np.issubdtype(x.dtype, np.floating) and x.ndim >= 2:
        return _finite(where, _contiguous(x, np.float32))
    if x.dtype == object:
        raise DataError(f"{where} is {_describe(value)}, not one array of one shape; a model gets one input: pack several into one array")
    if x.dtype in (np.uint8, np.bool_) and x.ndim == 2:
        return x.astype(np.float32)
    if np.issubdtype(x.dtype, np.integer) and x.ndim == 2:
        return np.ascontiguousarray(x, dtype=np.int64)
    raise DataError(
        f"{where} is {_describe(value)}; expected uint8 images (N, H, W, C) (tensors: (N, C, H, W)), float vectors (N, D) "
        "or integer tokens (N, T)"
    )


def _contiguous(x: NDArray[Any], dtype: type[np.generic] | None = None) -> NDArray[Any]:
    """`x` itself where it is laid out so already (a file mapping stays one), else a copy that is."""
    fits = x.flags.c_contiguous and (dtype is None or x.dtype == dtype)
    return x if fits else np.ascontiguousarray(x, dtype=dtype)


def _targets(where: str, value: Any) -> NDArray[np.generic]:
    y = _array(value)
    if y.ndim in (1, 2) and np.issubdtype(y.dtype, np.floating):
        return _finite(where, np.ascontiguousarray(y, dtype=np.float32))
    if y.ndim in (1, 2) and (np.issubdtype(y.dtype, np.integer) or y.dtype == np.bool_):
        classes = np.ascontiguousarray(y, dtype=np.int64)
        return _tokens(where, classes) if y.ndim == 2 and y.shape[1] != 1 else _classes(where, classes.reshape(len(y)))
    raise DataError(f"{where} is {_describe(value)}; expected integer classes (N,), float values (N,) or (N, K), or integer tokens (N, T)")


def _classes(where: str, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    if classes.size and classes.min() < 0:
        raise DataError(f"{where} has class {classes.min()}; classes are counted from 0")
    return classes


def _tokens(where: str, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    counted = tokens != IGNORED
    if counted.any():
        _classes(where, tokens[counted])
    empty = np.flatnonzero(~counted.any(axis=1))
    if len(empty):
        raise DataError(f"{where} has no token but {IGNORED} in example {empty[0]} ({len(empty)} such examples); leave them out")
    return tokens


def _finite(where: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = max(1, CHECKED_AT_ONCE // max(1, math.prod(values.shape[1:])))
    parts = [(first, values[first : first + rows]) for first in range(0, len(values), rows)]
    axes = tuple(range(1, values.ndim))
    broken = np.concatenate([np.empty(0, np.intp), *(first + np.flatnonzero(~np.isfinite(part).all(axis=axes)) for first, part in parts)])
    if len(broken):
        raise DataError(
            f"{where} has NaN or infinite values, first in example {broken[0]} ({len(broken)} examples); remove or replace them"
        )
    return values


def _mapped(value: "np.memmap[Any, Any]") -> NDArray[Any]:
    """A user's file mapping opened once more, copy-on-write, so that no process copies it whole; as it is where it is part of a file."""
    whole = value.base is not None and not isinstance(value.base, np.ndarray)
    if value.filename is None or not whole or not value.flags.c_contiguous:
        return np.asarray(value)
    return np.memmap(value.filename, dtype=value.dtype, mode="c", offset=value.offset, shape=value.shape)


def _channels_last(x: NDArray[Any]) -> NDArray[Any]:
    """(N, C, H, W), as torch has images, to (N, H, W, C). Left as it is where only the last axis can be channels."""
    if x.ndim != 4 or (x.shape[1] not in CHANNELS and x.shape[3] in CHANNELS):
        return x
    return np.ascontiguousarray(np.moveaxis(x, 1, 3))


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "detach")


def _array(value: Any) -> NDArray[Any]:
    """A numpy array of an array, tensor, number, list or PIL image."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()
    try:
        return np.asarray(value)
    except ValueError:  # ragged lists
        return np.empty(0, dtype=object)


def _describe(value: Any) -> str:
    """Type, and shape and dtype where there are any: "ndarray (3, 4) float64", "a tuple of 4"."""
    if _is_array(value):
        return f"{type(value).__name__} {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
