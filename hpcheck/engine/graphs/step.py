"""K runs advanced as one computation, on a GPU one CUDA graph without a word from the host; tested on a CPU against loop.py.

The step reads everything that changes from tensors on the device: its own number, lr, momentum and weight decay, which examples come next
and how they are augmented. So it is the same step every time, and can be captured once and replayed. Members are *branches*, each with its
own network, on side streams. Weights and velocities are the members' own `model` and `optimizer.state` throughout, so that evaluations and
snapshots are loop.py's.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpcheck.engine.arrays import ArrayTraining
from hpcheck.engine.batches import BatchStream, draws, moved
from hpcheck.engine.graphs.grouping import COMPILED, may_draw, refusal_of
from hpcheck.engine.graphs.updates import Hyper, state_of, update_of
from hpcheck.engine.objectives import arithmetic
from hpcheck.engine.training import draws_random_numbers
from hpcheck.errors import InputError
from hpcheck.runs import schedules

BLOCK = 64  # steps whose examples and augmentation are sent to the device at a time
EAGER_STEPS = 3  # first steps of a graphed run, made one by one on a side stream: libraries choose their kernels in them
ALIGNED = 64  # weights of a flat tensor begin at multiples of so many, 256 bytes, as those that are allocated do


class RefusedError(InputError):
    """These runs cannot be computed together; the message names why. They are computed one by one instead."""


def refuse(trainings: Sequence[ArrayTraining]) -> None:
    """Raise `RefusedError` where the members' step is not a function of tensors on the device alone."""
    data = trainings[0].batches.data
    if not isinstance(data.train_x, Tensor):
        raise RefusedError("streamed images are not on the device")
    if data.is_image and data.train_x.shape[1:3] != data.prepared.input_shape[1:]:
        raise RefusedError("data.crop draws its places on the host")
    for training in trainings:
        spec = training.spec
        reason = refusal_of(spec)
        if reason is not None:
            raise RefusedError(reason)
        if any(not group["params"] for group in training.optimizer.param_groups):
            raise RefusedError(f"model {spec.model.name} has a group without weights")
        if draws_random_numbers(training.model, spec):
            raise RefusedError(may_draw(spec))
        if update_of(training.optimizer) is None:
            raise RefusedError(f"optimizer {spec.optimizer.name} has no update whose numbers are tensors (sgd and adamw have)")


