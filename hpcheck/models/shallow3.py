"""The paper's 3-layer network, Caffe's cifar10_full (89,578 parameters on 32x32x3 with 10 outputs)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpcheck.errors import InputError
from hpcheck.models.init import zero_bias
from hpcheck.models.shapes import image_shape, windows

SHALLOW = True  # so larger weight decays are tried (Smith 2018, 5, item 4)

LRN_SIZE, LRN_ALPHA, LRN_BETA = 3, 5e-5, 0.75


class WithinChannelNorm(torch.autograd.Function):
    """y = x * d^-3/4 with d = 1 + alpha * mean of x^2 over 3x3, the pixels outside the image counted as 0.

    Its own backward, in place, makes it twice as fast on CPU as autograd through the formula (9.5 against 18 ms at (128, 32, 16, 16)).
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:  # (B, C, H, W) -> y and d^-1/2 of the same shape
        inverse_root = _mean_3x3(x * x).mul_(LRN_ALPHA).add_(1).rsqrt_()
        return inverse_root.sqrt().mul_(inverse_root).mul_(x), inverse_root

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(inputs[0], output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> Tensor:
        """dL/dx = g d^-3/4 - 2 beta alpha x * mean over 3x3 of (g x d^-7/4)."""
        x, inverse_root = ctx.saved_tensors
        scaled = inverse_root.sqrt().mul_(inverse_root).mul_(grad)  # g d^-3/4
        spread = _mean_3x3((scaled * x).mul_(inverse_root).mul_(inverse_root))
        return torch.addcmul(scaled, x, spread, value=-2 * LRN_BETA * LRN_ALPHA)


def _mean_3x3(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, LRN_SIZE, stride=1, padding=LRN_SIZE // 2)  # divides by 9 at the edges too, as Caffe does


def normalize_within_channel(x: Tensor) -> Tensor:
    """Caffe's local response normalization within each channel. `torch.nn.LocalResponseNorm` sums across channels instead."""
    normalized: Tensor = WithinChannelNorm.apply(x)[0]
    return normalized


class Shallow3(nn.Module):
    """Three 5x5 convolutions with overlapping pools and LRN, then one linear layer whose weight decays 250 times as much."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        channels, *sides = image_shape("shallow3", input_shape)
        height, width = (_side_after_pools(side) for side in sides)
        if min(height, width) < 1:
            raise InputError(f"model shallow3 needs images of at least 8x8, but the data have {sides[0]}x{sides[1]}; try mlp")
        self.conv1 = nn.Conv2d(channels, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 32, 5, padding=2)
        self.conv3 = nn.Conv2d(32, 64, 5, padding=2)
        self.fc = nn.Linear(64 * height * width, outputs)
        for layer, std in ((self.conv1, 1e-4), (self.conv2, 0.01), (self.conv3, 0.01), (self.fc, 0.01)):
            nn.init.normal_(layer.weight, 0.0, std)
            zero_bias(layer)
        self.hyper_multipliers = {f"conv{index}.bias": (2.0, 1.0) for index in (1, 2, 3)}
        self.hyper_multipliers |= {"fc.weight": (1.0, 250.0), "fc.bias": (2.0, 0.0)}

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, outputs); the sizes below are CIFAR's
        x = F.relu(F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True))  # (B, 32, 16, 16)
        x = F.relu(self.conv2(normalize_within_channel(x)))
        x = F.avg_pool2d(x, 3, 2, ceil_mode=True)  # (B, 32, 8, 8)
        x = F.relu(self.conv3(normalize_within_channel(x)))
        x = F.avg_pool2d(x, 3, 2, ceil_mode=True)  # (B, 64, 4, 4)
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def _side_after_pools(side: int) -> int:
    for _ in range(3):
        side = windows(side, kernel=3, stride=2, ceil=True)
    return side


def build(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """The 3-layer network; made for 32x32 images, it takes any size from 8x8 on."""
    return Shallow3(input_shape, outputs)
