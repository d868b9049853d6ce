"""Weight initializations as Caffe defines them; torch's functions of the same names differ."""

import math

import torch
from torch import Tensor, nn

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def fan_in(weight: Tensor) -> int:
    """Inputs that one output sums over: the size of one row (O, I, ...) -> I * ..."""
    return weight.numel() // weight.shape[0]


def xavier_(weight: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Caffe's "xavier": uniform, with variance 1/fan_in."""
    bound = math.sqrt(3 / fan_in(weight))
    return nn.init.uniform_(weight, -bound, bound, generator=generator)


def msra_(weight: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Caffe's "msra": gaussian, with variance 2/fan_in."""
    return nn.init.normal_(weight, 0.0, math.sqrt(2 / fan_in(weight)), generator=generator)


SCHEMES = {"xavier": xavier_, "msra": msra_}


def fill(model: nn.Module, scheme: str, generator: torch.Generator | None = None) -> None:
    """Fill the weights of all convolutions and linear layers by `scheme` ("xavier" or "msra"), and their biases with 0.

    Drawn on the CPU, so that a seed gives the same weights on every device.
    """
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            fresh = SCHEMES[scheme](torch.empty(layer.weight.shape, dtype=layer.weight.dtype), generator)
            with torch.no_grad():
                layer.weight.copy_(fresh)
            zero_bias(layer)


def zero_bias(layer: nn.Module) -> None:
    """Set the layer's bias to 0, where it has one."""
    if isinstance(layer.bias, nn.Parameter):
        nn.init.zeros_(layer.bias)


def reinitialize(model: nn.Module, scheme: str, seed: int) -> None:
    """`fill` from a seed of its own: Smith's repeats alternate the two schemes (Smith 2018, A.1)."""
    fill(model, scheme, torch.Generator().manual_seed(seed))
