"""A task that several processes train together: each takes its examples of every batch, and gradients are averaged over all."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from hpcheck.engine.distributed import team
from hpcheck.engine.distributed.syncnorm import synchronised
from hpcheck.engine.tasks.cut import Cut, as_made
from hpcheck.engine.tasks.load import Loaders, Task
from hpcheck.plugins.user_errors import UsersCodeError

RANK_SEED = 1 << 52  # ours, as for the parts of an array's batch: above every seed * 1_000_003 + step


def joined(task: Task, model: nn.Module, loaders: Loaders) -> Loaders:
    """How this process takes part in a run: the loaders with its share of each training batch. BatchNorm layers take their statistics over
    all processes. Alone it changes nothing.

    Raises:
        UsersCodeError: what cannot be shared out, by name.
    """
    if team.size() == 1:
        return loaders
    if task.keeps_state:
        raise UsersCodeError(f"task {task.name}: its own state() is not shared by the processes of several devices; take run.devices 1")
    synchronised(model)
    return shared_out(task, loaders)


def shared_out(task: Task, loaders: Loaders) -> Loaders:
    """The loaders with this process's share of each training batch."""
    loader = loaders.train
    if team.size() == 1:
        return loaders
    _refuse_what_cannot_be_cut(task.name, loader)
    more = {"persistent_workers": loader.persistent_workers, "prefetch_factor": loader.prefetch_factor} if loader.num_workers else {}
    train = DataLoader(
        loader.dataset,
        batch_sampler=Cut(task.name, loader.batch_sampler),
        timeout=loader.timeout,
        generator=loader.generator,
        **as_made(loader),
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
    means = torch.split(team.mean(flat), [*(part.numel() for part in parts), len(parts)])
    for parameter, mean, found, here in zip(parameters, means, means[-1], there.tolist(), strict=False):
        if here or found > 0:  # elsewhere: only then is the device waited for
            parameter.grad = mean.view_as(parameter)


def mean_loss(loss: Tensor, share: float) -> Tensor:
    """The loss of the whole batch, from each process's of its share."""
    return team.mean(loss.detach() * share) if team.size() > 1 else loss.detach()
