"""SGD with Nesterov or plain momentum, L2 weight decay; PyTorch's velocity, or Caffe's, which has the lr folded in."""

from typing import Any

import torch
from torch import Tensor

from hpcheck.errors import InputError
from hpcheck.optimizers.groups import can_fuse, set_hyper, set_lr_and_decay

# How it is searched (`plugins/search_space.py`). Momenta: Smith 2018, 5, item 3. Sweep, ours: every network of the paper diverges inside.
# Confirmed, ours: weight decays of the full trainings; the paper's grid for deep and shallow networks (4.4), a decade apart.
SEARCH = {"momenta": (0.9, 0.95, 0.97, 0.99), "sweep": (1e-5, 10.0), "confirmed": (1e-4, 1e-3, 1e-2)}
Number = float | Tensor
ZERO_MOMENTUM = 1e-20  # ours: torch keeps no velocity at momentum 0, so a schedule that leaves 0 would find a stale one


class CaffeSGD(torch.optim.Optimizer):
    """v <- m v + lr (g + wd w), then w <- w - v, or with Nesterov w <- w - ((1 + m) v_new - m v_old) (Smith 2018, eq. 2-3).

    At a constant lr and momentum it is PyTorch's SGD; while they move, a velocity gathered at a small lr stays small here.
    """

    def __init__(self, groups: list[dict[str, Any]], nesterov: bool = True) -> None:
        super().__init__(groups, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if "velocity" not in self.state[weight]:
                    self.state[weight]["velocity"] = torch.zeros_like(weight)
            velocities = [self.state[weight]["velocity"] for weight in weights]
            gradients = [weight.grad for weight in weights]
            caffe_update_(weights, gradients, velocities, group["lr"], group["momentum"], group["weight_decay"], nesterov=group["nesterov"])


def caffe_update_(
    weights: list[Tensor],
    gradients: list[Tensor],
    velocities: list[Tensor],
    lr: Number,
    momentum: Number,
    weight_decay: Number,
    *,
    nesterov: bool,
) -> None:
    """One update of `weights` and `velocities` in place; the numbers may be 0-d tensors, to live in a CUDA graph.

    Nesterov's step (1 + m) v_new - m v_old is m v_new + lr (g + wd w), because v_new - m v_old = lr (g + wd w).
    """
    pushes = list(torch._foreach_mul(weights, weight_decay))
    torch._foreach_add_(pushes, gradients)
    torch._foreach_mul_(pushes, lr)  # lr (g + wd w)
    torch._foreach_mul_(velocities, momentum)
    torch._foreach_add_(velocities, pushes)
    if nesterov:
        torch._foreach_add_(pushes, torch._foreach_mul(velocities, momentum))
        torch._foreach_sub_(weights, pushes)
    else:
        torch._foreach_sub_(weights, velocities)


@set_hyper.register(torch.optim.SGD)
@set_hyper.register(CaffeSGD)
def _set_hyper(optimizer: torch.optim.Optimizer, lr: float, momentum: float, weight_decay: float) -> None:
    set_lr_and_decay(optimizer, lr, weight_decay)
    for group in optimizer.param_groups:
        group["momentum"] = max(float(momentum), ZERO_MOMENTUM)


def build(groups: list[dict[str, Any]], *, nesterov: bool = True, velocity: str = "pytorch") -> torch.optim.Optimizer:
    """SGD over `groups` (`parameter_groups`). `velocity`: "pytorch" (v <- m v + g; w <- w - lr v) or "caffe" (lr inside v)."""
    if velocity == "caffe":
        return CaffeSGD(groups, nesterov)
    if velocity != "pytorch":
        raise InputError(f'optimizer sgd: velocity is {velocity!r}; allowed are "pytorch" and "caffe"')
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=nesterov, fused=can_fuse(groups))
