"""Optimizer updates whose lr, momentum and weight decay are tensors: they change inside a CUDA graph, and differ between members.

Each updates one weight in place as `torch.optim`'s class of that name does (or ours), with the state that it keeps in `optimizer.state`.
Weights of K stacked members are (K, ...) and their numbers (K,); for one member both lose the K.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpcheck.optimizers.adamw import LARGEST_BETA1
from hpcheck.optimizers.sgd import CaffeSGD

State = dict[str, Tensor]


@dataclass(frozen=True)
class Hyper:
    """The numbers of one update: 0-d tensors, or (K,) for stacked members. lr and weight decay are before the groups' multipliers."""

    lr: Tensor
    momentum: Tensor
    weight_decay: Tensor

    def of(self, group: dict[str, Any], weight: Tensor) -> "Hyper":
        """As this group has them, in the shape that broadcasts over `weight`."""

        def broadcast(value: Tensor) -> Tensor:
            return value.reshape(value.shape + (1,) * (weight.ndim - value.ndim)) if value.ndim else value

        def times(value: Tensor, multiplier: float) -> Tensor:
            return value if multiplier == 1 else value * multiplier

        lr, decay = times(self.lr, group.get("lr_mult", 1.0)), times(self.weight_decay, group.get("decay_mult", 1.0))
        return Hyper(broadcast(lr), broadcast(self.momentum), broadcast(decay))


def sgd_(weight: Tensor, gradient: Tensor, state: State, hyper: Hyper, group: dict[str, Any]) -> None:
    """v <- m v + (g + wd w); w <- w - lr (g + wd w + m v), or without Nesterov w - lr v. A velocity of 0 is torch's first step."""
    push = torch.addcmul(gradient, weight, hyper.weight_decay)
    velocity = state["momentum_buffer"].mul_(hyper.momentum).add_(push)
    step = torch.addcmul(push, velocity, hyper.momentum) if group["nesterov"] else velocity
    weight.addcmul_(step, -hyper.lr)


def caffe_sgd_(weight: Tensor, gradient: Tensor, state: State, hyper: Hyper, group: dict[str, Any]) -> None:
    """v <- m v + lr (g + wd w), as `hpcheck.optimizers.sgd.caffe_update_` does."""
    push = torch.addcmul(gradient, weight, hyper.weight_decay) * hyper.lr
    velocity = state["velocity"].mul_(hyper.momentum).add_(push)
    weight.sub_(torch.addcmul(push, velocity, hyper.momentum) if group["nesterov"] else velocity)


def adamw_(weight: Tensor, gradient: Tensor, state: State, hyper: Hyper, group: dict[str, Any]) -> None:
    """AdamW with decoupled decay; momentum is beta1, and both bias corrections take the step's own betas."""
    beta1, beta2 = hyper.momentum.clamp(max=LARGEST_BETA1), group["betas"][1]
    step = state["step"].add_(1)
    step = step.reshape(step.shape + (1,) * (weight.ndim - step.ndim)) if step.ndim else step
    weight.mul_(1 - hyper.lr * hyper.weight_decay)
    average = state["exp_avg"].mul_(beta1).addcmul_(gradient, 1 - beta1)
    square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
    weight.sub_(hyper.lr / (1 - beta1**step) * average / root)


Update = Callable[[Tensor, Tensor, State, Hyper, dict[str, Any]], None]
UPDATES: dict[type[torch.optim.Optimizer], tuple[Update, tuple[str, ...]]] = {
    torch.optim.SGD: (sgd_, ("momentum_buffer",)),
    CaffeSGD: (caffe_sgd_, ("velocity",)),
    torch.optim.AdamW: (adamw_, ("step", "exp_avg", "exp_avg_sq")),
}


def update_of(optimizer: torch.optim.Optimizer) -> tuple[Update, tuple[str, ...]] | None:
    """The tensor-valued update of this optimizer and the names of what it keeps; None where there is none such."""
    return UPDATES.get(type(optimizer))


def state_of(optimizer: torch.optim.Optimizer, weight: Tensor, names: tuple[str, ...]) -> State:
    """What the optimizer keeps of `weight`, zeros before its first step; put into `optimizer.state`, where snapshots look for it."""
    kept = optimizer.state[weight]
    for name in names:
        if kept.get(name) is None:
            kept[name] = torch.zeros((), device=weight.device) if name == "step" else torch.zeros_like(weight)
    return {name: kept[name] for name in names}
