"""The processes of one training (torchrun, accelerate): who is first, and figures that all of them agree on."""

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist

from hpcheck.script.job import ScriptError


def is_up() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """This process's number: by the process group, else as the launcher told it."""
    return dist.get_rank() if is_up() else int(os.environ.get("RANK", "0"))


def size() -> int:
    return dist.get_world_size() if is_up() else 1


def refuse_apart() -> None:
    """Raise `ScriptError` where a launcher started several processes and they do not know of each other."""
    asked = int(os.environ.get("WORLD_SIZE", "1"))
    if asked > 1 and not is_up():
        raise ScriptError(f"{asked} processes were launched, and torch.distributed is not initialised when the first update is made")


def summed(values: Sequence[float]) -> list[float]:
    """The sums over all processes; of one process its own."""
    if not is_up():
        return list(values)
    figures = torch.tensor(values, dtype=torch.float32, device=_device())
    dist.all_reduce(figures)
    return [float(figure) for figure in figures.cpu()]


def averaged(figures: torch.Tensor) -> torch.Tensor:
    """The means over all processes, (N,); of one process its own. On the GPU they stay there."""
    if not is_up():
        return figures
    mine = figures.to(_device(), copy=True)
    dist.all_reduce(mine)
    return mine / size()


def of_first(values: Sequence[float]) -> list[float]:
    """What the first process says, in all of them."""
    if not is_up():
        return list(values)
    figures = torch.tensor(values, dtype=torch.float64 if _device().type != "mps" else torch.float32, device=_device())
    dist.broadcast(figures, 0)
    return [float(figure) for figure in figures.cpu()]


def of_all(values: Sequence[float]) -> list[list[float]]:
    """What each process says, in their order."""
    if not is_up():
        return [list(values)]
    mine = torch.tensor(values, dtype=torch.float64, device=_device())
    gathered = [torch.empty_like(mine) for _ in range(size())]
    dist.all_gather(gathered, mine)
    return [[float(figure) for figure in one.cpu()] for one in gathered]


def _device() -> torch.device:
    """Where figures lie for the process group's backend."""
    on_gpu = "nccl" in str(dist.get_backend()) and torch.cuda.is_available()
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
