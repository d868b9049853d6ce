"""Residual networks for small images: the paper's ResNet-56 and wide ResNet-32, and He's own."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from hpcheck.errors import InputError
from hpcheck.models.init import fill
from hpcheck.models.shapes import image_shape

PAPER_BLOCKS = {
    56: (8, 9, 9)
}  # blocks a group; the author's ResNet-56 counts its two projections among the 56, his wide ResNet-32 does not


class PaperBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus the shortcut, and no ReLU after the sum. Where the width grows, a 2x2 convolution is the shortcut."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(nn.Conv2d(width_in, width, 2, stride), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x)
        return summed


class HeBlock(nn.Module):
    """He et al. 2015, 4.2: ReLU after the sum, no biases, and the shortcut without parameters (option A: every other pixel, new maps 0)."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.new_maps = stride, width - width_in

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_maps))
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet(nn.Module):
    """conv-BN-ReLU, a group of blocks at each width (all but the first halving the image), global average, one linear layer."""

    def __init__(self, channels: int, outputs: int, blocks: tuple[int, ...], widths: tuple[int, ...], paper: bool) -> None:
        super().__init__()
        block = PaperBlock if paper else HeBlock
        self.conv = nn.Conv2d(channels, widths[0], 3, padding=1, bias=paper)
        self.bn = nn.BatchNorm2d(widths[0])
        groups: list[nn.Module] = []
        for index, (width_in, width) in enumerate(pairwise((widths[0], *widths))):
            first = block(width_in, width, stride=1 if index == 0 else 2)
            groups.append(nn.Sequential(first, *(block(width, width, stride=1) for _ in range(blocks[index] - 1))))
        self.groups = nn.Sequential(*groups)
        self.fc = nn.Linear(widths[-1], outputs)
        fill(self, "msra")
        if paper:
            self.hyper_multipliers = {"fc.bias": (2.0, 0.0)}

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, outputs)
        maps = self.groups(F.relu(self.bn(self.conv(x))))  # (B, widths[-1], H/4, W/4)
        logits: Tensor = self.fc(maps.mean(dim=(2, 3)))
        return logits


def build(
    input_shape: tuple[int, ...], outputs: int, *, depth: int = 56, variant: str = "paper", widths: tuple[int, ...] = (16, 32, 64)
) -> nn.Module:
    """A residual network of `depth` 6n+2 (with three widths). The paper's wide ResNet-32 is depth 32 with widths (16, 64, 256).

    variant "paper": biases, no ReLU after the sum, 2x2 convolutions as shortcuts; 860,874 parameters at depth 56, 10 outputs (groups of
    8, 9 and 9 blocks: 53 convolutions, 2 projections, 1 linear layer). "he": the standard one with option A shortcuts; 853,018.
    """
    channels, height, width = image_shape("resnet_cifar", input_shape)
    blocks = _blocks(depth, variant, widths)
    halvings = len(widths) - 1
    if variant == "paper" and (height % 2**halvings or width % 2**halvings):
        raise InputError(
            f'model resnet_cifar: variant "paper" halves images {halvings} times, but the data have {height}x{width}; try "he"'
        )
    return ResNet(channels, outputs, blocks, tuple(widths), paper=variant == "paper")


def _blocks(depth: int, variant: str, widths: tuple[int, ...]) -> tuple[int, ...]:
    """Blocks in each group."""
    if variant not in ("paper", "he"):
        raise InputError(f'model resnet_cifar: variant is {variant!r}; allowed are "paper" and "he"')
    if not widths or any(after < before for before, after in pairwise(widths)):
        raise InputError(f"model resnet_cifar: widths are {tuple(widths)}; they must not fall from group to group")
    layers = 2 * len(widths)  # that one block in each group adds
    if depth <= 2 or (depth - 2) % layers:
        raise InputError(
            f"model resnet_cifar: depth is {depth}; with {len(widths)} widths it must be {layers}n + 2, such as {layers * 3 + 2}"
        )
    uniform = ((depth - 2) // layers,) * len(widths)
    return PAPER_BLOCKS.get(depth, uniform) if variant == "paper" and len(widths) == 3 else uniform
