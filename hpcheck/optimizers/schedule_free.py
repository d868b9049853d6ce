"""Schedule-free AdamW (Defazio et al. 2024), of the package schedulefree: it averages weights instead of letting the lr fall."""

from typing import Any

import torch

from hpcheck.errors import InputError
from hpcheck.optimizers.groups import set_hyper, set_lr_and_decay

SEARCH = {
    "momenta": (0.9, 0.95),
    "sweep": (1e-6, 1.0),
    "weight_decays": (1e-1, 1e-2, 1e-3),
    "confirmed": (1e-3, 1e-2, 1e-1),
    "averages": True,
    "decoupled": True,
}
OWN = {"lr": 0.0025, "momentum": 0.9, "weight_decay": 0.0}  # the package's own, for those who tune nothing


def build(groups: list[dict[str, Any]], *, beta2: float = 0.999, warmup_steps: int = 0) -> torch.optim.Optimizer:
    """AdamWScheduleFree over `groups` (`parameter_groups`). Raises `InputError` where the package is not installed."""
    try:
        from schedulefree import AdamWScheduleFree
    except ImportError:
        raise InputError("optimizer schedule_free needs the package schedulefree: pip install hpcheck[tuning-free]") from None
    optimizer: torch.optim.Optimizer = AdamWScheduleFree(groups, lr=OWN["lr"], betas=(OWN["momentum"], beta2), warmup_steps=warmup_steps)
    set_hyper.register(AdamWScheduleFree, _set_hyper)
    optimizer.train()  # type: ignore[attr-defined]
    return optimizer


def _set_hyper(optimizer: torch.optim.Optimizer, lr: float, momentum: float, weight_decay: float) -> None:
    set_lr_and_decay(optimizer, lr, weight_decay)
    for group in optimizer.param_groups:
        group["betas"] = (float(momentum), group["betas"][1])
