"""What a LightningModule logs in validation, as its Trainer would put it together: means over examples, and metrics that compute."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from hpcheck.plugins.user_errors import UsersCodeError

MEAN = ("mean", torch.mean, "avg")


class Logs:
    """The values that are logged between `begin` and `means`. What a step returns counts as logged where it is a loss."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open, self._size, self.examples = False, 1, 0
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._computed: dict[str, Any] = {}

    def watch(self, module: Any) -> None:
        """Have what this module logs come here: it has no Trainer to take it."""
        module.log, module.log_dict = self._log, self._log_dict

    def begin(self, module: Any) -> None:
        """A validation begins; metrics of the module begin anew."""
        self._open, self.examples = True, 0
        self._sums, self._weights, self._computed = {}, {}, {}
        _reset(module)

    def batch(self, size: int) -> None:
        """The next batch has so many examples."""
        self._size = size
        self.examples += size

    def returned(self, answer: Any) -> None:
        """What the validation step returned for this batch: a loss, where nothing of that name was logged."""
        loss = answer.get("loss") if isinstance(answer, Mapping) else answer
        if isinstance(loss, Tensor) and loss.numel() == 1:
            self._add("loss", loss, self._size)

    def means(self, module: Any) -> dict[str, float]:
        """What the validation came to, by name. Metrics of the module begin anew."""
        self._open = False
        found = {name: total / self._weights[name] for name, total in self._sums.items()}
        found |= {name: float(metric.compute()) for name, metric in self._computed.items()}
        _reset(module)
        return found

    def _log(self, name: str, value: Any, *_: Any, batch_size: int | None = None, reduce_fx: Any = "mean", **__: Any) -> None:
        if not self._open:
            return
        if _computes(value):
            self._computed[name] = value
            return
        if reduce_fx not in MEAN:
            raise UsersCodeError(
                f"task.lightning: {self._name} logs {name} with reduce_fx={reduce_fx!r}; hpcheck takes means over examples"
            )
        self._add(name, value, batch_size or self._size)

    def _log_dict(self, values: Mapping[str, Any], *arguments: Any, **options: Any) -> None:
        for name, value in values.items():
            self._log(name, value, *arguments, **options)

    def _add(self, name: str, value: Any, weight: float) -> None:
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            raise UsersCodeError(f"task.lightning: {self._name} logs {name} as a {type(value).__name__}; expected one number") from None
        self._sums[name] = self._sums.get(name, 0.0) + number * weight
        self._weights[name] = self._weights.get(name, 0.0) + weight


def _computes(value: Any) -> bool:
    """Whether a logged value is a metric that is put together at the end, such as torchmetrics'."""
    compute: Callable[[], Any] | None = getattr(value, "compute", None)
    return callable(compute) and callable(getattr(value, "reset", None))


def _reset(module: Any) -> None:
    for part in module.modules():
        if _computes(part):
            part.reset()
