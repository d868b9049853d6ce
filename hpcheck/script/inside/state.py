"""Snapshots of a user's training: model and optimizer, or what the script itself saves, with what divergence is judged by."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpcheck.engine.snapshots import read_sealed, sealed
from hpcheck.runs.files import write_whole
from hpcheck.script.inside.levels import LossLevels
from hpcheck.script.job import ScriptError
from hpcheck.script.kinds import State

OTHER_STATE = 0.1  # ours, relative: evaluations that draw random numbers differ by less, those of untrained weights by more


class Snapshots:
    """Saves and loads the state of one script."""

    def __init__(self, model: Any, optimizer: torch.optim.Optimizer | None, state: State | None) -> None:
        self._model = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
        self._optimizer, self._own = optimizer, state
        self.possible = state is not None or (isinstance(model, nn.Module) and optimizer is not None)
        self._first_loaded: tuple[torch.Tensor, torch.Tensor] | None = None
        self._val_loss = math.nan  # of the evaluation when the loaded snapshot was taken

    def save(self, path: Path, step: int, levels: LossLevels, val_loss: float) -> None:
        """Write the state after `step` updates, where the evaluation gives this loss; the file appears whole or not at all."""
        if self._own is not None:
            kept = {"own": self._own[0]()}
        else:
            assert self._optimizer is not None
            kept = {"model": self._model.state_dict(), "optimizer": _plain(self._optimizer.state_dict())}
        write_whole(path, sealed({**kept, "step": step, "val_loss": val_loss, **levels.state()}))

    def load(self, path: Path, step: int) -> Mapping[str, Any]:
        """Put the state in `path` in place; returns it, for the levels in it. Raises `ScriptError` where it cannot be used."""
        try:
            state = read_sealed(path)
        except ValueError as error:
            raise ScriptError(f"{path}: the snapshot cannot be used ({error}); remove the record beside it, and it is made again") from None
        if state["step"] != step:
            raise ScriptError(f"{path}: the snapshot was taken after step {state['step']}, not {step}")
        self._val_loss = float(state.get("val_loss", math.nan))
        if self._own is not None:
            self._own[1](state["own"])
            return state
        assert self._optimizer is not None
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        first = next(iter(self._optimizer.param_groups[0]["params"]))
        self._first_loaded = first, first.detach().clone()
        return state

    def check(self) -> None:
        """Before the first update: raise `ScriptError` where the script has put other weights in place since."""
        if self._first_loaded is not None and not torch.equal(*self._first_loaded):
            raise ScriptError("the weights were changed after hpcheck.follow was called: call it after all that loads or initialises them")
        self._first_loaded = None

    def check_evaluation(self, val_loss: float) -> None:
        """Raise `ScriptError` where the evaluation says something else now than when the snapshot was taken."""
        if abs(val_loss - self._val_loss) > OTHER_STATE * abs(self._val_loss):
            raise ScriptError(
                f"the evaluation gives a loss of {val_loss:.4g} with the snapshot loaded, and gave {self._val_loss:.4g} when it was taken: "
                "it looks at more than model= (an average of the weights?); give state=(save, load), which holds all of it"
            )


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's state with plain numbers only: schedulers leave numpy's."""
    groups = [{key: _number(value) for key, value in group.items()} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def _number(value: Any) -> Any:
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value
