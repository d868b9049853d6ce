"""Losses and metrics by name, and evaluation of a model on part of the data."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpcheck.data.arrays import IGNORED
from hpcheck.engine.batches import BatchStream, Images, OnDevice
from hpcheck.engine.distributed import team
from hpcheck.plugins import find
from hpcheck.plugins.user_errors import in_one_line

Objective = Callable[[Tensor, Tensor], Tensor]
EVAL_BATCH_CPU, EVAL_BATCH_GPU = 128, 2048  # measured on CPU: about 128 images at a time are evaluated fastest
EVAL_PIXELS = 2048 * 64 * 64  # ours: of the images evaluated at a time; larger ones go in fewer at a time, for their activations' sake
BN_EXAMPLES = 512  # ours: over so many training examples BatchNorm statistics are taken anew; 128 cost a point of accuracy on small images
BN_FEWEST, BN_MOST = 4, 64  # ours: batches of them, however large or small they are


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of (N, K) or (N, T, K) outputs whose largest entry is the target class or token; `IGNORED` targets do not count."""
    right = outputs.argmax(-1) == targets
    return right.float().mean() if targets.ndim == 1 else right.sum() / (targets != IGNORED).sum()


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """Coefficient of determination: 1 - squared error / variance of the targets."""
    outputs = outputs.reshape(targets.shape)
    return 1 - ((targets - outputs) ** 2).sum() / ((targets - targets.mean(0)) ** 2).sum()


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error; outputs (N, 1) serve targets (N,)."""
    return F.mse_loss(outputs.reshape(targets.shape), targets)


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of (N, K) outputs and (N,) classes, or of (N, T, K) outputs and (N, T) tokens; `IGNORED` ones do not count."""
    return F.cross_entropy(outputs.flatten(0, -2), targets.flatten(), ignore_index=IGNORED)


LOSSES: dict[str, Objective] = {"cross_entropy": cross_entropy, "mse": mse}
METRICS: dict[str, Objective] = {"accuracy": accuracy, "r2": r2}
DEFAULTS = {"classes": ("cross_entropy", "accuracy"), "tokens": ("cross_entropy", "accuracy"), "regression": ("mse", "r2")}


def objectives(loss: str, metric: str, task: str) -> tuple[Objective, Objective]:
    """The loss and the metric of a run; "auto" chooses by the kind of targets, `pkg.module:function` is the user's own."""
    default_loss, default_metric = DEFAULTS[task]
    return _find(loss, default_loss, LOSSES), _find(metric, default_metric, METRICS)


def _find(name: str, default: str, shipped: dict[str, Objective]) -> Objective:
    if find.is_users_own(name):
        kind = "loss" if shipped is LOSSES else "metric"
        return partial(_called, f"{kind} {name}", find.load("models", name))
    return shipped[default if name == "auto" else name]


def in_own_unit(metric: Objective, name: str, data: OnDevice) -> Objective:
    """The user's own metric as `InOwnUnit` where targets are standardized; else as it is: R2 has no unit."""
    units = data.prepared.targets
    if units is None or not find.is_users_own(name):
        return metric
    mean, deviation = (torch.from_numpy(values).to(data.train_y.device) for values in (units.mean, units.deviation))
    return InOwnUnit(metric, mean, deviation)


def _called(name: str, function: Objective, outputs: Tensor, targets: Tensor) -> Tensor:
    """What the user's function answers. Raises `UsersCodeError`, one line with its file and line, where it raises."""
    try:
        return function(outputs, targets)
    except Exception as error:
        raise in_one_line(name, error) or error from None


@dataclass(frozen=True)
class Negated:
    """The metric where no automatic one fits: the loss with its sign turned, so that more is better and the loss decides."""

    loss: Objective

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Minus the loss of these outputs."""
        return -self.loss(outputs, targets)


@dataclass(frozen=True)
class InOwnUnit:
    """The user's own metric where targets are standardized (`data.targets`): it is given outputs and targets in their own unit.

    Outputs that are not one value for each target, such as a mean and a deviation, stay standardized, and the targets with them.
    """

    metric: Objective
    mean: Tensor  # () or (K,)
    deviation: Tensor

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The metric of outputs (N,), (N, 1) or (N, K) and targets (N,) or (N, K)."""
        if outputs.numel() != targets.numel():
            return self.metric(outputs, targets)
        return self.metric(outputs * self.deviation + self.mean, targets * self.deviation + self.mean)


