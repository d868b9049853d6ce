"""DenseNet for small images, without bottleneck or compression: the paper's DenseNet-40 with k = 12 (1,019,722 parameters)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpcheck.errors import InputError
from hpcheck.models.init import fill, xavier_
from hpcheck.models.shapes import image_shape

DENSE_BLOCKS = 3
FIRST_WIDTH = 16
BN_MOMENTUM = 0.001  # the running average keeps 0.999 a step


class NormReluConv(nn.Module):
    """BN-ReLU-conv-dropout, the unit of both the dense layers (3x3) and the transitions (1x1)."""

    def __init__(self, width_in: int, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(width_in, momentum=BN_MOMENTUM)
        self.conv = nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=False)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.dropout(self.conv(F.relu(self.bn(x))))
        return maps


class DenseLayer(NormReluConv):
    """Adds its maps to those it was given."""

    def forward(self, x: Tensor) -> Tensor:  # (B, W, H, W) -> (B, W + growth, H, W)
        return torch.cat([x, super().forward(x)], dim=1)


class DenseNet(nn.Module):
    """A 3x3 convolution, three dense blocks with image-halving transitions between, BN-ReLU, global average, one linear layer."""

    def __init__(self, channels: int, outputs: int, layers_a_block: int, growth: int, dropout: float) -> None:
        super().__init__()
        width = FIRST_WIDTH
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False)]
        for block in range(DENSE_BLOCKS):
            if block > 0:
                layers += [NormReluConv(width, width, kernel=1, dropout=dropout), nn.AvgPool2d(2)]
            layers += [DenseLayer(width + index * growth, growth, kernel=3, dropout=dropout) for index in range(layers_a_block)]
            width += layers_a_block * growth  # 160, 304, 448 with the paper's options
        self.features = nn.Sequential(*layers)
        self.bn = nn.BatchNorm2d(width, momentum=BN_MOMENTUM)
        self.fc = nn.Linear(width, outputs)
        fill(self, "msra")
        xavier_(self.fc.weight)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, outputs)
        maps = F.relu(self.bn(self.features(x)))  # (B, width, H/4, W/4)
        logits: Tensor = self.fc(maps.mean(dim=(2, 3)))
        return logits


def build(input_shape: tuple[int, ...], outputs: int, *, depth: int = 40, growth: int = 12, dropout: float = 0.2) -> nn.Module:
    """A DenseNet of `depth` 3n+4, each layer adding `growth` maps. The paper's searches keep the dropout on."""
    channels, height, width = image_shape("densenet_cifar", input_shape)
    layers_a_block, rest = divmod(depth - 4, DENSE_BLOCKS)
    if rest or layers_a_block < 1:
        raise InputError(f"model densenet_cifar: depth is {depth}; it must be 3n + 4, such as 22 or 40")
    if min(height, width) < 4:
        raise InputError(f"model densenet_cifar needs images of at least 4x4, but the data have {height}x{width}; try mlp")
    return DenseNet(channels, outputs, layers_a_block, growth, dropout)
