"""Weights and velocity of a run on disk, to continue from; tensors only, loaded with `weights_only=True`."""

import os
from pathlib import Path

import torch
from torch import nn

from hpcheck.records import StorageError


def save_snapshot(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, first_loss: float) -> None:
    """Write the state after `step` updates; the file appears whole or not at all."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "first_loss": first_loss}
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: the snapshot cannot be written ({error.strerror})") from error


def load_snapshot(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> float:
    """Put the state in `path` into `model` and `optimizer`; returns the training loss at that run's first step.

    Raises `StorageError` where the file is missing, damaged, of another architecture, or not of this step.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["step"] != step:
            raise ValueError(f"it was taken after step {state['step']}, not {step}")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:  # whatever a damaged file makes torch raise, it is one thing to the user
        raise StorageError(f"{path}: the snapshot cannot be used ({error})") from error
    return float(state["first_loss"])