class Block:
    """Examples and augmentation of the next `BLOCK` steps of one data order, on the device; `batch` takes what comes at `index`."""

    def __init__(self, stream: BatchStream) -> None:
        self.stream, self.data = stream, stream.data
        device = self.data.train_x.device
        assert isinstance(self.data.train_x, Tensor)  # `refuse` saw to it
        self.train_x = self.data.train_x
        self.rows = torch.zeros(BLOCK, stream.batch_size, dtype=torch.int64, device=device)
        self.draws = [torch.zeros(BLOCK, stream.batch_size, dtype=torch.from_numpy(drawn).dtype, device=device) for drawn in self._drawn(0)]

    def _drawn(self, step: int) -> list[Any]:
        return draws(self.stream.augment, self.stream.batch_size, np.random.default_rng([self.stream.seed, 1, step]))

    def fill(self, first: int, steps: int) -> None:
        """Put steps `first`, `first` + 1, ... in place."""
        self.rows[:steps] = self.stream.indices(first, steps).reshape(steps, -1)
        if self.draws:
            drawn = zip(*(self._drawn(first + index) for index in range(steps)), strict=True)
            for kept, numbers in zip(self.draws, drawn, strict=True):
                kept[:steps] = torch.from_numpy(np.stack(numbers))

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets at `index` (1,) of the block, as `BatchStream.batch` has them."""
        rows = self.rows.index_select(0, index).squeeze(0)
        x, drawn = self.train_x.index_select(0, rows), [kept.index_select(0, index).squeeze(0) for kept in self.draws]
        return self.data.normalised(moved(x, *drawn) if drawn else x), self.data.train_y.index_select(0, rows)


class Together:
    """K members at the same step. `advance` makes updates; `losses` (K, T) has the training loss of each, on the device."""

    def __init__(self, trainings: Sequence[ArrayTraining], mode: str) -> None:
        refuse(trainings)
        self.trainings, self.mode = list(trainings), mode
        for training in trainings:
            in_parts(training.model, training.share.part)
        spec, device = trainings[0].spec, trainings[0].batches.data.train_x.device
        self.device, self.first = device, spec.at_step
        count = spec.steps - spec.at_step

        def numbers(values: Sequence[Any]) -> Tensor:
            return torch.from_numpy(np.array(values, dtype=np.float32)).to(device)

        scheduled = [[schedules.values(of, count) for of in (one.spec.lr, one.spec.momentum)] for one in trainings]
        self.scheduled = numbers(scheduled).permute(1, 0, 2).contiguous()  # (2, K, T): lrs and momenta
        self.decays = numbers([one.spec.weight_decay for one in trainings])  # (K,)
        self.losses = torch.full((len(trainings), count), torch.nan, device=device)
        self.blocks: dict[int, Block] = {one.spec.seed: Block(one.batches) for one in trainings}  # by data order
        self.done = 0
        self._at, self._in_block = (torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2))
        self._members = Branches(self)
        self._graph: torch.cuda.CUDAGraph | None = None

    def advance(self, steps: int) -> None:
        """Make so many updates of every member."""
        for _ in range(steps):
            if self.done % BLOCK == 0:
                left = self.losses.shape[1] - self.done
                for block in self.blocks.values():
                    block.fill(self.first + self.done, min(BLOCK, left))
                self._in_block.zero_()
            self._one()
            self.done += 1

    def _one(self) -> None:
        if self.device.type != "cuda":
            self._step()
            return
        with torch.cuda.device(self.device):  # streams and graphs are those of the current one
            if self.done < EAGER_STEPS:
                side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    self._step()
                torch.cuda.current_stream().wait_stream(side)
                return
            if self._graph is None:
                self._graph = self._captured()
            self._graph.replay()

    def _captured(self) -> torch.cuda.CUDAGraph:
        """The step as a graph; nothing is computed yet. A capture that fails leaves the current stream as it was."""
        graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.Stream()):  # type: ignore[no-untyped-call]
                self._step()
        except BaseException:
            torch.cuda.set_stream(before)
            raise
        return graph

    def _step(self) -> None:
        """One update of every member, from tensors on the device alone."""
        batches = {seed: block.batch(self._in_block) for seed, block in self.blocks.items()}
        lr, momentum = self.scheduled.index_select(2, self._at).squeeze(2)  # (K,)
        losses = self._members.step(batches, Hyper(lr, momentum, self.decays))  # (K,)
        self.losses.index_copy_(1, self._at, losses.unsqueeze(1))
        self._at.add_(1)
        self._in_block.add_(1)


def in_parts(model: nn.Module, size: int) -> None:
    """Have BatchNorm layers see a training batch in parts of `size`, in turn, as they would if each part passed the network by itself.

    Nothing else in hpcheck's own networks joins examples, so convolutions take the whole batch at once: a third of the kernels.
    """

    def parted(layer: _BatchNorm) -> Callable[[Tensor], Tensor]:
        whole = layer.forward

        def forward(x: Tensor) -> Tensor:
            if not layer.training or len(x) <= size:
                return whole(x)
            return torch.cat([whole(part) for part in torch.split(x, size)])

        return forward

    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = parted(layer)  # type: ignore[method-assign, assignment]


def loss_of(training: ArrayTraining, forward: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Training loss of a batch in the run's precision, as loop.py's `update` has it."""
    with arithmetic(x.device, training.spec.precision):
        return training.loss(forward(x), y)  # ours are means over examples, so that it is the mean of the parts' too


