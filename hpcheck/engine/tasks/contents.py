"""What the data of a task are, as a hash: sizes, and the contents of a few examples. It tells other data from the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpcheck.engine.randomness import seed_all
from hpcheck.engine.tasks.batches import CPU, can_be_thinned, examples, in_this_process, length
from hpcheck.engine.tasks.load import SAME_IN_ALL_RUNS, Loaders, Task

LOOKED_AT = 32  # ours: examples of each data set whose contents count, evenly spread; more would decode for long
BATCHES = 2  # ours: ... and batches of what is no data set that is indexed
BATCH_SIZE = 8  # ours: of the loaders that are looked at: the same whatever a run's own batch size is


def fingerprint(task: Task) -> tuple[str, bool]:
    """The hash, and whether the examples are the same twice where random numbers are set alike. Where they are not, sizes alone count."""
    loaders = task.loaders(BATCH_SIZE, SAME_IN_ALL_RUNS)
    found = [_contents(loaders), _contents(loaders)]
    repeats = found[0] == found[1]
    told = {"sizes": _sizes(loaders), "contents": found[0] if repeats else "", "task": task.metric}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(), repeats


def _splits(loaders: Loaders) -> Iterator[Any]:
    return (loader for loader in (loaders.train, loaders.val, loaders.test) if loader is not None)


def _sizes(loaders: Loaders) -> list[int | None]:
    return [examples(loader) or length(loader) for loader in _splits(loaders)]


def _contents(loaders: Loaders) -> str:
    """A hash of some of what each loader gives."""
    digest = hashlib.sha256()
    for loader in _splits(loaders):
        seed_all(CPU, SAME_IN_ALL_RUNS)
        for part in _some(loader):
            put(digest, part)
    return digest.hexdigest()


def _some(loader: Any) -> Iterator[Any]:
    """Examples of a data set, or the first batches."""
    if can_be_thinned(loader):
        dataset, count = loader.dataset, len(loader.dataset)
        rows = np.unique(np.linspace(0, count - 1, min(LOOKED_AT, count)).round().astype(int)).tolist()
        return (dataset[row] for row in rows)
    return islice(iter(in_this_process(loader)), BATCHES)


def put(digest: Any, value: Any) -> None:
    """Add a value to a hash, whatever it is made of: numbers, text, tensors, arrays, and dicts and lists of them; of all else the type."""
    digest.update(type(value).__name__.encode() + b"\0")
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        if value.layout != torch.strided or value.is_quantized:
            return
        value = value.contiguous().flatten().view(torch.uint8).numpy() if value.numel() else np.empty(0)
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.shape} {value.dtype}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            digest.update(str(key).encode() + b"\0")
            put(digest, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            put(digest, item)
    elif isinstance(value, str | bytes | int | float | bool | np.generic | None):
        digest.update(repr(value).encode() + b"\0")
    elif hasattr(value, "tobytes") and callable(value.tobytes):  # a picture
        digest.update(value.tobytes())
