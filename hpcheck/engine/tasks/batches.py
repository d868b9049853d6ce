"""Batches of any kind from any loader: epoch after epoch, so that batch `step` is a function of (seed, step), moved to the device whole."""

import copy
from collections.abc import Iterator, Mapping, Sized
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler, Subset

from hpcheck.engine.distributed import team
from hpcheck.engine.randomness import seed_all, seed_for
from hpcheck.engine.tasks.cut import as_made, weight
from hpcheck.engine.tasks.words import described
from hpcheck.plugins.user_errors import UsersCodeError

CPU = torch.device("cpu")


class Epochs:
    """A loader iterated anew each epoch. Random numbers are set before each batch, so that what a data set draws for it is a function of
    (seed, epoch, place in the epoch): drawn anew each epoch, and the same wherever a run goes on.

    The last `kept` batches can be asked for again. An earlier one, and a later one than the next, is reached from its epoch's beginning.
    """

    def __init__(self, name: str, loader: Any, seed: int, kept: int = 1) -> None:
        self._name, self._loader, self._seed, self._kept = name, loader, seed, kept
        self._length = length(loader)
        self._which = [team.rank()] if team.rank() else []  # of several processes the first one draws as if it were alone
        self._iterator: Iterator[Any] | None = None
        self._epoch = self._place = self._next = 0  # the epoch, the place in it and the number of the next batch
        self._recent: dict[int, Any] = {}
        self._weights: dict[int, float] = {}

    def batch(self, step: int) -> Any:
        """Batch number `step`, as the loader gives it."""
        if step not in self._recent:
            first = max(step - self._kept + 1, 0)
            if self._iterator is None or step < self._next or self._is_epochs_ahead(first):
                self._go_to_epoch_of(first)
            while self._next <= step:
                self._advance()
        return self._recent[step]

    def weight(self, step: int) -> float:
        """Of batch number `step`, which was just asked for: this process's part in the mean over all that share it."""
        return self._weights[step]

    def _is_epochs_ahead(self, step: int) -> bool:
        return self._length is not None and step // self._length > self._epoch + 1

    def _go_to_epoch_of(self, step: int) -> None:
        """To the beginning of the epoch of a step; of a loader without a length to the very first."""
        epoch = step // self._length if self._length else 0
        self._next = epoch * (self._length or 0)
        self._recent, self._weights = {}, {}
        self._begin(epoch)

    def _begin(self, epoch: int) -> None:
        self._iterator = None  # its processes end before others begin
        self._epoch, self._place = epoch, 0
        number = seed_for("epoch", self._seed, epoch)
        seed_all(CPU, number)
        _tell_epoch(self._loader, epoch, number)
        self._iterator = iter(self._loader)

    def _advance(self) -> None:
        """Take the next batch; at an epoch's end the first of the next."""
        assert self._iterator is not None
        seed_all(CPU, seed_for("batch", self._seed, self._epoch, self._place, *self._which))
        try:
            batch = next(self._iterator)
        except StopIteration:
            if self._place == 0:
                raise UsersCodeError(
                    f"task {self._name}: the training loader gives no batch (a batch size above the number of examples, with drop_last?)"
                ) from None
            self._length = self._length if self._length == self._place else None  # it is not as long as it says
            self._begin(self._epoch + 1)
            return
        self._recent[self._next] = batch
        self._recent.pop(self._next - self._kept, None)
        self._weights[self._next] = weight(self._loader, self._place)
        self._weights.pop(self._next - self._kept, None)
        self._place += 1
        self._next += 1


def _tell_epoch(loader: Any, epoch: int, number: int) -> None:
    """Have samplers and data sets that count epochs know this one, and generators of a loader's own be set for it."""
    for part in _parts(loader):
        if callable(tell := getattr(part, "set_epoch", None)):
            tell(epoch)
        if isinstance(own := getattr(part, "generator", None), torch.Generator):
            own.manual_seed(number)
    if getattr(loader, "persistent_workers", False):
        loader._iterator = None  # processes that live on would go on drawing where the last epoch ended


