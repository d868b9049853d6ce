"""A task that several processes train together: each takes its examples of every batch, and gradients are averaged over all."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from hpcheck.engine.distributed import team
from hpcheck.engine.distributed.syncnorm import synchronised
from hpcheck.engine.tasks.load import Loaders, Task
from hpcheck.plugins.user_errors import UsersCodeError

RANK_SEED = 1 << 52  # ours, as for the parts of an array's batch: above every seed * 1_000_003 + step


class Cut:
    """The rows of a batch sampler's batches that this process takes: equal stretches, the first ones one longer where they do not come out
    even. The first process draws an epoch's order, as it would alone, and tells it to the others.

    `weights`: of each batch of the epoch, this process's weight in the mean over all processes.
    """

    def __init__(self, name: str, whole: Any) -> None:
        self.sampler, self.weights = whole, list[float]()
        self._name, self._rank, self._size = name, team.rank(), team.size()

    def __iter__(self) -> Iterator[list[Any]]:
        """Alone, while the others are busy with something else, a process draws its own order."""
        drawn = list(self.sampler) if team.is_first() or team.size() == 1 else None
        batches: list[list[Any]] = team.told(drawn)
        shares = [rows[len(rows) * self._rank // self._size : len(rows) * (self._rank + 1) // self._size] for rows in batches]
        if not all(len(rows) >= self._size for rows in batches):
            raise UsersCodeError(
                f"task {self._name}: an epoch ends with a batch of {min(map(len, batches))} examples, and {self._size} devices share it; "
                "give the training loader drop_last=True, or another batch size"
            )
        self.weights = [len(share) * self._size / len(rows) for share, rows in zip(shares, batches, strict=True)]
        yield from shares

    def __len__(self) -> int:
        return len(self.sampler)


def joined(task: Task, model: nn.Module, loaders: Loaders) -> Loaders:
    """How this process takes part in a run: the loaders with its share of each training batch. BatchNorm layers take their statistics over
    all processes. Alone it changes nothing.

    Raises:
        UsersCodeError: what cannot be shared out, by name.
    """
    if team.size() == 1:
        return loaders
    if task.keeps_state:
        raise UsersCodeError(f"task {task.name}: it has a state of its own, which the processes of several devices do not share; "
                             "take run.devices 1")  # fmt: skip
    synchronised(model)
    return shared_out(task, loaders)


def shared_out(task: Task, loaders: Loaders) -> Loaders:
    """The loaders with this process's share of each training batch."""
    loader = loaders.train
    if team.size() == 1 and not isinstance(getattr(loader, "batch_sampler", None), Cut):
        return loaders
    _refuse_what_cannot_be_cut(task.name, loader)
    more = {"persistent_workers": loader.persistent_workers, "prefetch_factor": loader.prefetch_factor} if loader.num_workers else {}
    train = DataLoader(
        loader.dataset,
        batch_sampler=Cut(task.name, loader.batch_sampler),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=loader.generator,
        **more,
    )
    return replace(loaders, train=train)


def _refuse_what_cannot_be_cut(name: str, loader: Any) -> None:
    """Raise `UsersCodeError` for a loader whose batches are not made of examples that are indexed."""
    where = f"task {name}: the training loader"
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
        raise UsersCodeError(
            f"{where} is no DataLoader that makes batches of indexed examples, so devices cannot share it; take run.devices 1"
        )
    if isinstance(loader.sampler, DistributedSampler):
        raise UsersCodeError(f"{where} has a DistributedSampler; leave it out, since hpcheck gives each device its share of each batch")
    try:
        len(loader.batch_sampler)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):
        raise UsersCodeError(f"{where} does not say how long an epoch is, so devices cannot share it; take run.devices 1") from None


def weight(loader: Any, place: int) -> float:
    """This process's weight in the mean of a batch, which is number `place` of its epoch; 1 where the batch is whole."""
    cut = getattr(loader, "batch_sampler", None)
    return cut.weights[place] if isinstance(cut, Cut) else 1.0


def average_gradients(name: str, parameters: Iterable[nn.Parameter]) -> None:
    """Gradients averaged over the processes, in one exchange for each type of number. What no process has a gradient of keeps none."""
    if team.size() == 1:
        return
    by_type: dict[torch.dtype, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.requires_grad:
            by_type.setdefault(parameter.dtype, []).append(parameter)
    for group in by_type.values():
        _average(name, group)


def _average(name: str, parameters: list[nn.Parameter]) -> None:
    given = [parameter.grad for parameter in parameters]
    if any(gradient is not None and gradient.is_sparse for gradient in given):
        raise UsersCodeError(f"task {name}: it has sparse gradients, which devices cannot average; take run.devices 1")
    there = torch.tensor([gradient is not None for gradient in given])
    parts = [torch.zeros_like(one) if gradient is None else gradient for one, gradient in zip(parameters, given, strict=True)]
    flat = torch.cat([*(part.flatten() for part in parts), there.to(parts[0])])
    means = team.mean(flat).split([*(part.numel() for part in parts), len(parts)])
    for parameter, mean, found, here in zip(parameters, means, means[-1], there.tolist(), strict=False):
        if here or found > 0:  # elsewhere: only then is the device waited for
            parameter.grad = mean.view_as(parameter)


def mean_loss(loss: Tensor, share: float) -> Tensor:
    """The loss of the whole batch, from each process's of its share."""
    return team.mean(loss.detach() * share) if team.size() > 1 else loss.detach()
