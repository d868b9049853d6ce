"""A scheduler of the script's own, which hpcheck's schedule replaces, must not end a training that is longer than it was made for."""

from typing import Any

from torch.optim.lr_scheduler import OneCycleLR


def outlast() -> None:
    """Have a OneCycleLR that is stepped beyond its length keep the values that there are, where it would raise: hpcheck sets them."""
    original = OneCycleLR.get_lr
    if getattr(original, "outlasts", False):
        return

    def lasting(scheduler: Any) -> list[Any]:
        if scheduler.last_epoch > scheduler.total_steps:
            return [group["lr"] for group in scheduler.optimizer.param_groups]
        found: list[Any] = original(scheduler)
        return found

    lasting.outlasts = True  # type: ignore[attr-defined]
    OneCycleLR.get_lr = lasting  # type: ignore[method-assign,assignment]
