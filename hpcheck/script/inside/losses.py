"""Training losses as a script told them, on their device until they are looked at: a look never makes a GPU wait for the newest update."""

from typing import Protocol

import torch
from torch import Tensor

from hpcheck.script.inside import ranks


class Sent(Protocol):
    """Losses on their way from a device."""

    def arrived(self) -> list[float]: ...


class Losses:
    """The losses of updates, each the mean over its batches and over all processes, in their order."""

    def __init__(self) -> None:
        self._told: list[list[Tensor]] = []  # of each update since the last look the losses of its batches
        self._under_way: list[Sent] = []
        self.add = self._told.append

    def look(self, wait: bool) -> list[float]:
        """The losses that nobody has looked at yet. On a GPU, unless told to wait, only those of the look before: they have arrived while
        later updates were made. All processes look at the same updates."""
        lag = 0
        if self._told:
            figures = ranks.averaged(_means(self._told))
            self._told.clear()
            self._under_way.append(sent(figures))
            lag = 0 if wait or figures.device.type == "cpu" else 1
        found: list[float] = []
        while len(self._under_way) > lag:
            found += self._under_way.pop(0).arrived()
        return found


def _means(told: list[list[Tensor]]) -> Tensor:
    """Each update's mean over its batches, in float32, (updates,)."""
    batches = len(told[0])
    if all(len(taken) == batches for taken in told):
        together = torch.stack([loss for taken in told for loss in taken]).float()
        return together if batches == 1 else together.view(-1, batches).mean(1)
    return torch.stack([torch.stack(taken).float().mean() for taken in told])


def sent(figures: Tensor) -> Sent:
    """Begin to copy figures to the CPU."""
    return FromGpu(figures) if figures.is_cuda else AtHand(figures)


class AtHand:
    """Losses on a CPU, or on a device that says nothing of its copies."""

    def __init__(self, figures: Tensor) -> None:
        self._figures = figures

    def arrived(self) -> list[float]:
        found: list[float] = self._figures.tolist()
        return found


class FromGpu:
    """A copy into pinned memory behind what the GPU computes, and the event that tells when it is there."""

    def __init__(self, figures: Tensor) -> None:
        self._host = figures.to("cpu", non_blocking=True)  # torch pins what it copies to so
        self._there = torch.cuda.Event()
        self._there.record()

    def arrived(self) -> list[float]:
        self._there.synchronize()
        found: list[float] = self._host.tolist()
        return found
