"""Weights and optimizer state of a run on disk: tensors and plain values only, with a hash at the end, loaded with `weights_only=True`."""

import hashlib
import io
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpcheck.engine.divergence import Levels
from hpcheck.files.regular import read_whole
from hpcheck.runs.files import StorageError, naming, write_whole

SEAL = b"\n#sha256 "  # ends the file, followed by the hash of all before it: torch.load takes most flipped bits for weights


def save_snapshot(path: Path, state: Mapping[str, Any], step: int, levels: Levels) -> None:
    """Write the state after `step` updates; the file appears whole or not at all. Raises `StorageError`."""
    write_whole(path, sealed({**state, "step": step, **levels.state()}))


def load_snapshot(path: Path, put: Callable[[Mapping[str, Any]], None], step: int) -> dict[str, Any]:
    """Hand the state in `path` to `put`; returns it, for the levels that it holds.

    Raises `StorageError` where the file is missing, damaged, of another architecture, or not of this step.
    """
    try:
        state = read_sealed(path)
        if state["step"] != step:
            raise ValueError(f"it was taken after step {state['step']}, not {step}")
        put(state)
    except (ValueError, KeyError, TypeError) as error:
        remedy = f"remove {path.with_suffix('.jsonl').name} beside it, and the run that leaves it is made again"
        raise StorageError(f"{path}: the snapshot cannot be used ({error}); {remedy}") from error
    return state


def put(state: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights and optimizer state in place. Raises `ValueError` where they are another model's or optimizer's."""
    groups, ours = state["optimizer"]["param_groups"], optimizer.state_dict()["param_groups"]
    if [group.keys() for group in groups] != [group.keys() for group in ours]:
        raise ValueError("it is of another optimizer")
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except RuntimeError as error:
        raise ValueError(f"it is of another model: {' '.join(str(error).split())[:200]}") from error


def sealed(state: dict[str, Any]) -> bytes:
    """The state as torch saves it, with its hash at the end; `torch.load` reads it as it is."""
    file = io.BytesIO()
    torch.save(_alone(state), file)
    digest = hashlib.sha256(file.getbuffer()).hexdigest()
    file.write(SEAL + digest.encode())
    return file.getvalue()


def _alone(value: Any) -> Any:
    """The same with tensors of their own where they are part of a larger one, which torch would save whole: a member's of a group."""
    if isinstance(value, torch.Tensor):
        return value.clone() if value.untyped_storage().nbytes() > value.numel() * value.element_size() else value
    if isinstance(value, dict):
        alone = copy(value)  # a state_dict has attributes
        alone.update((key, _alone(each)) for key, each in value.items())
        return alone
    return [_alone(each) for each in value] if isinstance(value, list) else value


def unpacked(saved: bytes) -> Any:
    """What `torch.save` wrote: tensors and plain values, never objects."""
    return torch.load(io.BytesIO(saved), map_location="cpu", weights_only=True)


def read_sealed(path: Path) -> dict[str, Any]:
    """What was sealed in `path`. Raises `ValueError` where it is torn, altered or something else, or `StorageError`."""
    with naming(path, "read"):
        content = read_whole(path)
    saved, seal, digest = content.rpartition(SEAL)
    if not seal or hashlib.sha256(saved).hexdigest().encode() != digest:
        raise ValueError("it is damaged")
    try:
        state = unpacked(saved)
    except Exception:  # whatever torch says, none of ours wrote it
        state = None
    if not isinstance(state, dict):
        raise ValueError("it holds something else than tensors and plain values")
    return state