class Flat:
    """All weights of one optimizer group, of all members, as one (K, P) tensor, of which they and what the optimizer keeps of them are
    views: so an update is a handful of kernels however many weights and members there are."""

    def __init__(self, trainings: Sequence[ArrayTraining], number: int, names: tuple[str, ...]) -> None:
        self.members = [training.optimizer.param_groups[number] for training in trainings]  # their groups
        self.group = self.members[0]
        self.sizes = [weight.numel() for weight in self.group["params"]]
        self.starts = np.cumsum([0, *(-(-size // ALIGNED) * ALIGNED for size in self.sizes)]).tolist()  # of each weight
        first = self.group["params"][0]
        self.weight, self.gradient = (first.new_zeros(len(trainings), self.starts[-1]) for _ in range(2))
        self.state = {name: first.new_zeros(len(trainings), *([] if name == "step" else [self.starts[-1]])) for name in names}
        self.gradients = [self._views(self.gradient, index) for index in range(len(trainings))]
        for index, (training, group) in enumerate(zip(trainings, self.members, strict=True)):
            kept = [state_of(training.optimizer, weight, names) for weight in group["params"]]
            for name, flat in self.state.items():
                places = [flat[index]] * len(kept) if name == "step" else self._views(flat, index)
                for weight, state, place in zip(group["params"], kept, places, strict=True):
                    training.optimizer.state[weight][name] = place.copy_(state[name])
            for weight, place in zip(group["params"], self._views(self.weight, index), strict=True):
                weight.data = place.copy_(weight.detach())

    def _views(self, flat: Tensor, member: int) -> list[Tensor]:
        """The part of each weight in the member's row, laid out in memory as the weight is."""
        places = []
        for weight, start, size in zip(self.group["params"], self.starts[:-1], self.sizes, strict=True):
            order, back = memory_order(weight)
            places.append(flat[member, start : start + size].view(weight.permute(order).shape).permute(back))
        return places


class Branches:
    """Each member with its own network; on a GPU each on a stream of its own, so that small kernels of several run side by side."""

    def __init__(self, group: Together) -> None:
        self.trainings = group.trainings
        found = update_of(group.trainings[0].optimizer)
        assert found is not None  # `refuse` saw to it
        self.update, names = found
        self.flats = [Flat(self.trainings, number, names) for number in range(len(self.trainings[0].optimizer.param_groups))]
        models = [training.model for training in self.trainings]
        self.forwards = [torch.compile(model) for model in models] if group.mode == COMPILED else models
        on_gpu = group.device.type == "cuda"
        self.streams = [torch.cuda.Stream(group.device) for _ in self.trainings] if on_gpu else []  # type: ignore[no-untyped-call]

    def step(self, batches: dict[int, tuple[Tensor, Tensor]], hyper: Hyper) -> Tensor:
        losses = []
        main = torch.cuda.current_stream() if self.streams else None
        for index, training in enumerate(self.trainings):
            if main is not None:
                self.streams[index].wait_stream(main)
            with torch.cuda.stream(self.streams[index]) if self.streams else nullcontext():
                loss = loss_of(training, self.forwards[index], *batches[training.spec.seed])
                weights = [weight for flat in self.flats for weight in flat.members[index]["params"]]
                gradients = list(torch.autograd.grad(loss, weights))
                with torch.no_grad():
                    torch._foreach_copy_([place for flat in self.flats for place in flat.gradients[index]], gradients)
                losses.append(loss.detach())
        for stream in self.streams:
            assert main is not None
            main.wait_stream(stream)
        with torch.no_grad():
            for flat in self.flats:
                self.update(flat.weight, flat.gradient, flat.state, hyper.of(flat.group, flat.weight), flat.group)
        return torch.stack(losses)


def memory_order(tensor: Tensor) -> tuple[list[int], list[int]]:
    """The axes from the one with the largest stride to the smallest, and how to put them back."""
    strides = tensor.stride()
    order = sorted(range(tensor.ndim), key=lambda axis: (-strides[axis], axis))
    return order, [order.index(axis) for axis in range(tensor.ndim)]