def _parts(loader: Any) -> list[Any]:
    """The loader, its data set and its samplers, also those inside one."""
    parts = [loader, getattr(loader, "dataset", None), getattr(loader, "sampler", None)]
    inner = getattr(loader, "batch_sampler", None)
    while inner is not None and inner not in parts:
        parts.append(inner)
        inner = getattr(inner, "sampler", None)
    return [part for part in parts if part is not None]


class Moved:
    """A loader whose batches are on the device. All else that is asked of it the loader answers."""

    def __init__(self, loader: Any, device: torch.device) -> None:
        self._loader, self._device = loader, device

    def __iter__(self) -> Iterator[Any]:
        return (moved(batch, self._device) for batch in self._loader)

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def moved(batch: Any, device: torch.device) -> Any:
    """A batch on the device: tensors wherever they are in dicts, lists, tuples and dataclasses, and objects that have a `to` of their own.

    On a CPU it is what the loader gave.
    """
    return batch if device.type == "cpu" else _moved(batch, device)


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=value.is_pinned())
    if callable(getattr(value, "to", None)):
        return value.to(device)
    if isinstance(value, Mapping):
        of_same_kind = copy.copy(value)
        of_same_kind.update({key: _moved(item, device) for key, item in value.items()})  # type: ignore[attr-defined]
        return of_same_kind
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(item, device) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_moved(item, device) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _moved(getattr(value, field.name), device) for field in fields(value) if field.init})
    return value


def length(loader: Any) -> int | None:
    """Batches of an epoch; None where nobody says."""
    try:
        found = len(loader)
    except (TypeError, NotImplementedError):
        return None
    return found or None


def examples(loader: Any) -> int | None:
    """Examples of an epoch; None where the loader does not say. Those that `drop_last` leaves out are counted: other ones each epoch."""
    dataset = getattr(loader, "dataset", None)
    if isinstance(dataset, IterableDataset):
        return None
    sized = next((part for part in (getattr(loader, "sampler", None), dataset) if isinstance(part, Sized)), None)
    return None if sized is None else len(sized)


def can_be_thinned(loader: Any) -> bool:
    """Whether a part of a validation loader can be evaluated: it is a DataLoader over a data set that is indexed, without own sampler."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset) or examples(loader) is None:
        return False
    return type(loader.sampler) in (SequentialSampler, RandomSampler) and type(loader.batch_sampler) is BatchSampler


def thinned(loader: Any, size: int | None) -> Any:
    """The loader over so many of its examples, evenly spread; the loader itself where that is all of them or cannot be."""
    count = examples(loader)
    if size is None or count is None or size >= count or not can_be_thinned(loader):
        return loader
    rows = np.linspace(0, count - 1, size).round().astype(int).tolist()
    return DataLoader(Subset(loader.dataset, rows), batch_size=loader.batch_size, **as_made(loader))


def in_this_process(loader: Any) -> Any:
    """The loader without processes of its own: for a look at a few batches they do not pay."""
    if not isinstance(loader, DataLoader) or loader.num_workers == 0:
        return loader
    alone = copy.copy(loader)
    alone.num_workers = 0
    return alone


def leading(batch: Any) -> int | None:
    """The first dimension of the first tensor of a batch; None where it has none."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else None
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((found for part in parts if (found := leading(part)) is not None), None)


def holds_another_number(batch: Any, size: int) -> int | None:
    """How many examples a batch plainly has, where they are not `size`: the first dimension that all its tensors share. None where it has
    `size`, or where that cannot be told."""
    tensors: set[int] = set()
    lists: set[int] = set()
    _count(batch, tensors, lists)
    return next(iter(tensors)) if len(tensors) == 1 and size not in tensors | lists else None


def _count(value: Any, tensors: set[int], lists: set[int]) -> None:
    """The first dimensions of tensors, and the lengths of the lists around them."""
    if isinstance(value, Tensor):
        tensors |= {len(value)} if value.ndim else set()
    elif isinstance(value, Mapping | list | tuple):
        lists.add(len(value))
        for item in value.values() if isinstance(value, Mapping) else value:
            _count(item, tensors, lists)


def refuse_nothing(name: str, which: str, batch: Any) -> None:
    """Raise `UsersCodeError` for a batch that is None."""
    if batch is None:
        raise UsersCodeError(f"task {name}: the {which} loader gave {described(batch)} as a batch")
