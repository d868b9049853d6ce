"""Prodigy (Mishchenko and Defazio 2023), of the package prodigyopt: it finds the size of its steps itself, and the lr only scales them."""

from typing import Any

import torch

from hpcheck.errors import InputError

SEARCH = {
    "momenta": (0.9, 0.95),
    "sweep": (1e-3, 100.0),
    "weight_decays": (1e-1, 1e-2, 1e-3),
    "confirmed": (1e-3, 1e-2, 1e-1),
    "averages": True,
    "decoupled": True,
}
OWN = {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0}  # the package's own, for those who tune nothing


def build(groups: list[dict[str, Any]], *, beta2: float = 0.999) -> torch.optim.Optimizer:
    """Prodigy over `groups` (`parameter_groups`). Raises `InputError` where the package is not installed."""
    try:
        from prodigyopt import Prodigy
    except ImportError:
        raise InputError("optimizer prodigy needs the package prodigyopt: pip install hpcheck[tuning-free]") from None
    made: torch.optim.Optimizer = Prodigy(groups, lr=OWN["lr"], betas=(OWN["momentum"], beta2))
    return made