def arithmetic(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which a model computes in `precision`: "fp32", or "bf16" by autocast, the weights staying fp32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def evaluate(model: nn.Module, x: Images, y: Tensor, data: OnDevice, loss: Objective, metric: Objective) -> tuple[float, float]:
    """Loss and metric of the model in evaluation mode over all of `x`, stored values (N, ...), and `y` (N, ...)."""
    outputs = predicted(model, x, data)
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        return float(loss(outputs, y)), float(metric(outputs, y))


def predicted(model: nn.Module, x: Images, data: OnDevice) -> Tensor:
    """The model's outputs in evaluation mode over all of `x`, in fp32; (N, ...). It is put back into training mode."""
    batch = EVAL_BATCH_GPU if x.is_cuda else EVAL_BATCH_CPU
    if data.is_image:
        batch = max(1, min(batch, EVAL_PIXELS // (x.shape[1] * x.shape[2])))
    model.eval()
    with torch.no_grad():
        outputs = team.over_all(x.split(batch), lambda part: model(data.normalised(part)).float())
    model.train()
    return outputs


def by_example(outputs: Tensor, targets: Tensor, loss: Objective, metric: Objective) -> dict[str, Tensor]:
    """Loss and metric of each example, (N,) each, as "loss" and "metric": of those that are means over examples. Of r2, which is none, the
    loss says it all; tokens and the user's own objectives have neither."""
    found = {}
    if loss is cross_entropy and targets.ndim == 1:
        found["loss"] = F.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="none")
    if loss is mse:
        found["loss"] = (
            ((outputs.reshape(targets.shape) - targets) ** 2).flatten(1).mean(1)
            if targets.ndim > 1
            else ((outputs.reshape(targets.shape) - targets) ** 2)
        )
    if metric is accuracy and targets.ndim == 1:
        found["metric"] = (outputs.argmax(-1) == targets).float()
    return found


@contextmanager
def fresh_batchnorm(model: nn.Module, batches: BatchStream, step: int, splits: int = 1) -> Iterator[None]:
    """BatchNorm statistics estimated anew over a few training batches, for an evaluation; what the training run had is put back after.
    Where a batch passes in `splits` parts, each counts by itself, as in training.

    Running averages lag behind the weights while the lr is large, and the validation loss then spikes with nothing wrong
    (640 was seen; docs/design.md, "Short ramps lie").
    Layers that the model keeps in evaluation mode are left alone: their statistics are meant to stay.
    """
    share = team.Share(batches.batch_size, splits)

    def pass_batches() -> None:
        with torch.no_grad():
            for index in range(bn_batches(batches.batch_size, step)):
                for part in torch.split(batches.batch(max(step - 1 - index, 0), share.rows)[0], share.part):
                    model(part)

    with fresh_statistics(model, pass_batches):
        yield


def bn_batches(batch_size: int, step: int = BN_MOST) -> int:
    """The number of batches over which statistics are taken anew after `step` updates.

    >>> bn_batches(1024), bn_batches(128), bn_batches(32), bn_batches(1), bn_batches(32, step=5), bn_batches(32, step=0)
    (4, 4, 16, 64, 5, 4)
    """
    return max(min(math.ceil(BN_EXAMPLES / batch_size), BN_MOST, step), BN_FEWEST)


def batchnorms(model: nn.Module) -> list[_BatchNorm]:
    """The layers whose statistics an evaluation uses and training moves."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats and module.training]


@contextmanager
def fresh_statistics(model: nn.Module, pass_batches: Callable[[], None]) -> Iterator[None]:
    """Statistics of BatchNorm layers as plain averages over what `pass_batches` sends through the model; their own back afterwards."""
    layers = batchnorms(model)
    if not layers:
        yield
        return
    kept = [{name: value.clone() for name, value in layer.named_buffers()} for layer in layers]
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain average over the batches below
        layer.train()
    pass_batches()
    team.averaged(layers)
    yield
    for layer, buffers, momentum in zip(layers, kept, momenta, strict=True):
        layer.momentum = momentum
        for name, value in buffers.items():
            getattr(layer, name).copy_(value)
