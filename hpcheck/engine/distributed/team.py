"""The processes that compute one run together, one a device: what each takes of a batch, what they add up, and which of them writes.

Alone, every function here is the identity. Together, each process holds the whole model and takes its rows of every batch; gradients are
averaged by torch's DistributedDataParallel; the first process alone writes. All take every decision together: where one goes on and
another stops, both hang.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from hpcheck.engine.distributed.syncnorm import synchronised
from hpcheck.engine.snapshots import unpacked
from hpcheck.errors import InputError
from hpcheck.runs.spec import can_be_cut

# torch 2.14 has another name for it, and warns of the old one
BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in signature(DistributedDataParallel).parameters else "broadcast_buffers"
Part = TypeVar("Part", bound=Sized)


_apart: list[bool] = []


def size() -> int:
    """How many processes compute a run."""
    return dist.get_world_size() if dist.is_initialized() and not _apart else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def apart() -> Iterator[None]:
    """Within the body each process is by itself: what one of them cannot do keeps none waiting."""
    _apart.append(True)
    try:
        yield
    finally:
        _apart.pop()


def is_first() -> bool:
    """Whether this process writes: records, checkpoints and snapshots are the first one's alone."""
    return rank() == 0


class Share:
    """How a batch is cut: into `splits` equal parts for BatchNorm, of which each process takes as many consecutive ones.

    With fewer parts than processes (1: BatchNorm over the whole batch) every process takes one and the statistics are synchronised.
    """

    def __init__(self, batch_size: int, splits: int) -> None:
        self.batch_size = batch_size
        parts = max(splits, size())
        self.part = -(-batch_size // parts)  # the last part is smaller where they do not come out even, as `Tensor.chunk` has it
        self.parts_here = parts // size()
        if not can_be_cut(batch_size, parts):
            raise InputError(f"a batch of {batch_size} cannot be cut into {parts} parts: take a larger total batch size, or fewer devices")
        if parts % size() or splits not in (1, parts):
            raise InputError(
                f"run.bn_splits is {splits}, but run.devices is {size()}; take a multiple of it, or 1 to synchronise the statistics"
            )

    @property
    def rows(self) -> slice:
        """This process's rows of a batch."""
        mine = self.part * self.parts_here
        return slice(rank() * mine, (rank() + 1) * mine)

    def pieces(self, x: Tensor, y: Tensor) -> list["Piece"]:
        """This process's rows `x`, `y` of a batch in their parts."""
        parts = list(zip(torch.split(x, self.part), torch.split(y, self.part), strict=True))
        first, last = rank() * self.parts_here, len(parts) - 1
        return [
            Piece(x=inputs, y=targets, number=first + number, weight=len(targets) * size() / self.batch_size, is_last=number == last)
            for number, (inputs, targets) in enumerate(parts)
        ]

    @property
    def is_first(self) -> bool:
        return is_first()

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the processes, in place."""
        return mean(value)


@dataclass(frozen=True)
class Piece:
    """A part of a batch: its rows, its number in the whole batch, and its weight in the mean over all processes and parts."""

    x: Tensor
    y: Tensor
    number: int
    weight: float
    is_last: bool

    def held_back(self, forward: nn.Module) -> AbstractContextManager[None]:
        """Gradients of all parts but the last wait: one exchange a step."""
        return forward.no_sync() if isinstance(forward, DistributedDataParallel) and not self.is_last else nullcontext()


def joined(model: nn.Module, batch_size: int, splits: int) -> tuple[Share, nn.Module]:
    """How this process takes part in a run: its share of each batch, and the model as a training step calls it."""
    return Share(batch_size, splits), wrapped(model, splits)


def wrapped(model: nn.Module, splits: int) -> nn.Module:
    """The model as it is called in a training step: gradients averaged over the processes, BatchNorm as `splits` says.

    Buffers are each process's own, as the paper's were; the first one's are saved.
    """
    if size() == 1:
        return model
    if splits == 1:
        synchronised(model)
    device = next(model.parameters()).device
    own_buffers: dict[str, Any] = {BUFFERS: False}
    return DistributedDataParallel(model, [device] if device.type == "cuda" else None, gradient_as_bucket_view=True, **own_buffers)


def mean(value: Tensor) -> Tensor:
    """The mean over the processes, in place."""
    if size() > 1:
        dist.all_reduce(value)
        value /= size()
    return value


def averaged(layers: Iterable[_BatchNorm]) -> None:
    """The layers' running statistics averaged over the processes, in place."""
    if size() > 1:
        for layer in layers:
            for buffer in (layer.running_mean, layer.running_var):
                if buffer is not None:
                    mean(buffer)


def over_all(parts: Sequence[Part], outputs: Callable[[Part], Tensor]) -> Tensor:
    """`outputs` of all parts, in order, as (N, ...): each process computes its share of them and all get everything."""
    count = -(-len(parts) // size())
    shares = [parts[first : first + count] for first in range(0, count * size(), count)]
    here = torch.cat([outputs(part) for part in shares[rank()]]) if shares[rank()] else outputs(parts[0])[:0]
    if size() == 1:
        return here
    rows = [sum(map(len, share)) for share in shares]
    padded = torch.zeros(max(rows), *here.shape[1:], dtype=here.dtype, device=here.device)
    padded[: len(here)] = here
    everyones = [torch.empty_like(padded) for _ in rows]
    dist.all_gather(everyones, padded)
    return torch.cat([found[:wanted] for found, wanted in zip(everyones, rows, strict=True)])


def agreed(word: int) -> int:
    """The largest word that any process says: what all of them do next."""
    if size() == 1:
        return word
    said = torch.tensor(word)  # on the CPU, through gloo: no GPU waits for it
    dist.all_reduce(said, dist.ReduceOp.MAX)
    return int(said)


def all_say(yes: bool) -> bool:
    """Whether every process says so."""
    return not agreed(int(not yes))


def told(value: Any) -> Any:
    """The first process's value, in all of them."""
    if size() == 1:
        return value
    said = [value if is_first() else None]
    dist.broadcast_object_list(said, src=0, device=torch.device("cpu"))
    return said[0]


def put_as_first(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Weights, buffers and optimizer state of the first process in all of them."""
    if size() == 1:
        return
    for value in model.state_dict().values():
        dist.broadcast(value, src=0)
    file = io.BytesIO()
    if is_first():
        torch.save(optimizer.state_dict(), file)
    content = told(file.getvalue())
    if not is_first():
        optimizer.load_state_dict(unpacked(content))


class Unwritten:
    """A record as the processes that do not write have it."""

    rows = 0

    def __init__(self, run_id: str, environment: Mapping[str, Any]) -> None:
        self.run_id, self.environment = run_id, environment

    def keep(self, rows: int) -> None: ...
    def row(self, **values: float) -> None: ...
    def finish(self, status: str, result: Mapping[str, Any]) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...
