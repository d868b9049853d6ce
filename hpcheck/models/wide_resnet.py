"""Zagoruyko and Komodakis's wide residual network (2016), WRN-depth-widen. The paper's own wide ResNet-32 is `resnet_cifar` with widths."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from hpcheck.errors import InputError
from hpcheck.models.init import fill
from hpcheck.models.shapes import image_shape

GROUPS = (16, 32, 64)  # widths before widening


class PreActivated(nn.Module):
    """BN-ReLU-conv-BN-ReLU-(dropout)-conv plus the shortcut; a 1x1 convolution of the activated input where the width or size changes."""

    def __init__(self, width_in: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = None if width == width_in and stride == 1 else nn.Conv2d(width_in, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        residual: Tensor = self.conv2(self.dropout(F.relu(self.bn2(self.conv1(active)))))
        return residual + (x if self.shortcut is None else self.shortcut(active))


class WideResNet(nn.Module):
    """A 3x3 convolution to 16 maps, three groups of blocks (the last two halving the image), BN-ReLU, global average, one linear layer."""

    def __init__(self, channels: int, outputs: int, blocks: int, widen: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, GROUPS[0], 3, padding=1, bias=False)
        layers: list[nn.Module] = []
        for index, (width_in, width) in enumerate(pairwise((GROUPS[0], *(widen * width for width in GROUPS)))):
            layers.append(PreActivated(width_in, width, stride=1 if index == 0 else 2, dropout=dropout))
            layers += [PreActivated(width, width, stride=1, dropout=dropout) for _ in range(blocks - 1)]
        self.blocks = nn.Sequential(*layers)
        self.bn = nn.BatchNorm2d(widen * GROUPS[-1])
        self.fc = nn.Linear(widen * GROUPS[-1], outputs)
        fill(self, "msra")

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, outputs)
        maps = F.relu(self.bn(self.blocks(self.conv(x))))  # (B, 64 * widen, H/4, W/4)
        logits: Tensor = self.fc(maps.mean(dim=(2, 3)))
        return logits


def build(input_shape: tuple[int, ...], outputs: int, *, depth: int = 28, widen: int = 10, dropout: float = 0.0) -> nn.Module:
    """WRN-`depth`-`widen`, `depth` being 6n + 4: WRN-28-10 has 36,479,194 parameters on 3 channels with 10 outputs, WRN-16-4 2,748,890."""
    channels, _, _ = image_shape("wide_resnet", input_shape)
    blocks, rest = divmod(depth - 4, 2 * len(GROUPS))
    if rest or blocks < 1:
        raise InputError(f"model wide_resnet: depth is {depth}; it must be 6n + 4, such as 16 or 28")
    if widen < 1:
        raise InputError(f"model wide_resnet: widen is {widen}; it must be 1 or more")
    return WideResNet(channels, outputs, blocks, widen, dropout)
