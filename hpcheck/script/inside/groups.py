"""The parameter groups of a user's optimizer: each keeps its ratio of lr and weight decay while hpcheck sets the largest."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from hpcheck.optimizers.adamw import LARGEST_BETA1
from hpcheck.optimizers.groups import momentum_of, own_lr, own_momenta, shares
from hpcheck.optimizers.sgd import ZERO_MOMENTUM
from hpcheck.script.job import ScriptError
from hpcheck.script.kinds import Hyper

WRAPPERS = ("accelerate.", "lightning.", "pytorch_lightning.", "lightning_fabric.")  # their optimizers hold the one that makes the steps
REFUSED = {"deepspeed": "DeepSpeed makes the updates itself", "colossalai": "Colossal-AI makes the updates itself"}
READ_BACK = 1e-9  # relative: a float that was set is read back as it was


def unwrapped(optimizer: Any) -> torch.optim.Optimizer:
    """The torch optimizer that makes the steps. Raises `ScriptError` for what cannot be followed, by name."""
    if isinstance(optimizer, list | tuple | dict):
        raise ScriptError(f"hpcheck.follow was given {len(optimizer)} optimizers; it follows one optimizer (with any parameter groups)")
    while type(optimizer).__module__.startswith(WRAPPERS) and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    name, module = type(optimizer).__name__, type(optimizer).__module__
    for package, why in REFUSED.items():
        if module.startswith(package):
            raise ScriptError(f"hpcheck.follow: {name} cannot be followed yet: {why}")
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ScriptError(f"hpcheck.follow was given a {name}, not a torch optimizer (None, with hp.hyper and hp.step, for anything else)")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ScriptError("hpcheck.follow: LBFGS cannot be followed: it makes several evaluations an update and chooses its own step")
    _refuse_sharded(optimizer)
    return optimizer


def _refuse_sharded(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if type(parameter).__name__ in ("FlatParameter", "DTensor") or type(parameter.data).__name__ == "DTensor":
                raise ScriptError("hpcheck.follow: FSDP (sharded parameters) cannot be followed yet; DDP can")


@dataclass(frozen=True)
class Base:
    """What a group had when the script handed it over, and its share of the largest."""

    lr: float
    weight_decay: float
    lr_ratio: float
    decay_ratio: float


class Groups:
    """Sets lr, momentum and weight decay of an optimizer's groups, and reads them back. Works on `optimizer.param_groups` as they are at
    each update: loading a state puts others in their place."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        groups = optimizer.param_groups
        missing = [key for key in ("lr", "weight_decay") if any(key not in group for group in groups)]
        if missing:
            raise ScriptError(f"hpcheck.follow: {type(optimizer).__name__} has no {missing[0]} in its parameter groups")
        if any(group["lr"] is None for group in groups):
            raise ScriptError(f"hpcheck.follow: {type(optimizer).__name__} chooses its own lr (it is None in its groups): give it one")
        lrs = [own_lr(group) for group in groups]
        decays = [float(group["weight_decay"]) for group in groups]
        ratios = zip(shares(lrs), shares(decays), strict=True)
        self.bases = [Base(lr, decay, *both) for lr, decay, both in zip(lrs, decays, ratios, strict=True)]
        self.largest = max(range(len(groups)), key=lambda at: self.bases[at].lr_ratio)
        self.momentum, self.least_momentum = own_momenta(groups[self.largest])
        self._floor = ZERO_MOMENTUM if isinstance(optimizer, torch.optim.SGD) else 0.0
        self._shares = [base.lr_ratio for base in self.bases]
        self._lrs: list[float] = []  # of each group, as they were set last: the very objects that lie in the groups
        self._decays: list[float] = []
        self._decay = math.nan  # what the decays were set for

    @property
    def kind(self) -> str:
        """The shipped optimizer that it is searched like."""
        return "adamw" if "betas" in self.optimizer.param_groups[self.largest] else "sgd"

    def set(self, lr: float, momentum: float, weight_decay: float) -> None:
        """Set them for the next update; lrs that are tensors are filled in place."""
        groups = self.optimizer.param_groups
        if len(groups) != len(self.bases):
            raise ScriptError(
                f"the optimizer has {len(groups)} parameter groups now, and had {len(self.bases)} when hpcheck.follow was called"
            )
        if weight_decay != self._decay:
            self._decay, self._decays = weight_decay, [weight_decay * base.decay_ratio for base in self.bases]
        self._lrs = [lr * share for share in self._shares]
        beta1 = momentum if momentum < LARGEST_BETA1 else LARGEST_BETA1
        momentum = momentum if momentum > self._floor else self._floor
        for group, its_lr, its_decay in zip(groups, self._lrs, self._decays, strict=True):
            if type(group["lr"]) is float:
                group["lr"] = its_lr
            else:
                _put(group, "lr", its_lr)
            if group["weight_decay"] is not its_decay:
                _put(group, "weight_decay", its_decay)
            if "betas" in group:
                _put_beta1(group, beta1)
            elif type(group.get("momentum")) is float:
                group["momentum"] = momentum
            elif "momentum" in group:
                _put(group, "momentum", momentum)

    def check(self) -> None:
        """Raise `ScriptError` where something else has set a group since."""
        for group, lr, decay in zip(self.optimizer.param_groups, self._lrs, self._decays, strict=False):
            if group["lr"] is not lr or group["weight_decay"] is not decay:  # tensors, and values that were put in anew
                _compare(group, "lr", lr)
                _compare(group, "weight_decay", decay)

    def now(self) -> Hyper:
        """The lr and momentum of the group with the largest lr, and the largest weight decay, as they are now."""
        group = self.optimizer.param_groups[self.largest]
        return Hyper(float(group["lr"]), momentum_of(group), max(float(one["weight_decay"]) for one in self.optimizer.param_groups))


def _compare(group: dict[str, Any], key: str, value: float) -> None:
    now = group[key]
    if isinstance(now, float) and abs(now - value) > READ_BACK * abs(value):
        raise ScriptError(f"the update was made with {key} {now:g}, and hpcheck had set {value:g}: something else sets it too")


def _put_beta1(group: dict[str, Any], value: float) -> None:
    beta1, beta2 = group["betas"]
    if isinstance(beta1, torch.Tensor):
        beta1.fill_(value)
    elif beta1 != value:
        group["betas"] = (value, beta2)


def _put(group: dict[str, Any], key: str, value: float) -> None:
    now = group.get(key)
    if isinstance(now, torch.Tensor):
        now.fill_(value)
    else:
        group[key] = value
