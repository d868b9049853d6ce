"""BatchNorm statistics over the whole batch while each process has a part of it: torch's own on GPUs; on CPUs, where it has none, ours."""

from types import MethodType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


class Sum(torch.autograd.Function):
    """The sum over all processes, whose loss is theirs together: so the gradient is summed as well."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _summed(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(value: Tensor) -> Tensor:
    value = value.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(value)
    return value


def synchronised(model: nn.Module) -> None:
    """Have every BatchNorm layer of `model` take its training statistics over all processes, in place."""
    if next(model.parameters()).device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]


def _forward(self: _BatchNorm, x: Tensor) -> Tensor:
    """(B, C, ...) normalised by mean and variance over all processes' B and all positions; differentiable through both."""
    if not self.training:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
    dims, shape = [dim for dim in range(x.ndim) if dim != 1], [1, -1] + [1] * (x.ndim - 2)
    count = _summed(torch.tensor(float(x.numel() // x.shape[1])))
    mean = Sum.apply(x.sum(dims)) / count
    centred = x - mean.view(shape)
    variance = Sum.apply(centred.square().sum(dims)) / count
    if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
        self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)  # type: ignore[arg-type]
        with torch.no_grad():
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * count / (count - 1), share)
    scaled: Tensor = centred * (variance + self.eps).rsqrt().view(shape)
    return scaled if self.weight is None else scaled * self.weight.view(shape) + self.bias.view(shape)
