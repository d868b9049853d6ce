"""The digits as a task of one's own: the same examples in the same order as hpcheck's arrays give them."""

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor, nn

from hpcheck.engine.batches import BatchStream
from hpcheck.engine.objectives import accuracy, by_example, cross_entropy
from hpcheck.engine.pool import worker
from hpcheck.plugins import find
from tests.support.engine_runs import DIGITS

EVALUATED_AT_A_TIME = 128


class InOrder:
    """The batches of a run, without end."""

    def __init__(self, stream: BatchStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self.stream.batch(step) for step in count())


class Digits:
    metric = "accuracy"
    train_examples = 1078
    val_examples = 359

    def __init__(self, *, network: str = "mlp", **options: object) -> None:
        self.network, self.options = network, options
        self.data = worker.on_device(DIGITS, "cpu")[0]

    def build(self) -> nn.Module:
        build = find.load("models", self.network)
        model: nn.Module = build(self.data.prepared.input_shape, 10, **self.options)
        return model.to(memory_format=torch.channels_last)

    def loaders(self, batch_size: int, seed: int) -> tuple[object, ...]:
        stream = BatchStream(self.data, batch_size, seed, "none")
        return InOrder(stream), self.parts(self.data.val_x, self.data.val_y), self.parts(self.data.test_x, self.data.test_y)

    def parts(self, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
        return list(zip(x.split(EVALUATED_AT_A_TIME), y.split(EVALUATED_AT_A_TIME), strict=True))

    def training_step(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        return cross_entropy(model(x), y)

    def evaluate(self, model: nn.Module, loader: object) -> dict[str, object]:
        pairs = [(model(self.data.normalised(x)).float(), y) for x, y in loader]
        outputs, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        each = by_example(outputs, y, cross_entropy, accuracy)
        return {"loss": cross_entropy(outputs, y), "metric": accuracy(outputs, y), "losses": each["loss"], "scores": each["metric"]}
