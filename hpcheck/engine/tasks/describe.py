"""What is told of a task before anything is planned: its sizes, its optimizer, and that its steps work on a batch."""

from typing import Any

import torch
from torch import nn

from hpcheck.engine.randomness import seed_all
from hpcheck.engine.tasks.batches import (
    Epochs,
    can_be_thinned,
    examples,
    holds_another_number,
    in_this_process,
    length,
    moved,
    refuse_nothing,
)
from hpcheck.engine.tasks.contents import fingerprint
from hpcheck.engine.tasks.evaluation import STEP, WHOLE, checked, evaluated
from hpcheck.engine.tasks.load import Loaders, OfTask, Task
from hpcheck.engine.tasks.words import in_users_words
from hpcheck.optimizers.groups import own_lr, own_momenta, ratios
from hpcheck.plugins.user_errors import UsersCodeError


def describe(data: OfTask, batch_size: int | None, default_batch_size: int, seed: int) -> dict[str, Any]:
    """All of it as plain values. Raises `UsersCodeError` where a run would fail of the same."""
    try:
        return _described(data, batch_size, default_batch_size, seed)
    except UsersCodeError:
        raise
    except Exception as error:
        raise in_users_words(data.model.name, error) from error


def _described(data: OfTask, batch_size: int | None, default_batch_size: int, seed: int) -> dict[str, Any]:
    contents, repeats = fingerprint(data.begin())
    task = data.begin()
    model = task.build(seed).to(data.device)
    size = batch_size or task.own_count("batch_size") or default_batch_size
    loaders = task.loaders(size, seed)
    told = _optimizer(task, model)
    _try(task, model, loaders, data.device, size, seed)
    train = task.own_count("train_examples") or examples(loaders.train)
    return {
        **told,
        "total_batch_size": size,
        "train_examples": train,
        "batches": length(loaders.train),
        "validation": examples(loaders.val) or _counted(task, model, loaders.val, data.device),
        "test": loaders.test is not None,
        "thinned": can_be_thinned(loaders.val),
        "metric": task.metric,
        "metric_is": task.metric_is,
        "parameters": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "remarks": task.remarks,
        "repeats": repeats,
        "fingerprint": contents,
    }


def _optimizer(task: Task, model: nn.Module) -> dict[str, Any]:
    """Its own optimizer in figures; of the config's there is nothing to tell."""
    if not task.has_optimizer:
        return {"optimizer": "", "kind": "", "lr": None, "weight_decay": None, "momentum": None, "least_momentum": None, "groups": []}
    optimizer = task.optimizer(model)
    groups = optimizer.param_groups
    shares = ratios(groups)
    lrs = [own_lr(group) for group in groups]
    largest = max(range(len(groups)), key=lambda at: lrs[at])
    momentum, least = own_momenta(groups[largest])
    return {
        "optimizer": type(optimizer).__name__,
        "kind": "adamw" if "betas" in groups[largest] else "sgd",
        "lr": max(lrs),
        "weight_decay": max(float(group["weight_decay"]) for group in groups),
        "momentum": momentum,
        "least_momentum": least,
        "groups": [list(share) for share in shares],
    }


def _try(task: Task, model: nn.Module, loaders: Loaders, device: torch.device, size: int, seed: int) -> None:
    """One training step without an update, and one of validation, so that what is wrong is said before the search."""
    model.train()
    batch = Epochs(task.name, in_this_process(loaders.train), seed).batch(0)
    refuse_nothing(task.name, "training", batch)
    batch = moved(batch, device)
    _refuse_another_size(task, loaders, batch, size)
    before = _counters(task)
    seed_all(device, seed)
    task.training_step(model, batch).backward()  # type: ignore[no-untyped-call]
    moving = [name for name, value in _counters(task).items() if name in before and value != before[name]]
    if moving and not task.keeps_state:
        raise UsersCodeError(
            f"task {task.name}: training_step changes self.{moving[0]}, which a run that goes on would begin anew with; "
            "give the task state() and load_state(saved), or make it a buffer of the model"
        )
    if not any(parameter.grad is not None for parameter in model.parameters()):
        raise UsersCodeError(f"task {task.name}: the loss of training_step does not depend on the model of build")
    task.before_update(model)
    model.zero_grad(set_to_none=True)
    if hasattr(task.made, WHOLE):
        return  # it may need all of the data: F1 of two batches says nothing, and may fail
    model.eval()
    with torch.no_grad():
        for batch in in_this_process(loaders.val):
            checked(task, STEP, task.made.validation_step(model, moved(batch, device)))
            break
    model.train()


def _counters(task: Task) -> dict[str, float]:
    """The numbers that a task keeps as attributes."""
    return {name: value for name, value in vars(task.made).items() if isinstance(value, int | float)}


def _refuse_another_size(task: Task, loaders: Loaders, batch: Any, size: int) -> None:
    """Raise `UsersCodeError` where a batch plainly holds another number of examples than were asked for. A DataLoader says it itself."""
    known, found = examples(loaders.train), holds_another_number(batch, size)
    if isinstance(getattr(loaders.train, "batch_size", None), int) or (known is not None and known < size):
        return
    if found is not None:
        raise UsersCodeError(
            f"task {task.name}: loaders was given a batch size of {size}, and its first batch has {found} examples; "
            "use the batch size that loaders is given"
        )


def _counted(task: Task, model: nn.Module, loader: Any, device: torch.device) -> int:
    """Validation examples, counted by evaluating all of them, where no data set says how many there are."""
    own = task.own_count("val_examples")
    found = own if own is not None else round(evaluated(task, model, loader, device).count)
    if own is None and hasattr(task.made, WHOLE) and found <= 1:
        raise UsersCodeError(f"task {task.name}: nobody knows how many validation examples there are; return a count, or set val_examples")
    return found
