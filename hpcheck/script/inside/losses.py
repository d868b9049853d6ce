"""Training losses as a script told them, on their device until they are looked at: a look never makes a GPU wait for the newest update."""

from typing import Protocol

import torch
from torch import Tensor

from hpcheck.script.inside import ranks
from hpcheck.script.job import ScriptError

Loss = float | Tensor  # a number where it is on a CPU: taking it waits for nothing there


class Sent(Protocol):
    """Losses on their way from a device."""

    def arrived(self) -> list[float]: ...


def taken(value: object) -> Loss:
    """The loss of a batch as it is now: a script may change its tensor in place, or compute the next one into it."""
    if not isinstance(value, Tensor):
        return float(value)  # type: ignore[arg-type]  # whatever is a number
    if value.numel() != 1:
        raise ScriptError(f"hp.loss was given {value.numel()} values; it takes one, the mean over the batch")
    return value.item() if value.is_cpu else value.detach().clone().view(())


class Losses:
    """The losses of updates, each the mean over its batches and over all processes, in their order."""

    def __init__(self) -> None:
        self._told: list[list[Loss]] = []  # of each update since the last look the losses of its batches
        self._under_way: list[Sent] = []
        self._several: bool | None = None  # whether there are several processes; None until the first look
        self.add = self._told.append

    def look(self, wait: bool) -> list[float]:
        """The losses that nobody has looked at yet. On a GPU, unless told to wait, only those of the look before: they have arrived while
        later updates were made. All processes look at the same updates."""
        if self._several is None:
            self._several = ranks.is_up()  # once the first update is made it does not change
        told, lag = self._told.copy(), 0
        self._told.clear()
        numbers: list[float] = []
        if any(isinstance(loss, Tensor) for losses in told for loss in losses):
            self._under_way.append(sent(ranks.averaged(_means(told))))
            lag = 0 if wait else 1
        else:
            numbers = [losses[0] if len(losses) == 1 else sum(losses) / len(losses) for losses in told]  # type: ignore[misc]
            if numbers and self._several:
                numbers = ranks.averaged(torch.tensor(numbers)).tolist()
        found: list[float] = []
        while len(self._under_way) > lag:
            found += self._under_way.pop(0).arrived()
        return found + numbers


def _means(told: list[list[Loss]]) -> Tensor:
    """Each update's mean over its batches, in float32, (updates,), on the device where the first of them is."""
    device = next(loss.device for losses in told for loss in losses if isinstance(loss, Tensor))
    each = [[torch.as_tensor(loss, dtype=torch.float32, device=device) for loss in losses] for losses in told]
    if all(len(losses) == 1 for losses in each):
        return torch.stack([losses[0] for losses in each])
    return torch.stack([torch.stack(losses).mean() for losses in each])


def sent(figures: Tensor) -> Sent:
    """Begin to copy figures to the CPU."""
    return FromGpu(figures) if figures.is_cuda else FromElsewhere(figures)


class FromElsewhere:
    """Losses on a device that says nothing of its copies: they are fetched as late as can be."""

    def __init__(self, figures: Tensor) -> None:
        self._figures = figures

    def arrived(self) -> list[float]:
        found: list[float] = self._figures.tolist()
        return found


class FromGpu:
    """A copy into pinned memory behind what the GPU computes, and the event that tells when it is there."""

    def __init__(self, figures: Tensor) -> None:
        self._host = figures.to("cpu", non_blocking=True)  # torch pins what it copies to so
        self._there = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._there.record()

    def arrived(self) -> list[float]:
        self._there.synchronize()
        found: list[float] = self._host.tolist()
        return found
