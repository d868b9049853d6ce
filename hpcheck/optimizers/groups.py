"""Parameter groups with their lr and decay multipliers, and setting an optimizer's hyper-parameters at a step."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import singledispatch
from typing import Any

import torch
from torch import nn

from hpcheck.errors import InputError

FUSED_DEVICES = {"cpu", "cuda"}
Multipliers = tuple[float, float]  # of the lr, of the weight decay


def declared_multipliers(model: nn.Module) -> dict[str, Multipliers]:
    """Full parameter name -> (lr multiplier, decay multiplier), from every module's plain attribute `hyper_multipliers`.

    Raises `InputError` for a name that is no parameter of its module.
    """
    declared: dict[str, Multipliers] = {}
    names = dict(model.named_parameters(remove_duplicate=False))
    for prefix, module in model.named_modules():
        for name, multipliers in vars(module).get("hyper_multipliers", {}).items():
            full_name = f"{prefix}.{name}" if prefix else name
            if full_name not in names:
                raise InputError(f"hyper_multipliers of {type(module).__name__} names {name!r}, which is not one of its parameters")
            declared[full_name] = multipliers
    return declared


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """The trained parameters, one group for each pair of multipliers: {"params", "lr_mult", "decay_mult"}."""
    declared = declared_multipliers(model)
    members: defaultdict[Multipliers, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members[declared.get(name, (1.0, 1.0))].append(parameter)
    return [{"params": params, "lr_mult": pair[0], "decay_mult": pair[1]} for pair, params in members.items()]


def ratios(groups: Sequence[Mapping[str, Any]]) -> list[Multipliers]:
    """Of a user's own parameter groups: each one's lr and weight decay as a share of the largest. A group at 0 stays at 0.

    What a group began with counts (`own_lr`), where a scheduler of theirs has set its lr since.
    """
    lrs = [own_lr(group) for group in groups]
    decays = [float(group["weight_decay"]) for group in groups]
    return list(zip(shares(lrs), shares(decays), strict=True))


def own_lr(group: Mapping[str, Any]) -> float:
    """The lr that the user gave: the maximum of a OneCycleLR, whose initial lr is a 25th of it; else the initial one, since a warm-up may
    have set the lr to 0 by now."""
    return float(next(group[key] for key in ("max_lr", "initial_lr", "lr") if isinstance(group.get(key), int | float | torch.Tensor)))


def own_momenta(group: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The largest and the smallest momentum that the user gave: a OneCycleLR has a cycle of its own for it, others have one value."""
    now = momentum_of(group)
    largest, least = group.get("max_momentum"), group.get("base_momentum")
    return (now, now) if now is None or largest is None or least is None else (float(largest), float(least))


def momentum_of(group: Mapping[str, Any]) -> float | None:
    """The momentum of a group, Adam's beta1; None where it has none."""
    if "betas" in group:
        return float(group["betas"][0])
    return float(group["momentum"]) if "momentum" in group else None


def shares(values: Sequence[float]) -> list[float]:
    """Each value's share of the largest; all 1 where all are 0.

    >>> shares([0.5, 0.25, 0.0]), shares([0.0, 0.0])
    ([1.0, 0.5, 0.0], [1.0, 1.0])
    """
    largest = max(values)
    return [value / largest for value in values] if largest > 0 else [1.0] * len(values)


@contextmanager
def at_rest(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """While weights are measured or kept: those of an optimizer that averages them are its averages. Of the others nothing changes."""
    if not hasattr(optimizer, "eval"):
        yield
        return
    optimizer.eval()
    try:
        yield
    finally:
        moving(optimizer)


def moving(optimizer: torch.optim.Optimizer) -> None:
    """Back to the weights at which gradients are taken, where an optimizer tells the two apart."""
    if hasattr(optimizer, "train"):
        optimizer.train()


def can_fuse(groups: list[dict[str, Any]]) -> bool:
    """Whether torch's one-kernel updates take these parameters."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    return all(parameter.is_floating_point() and parameter.device.type in FUSED_DEVICES for parameter in parameters)


@singledispatch
def set_hyper(optimizer: torch.optim.Optimizer, lr: float, momentum: float, weight_decay: float) -> None:
    """Set lr, momentum and weight decay for the next update, each group with its multipliers.

    Each optimizer's file registers its own, by the optimizer's class. This one serves a user's own: it finds momentum under its name.
    """
    set_lr_and_decay(optimizer, lr, weight_decay)
    for group in optimizer.param_groups:
        if "momentum" in group:
            group["momentum"] = float(momentum)
        elif "betas" in group:
            group["betas"] = (float(momentum), *group["betas"][1:])


def set_lr_and_decay(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float) -> None:
    """The part that is the same for all: lr and weight decay times each group's multipliers.

    As Python floats: numpy's, which schedules give, cannot be read back from a checkpoint with `weights_only`.
    """
    for group in optimizer.param_groups:
        group["lr"] = float(lr * group.get("lr_mult", 1.0))
        group["weight_decay"] = float(weight_decay * group.get("decay_mult", 1.0))
