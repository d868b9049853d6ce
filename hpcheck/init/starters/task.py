"""Your training as hpcheck sees it: one class, named in hpcheck.yaml as hpcheck_task:Task.

It trains as it stands, on scikit-learn's handwritten digits. Put your own in place of the bodies; the words in each say what hpcheck needs
of it. Keep keyword parameters of `__init__` for what you want to set in hpcheck.yaml (`task: {name: hpcheck_task:Task, width: 64}`).
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@cache  # read once: a task is made anew for each run
def digits() -> TensorDataset:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y))


class Task:
    metric = "accuracy"  # what `metric` below is called; say metric_is = "lower" where less is better

    def __init__(self, *, width: int = 32) -> None:
        self.width = width

    def build(self) -> nn.Module:
        """Return your model, freshly initialized."""
        return nn.Sequential(nn.Linear(64, self.width), nn.ReLU(), nn.Linear(self.width, 10))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return your optimizer, with any parameter groups. Its values are where the search starts. Without this method hpcheck.yaml's
        own `optimizer` is used."""
        return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, Any]:
        """Return (train, validation) or (train, validation, test): whatever gives your batches when it is iterated, anew each epoch."""
        data = digits()
        train, validation = torch.utils.data.Subset(data, range(1400)), torch.utils.data.Subset(data, range(1400, 1797))
        return DataLoader(train, batch_size, shuffle=True), DataLoader(validation, 256)

    def training_step(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the loss of a batch, its mean. The batch is on the device already; hpcheck makes the backward pass and the update."""
        x, y = batch
        return nn.functional.cross_entropy(model(x), y)

    def validation_step(self, model: nn.Module, batch: Any) -> dict[str, Any]:
        """Return loss, metric and count of a batch. One score for each example may be added: comparisons are then paired."""
        x, y = batch
        outputs = model(x)
        right = (outputs.argmax(1) == y).float()
        return {"loss": nn.functional.cross_entropy(outputs, y), "metric": right.mean(), "count": len(y), "scores": right}
