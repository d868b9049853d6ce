"""AdamW: the paper's momentum is its beta1, and weight decay is decoupled from the gradient."""

from typing import Any

import torch

from hpcheck.optimizers.groups import can_fuse, set_hyper, set_lr_and_decay

# How it is searched (`plugins/search_space.py`), all ours. Momenta: 1cycle with Adam runs from 0.95 to 0.85. Weight decays: torch's
# default is 0.01; vision transformers use 0.05, language models 0.1.
SEARCH = {
    "momenta": (0.85, 0.9, 0.95),
    "sweep": (1e-6, 1.0),
    "weight_decays": (1e-1, 1e-2, 1e-3),
    "confirmed": (1e-3, 1e-2, 1e-1),
    "averages": True,
    "decoupled": True,
}
LARGEST_BETA1 = 1 - 1e-6  # ours: at 1 the bias correction 1 - beta1^t divides by 0


@set_hyper.register(torch.optim.AdamW)
def _set_hyper(optimizer: torch.optim.AdamW, lr: float, momentum: float, weight_decay: float) -> None:
    set_lr_and_decay(optimizer, lr, weight_decay)
    for group in optimizer.param_groups:
        group["betas"] = (min(float(momentum), LARGEST_BETA1), group["betas"][1])


def build(groups: list[dict[str, Any]], *, beta2: float = 0.999, eps: float = 1e-8) -> torch.optim.Optimizer:
    """AdamW over `groups` (`parameter_groups`)."""
    return torch.optim.AdamW(groups, betas=(0.9, beta2), eps=eps, fused=can_fuse(groups))
