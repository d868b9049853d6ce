"""Networks and a loss of the third eight tasks, none of which the sixteen before have."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def huber(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared where the error is small, and its size where it is large."""
    return functional.huber_loss(outputs.reshape(targets.shape), targets)


def tanh_layers(input_shape: tuple[int, ...], outputs: int, *, width: int = 48, depth: int = 3) -> nn.Module:
    """A perceptron with tanh."""
    widths = [input_shape[0], *[width] * depth]
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Linear(narrow, wide), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class Unet(nn.Module):
    """Two convolutions, two more at half the side, and both together by a last one: (B, 1, H, W) -> (B, H * W, classes)."""

    def __init__(self, inputs: int, outputs: int, channels: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(*_normed(inputs, channels), *_normed(channels, channels))
        self.coarse = nn.Sequential(nn.MaxPool2d(2), *_normed(channels, 2 * channels), *_normed(2 * channels, 2 * channels))
        self.last = nn.Sequential(*_normed(3 * channels, channels), nn.Conv2d(channels, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        coarse = functional.interpolate(self.coarse(fine), scale_factor=2.0)
        scores: Tensor = self.last(torch.cat([fine, coarse], 1))  # (B, classes, H, W)
        return scores.flatten(2).transpose(1, 2)


def _normed(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(2, outputs), nn.ReLU()]


def unet(input_shape: tuple[int, ...], outputs: int, *, channels: int = 4) -> nn.Module:
    return Unet(input_shape[0], outputs, channels)


def depthwise(input_shape: tuple[int, ...], outputs: int, *, channels: int = 12) -> nn.Module:
    """A convolution and two that are depthwise, with a pointwise one after each, batch norm and SiLU; the first and last halve the side."""
    layers: list[nn.Module] = [nn.Conv2d(input_shape[0], channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.SiLU()]
    narrow = channels
    for wide, stride in ((2 * channels, 1), (4 * channels, 2)):
        layers += [nn.Conv2d(narrow, narrow, 3, stride, 1, groups=narrow, bias=False), nn.BatchNorm2d(narrow), nn.SiLU()]
        layers += [nn.Conv2d(narrow, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU()]
        narrow = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(narrow, outputs))


class Sums(nn.Module):
    """One vector for each number, their sum, and a perceptron: (B, 2) -> (B, classes)."""

    def __init__(self, numbers: int, width: int, hidden: int) -> None:
        super().__init__()
        self.numbers = nn.Embedding(numbers, width)
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, numbers))

    def forward(self, pairs: Tensor) -> Tensor:
        scores: Tensor = self.layers(self.numbers(pairs).sum(1))
        return scores


def sums(input_shape: tuple[int, ...], outputs: int, *, width: int = 64, hidden: int = 128) -> nn.Module:
    return Sums(outputs, width, hidden)


class Sorter(nn.Module):
    """A transformer whose every place gives one number: (B, T) -> (B, T, numbers)."""

    def __init__(self, length: int, numbers: int, width: int, layers: int) -> None:
        super().__init__()
        self.numbers = nn.Embedding(numbers, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        one = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(one, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.scores = nn.Linear(width, numbers)

    def forward(self, sequence: Tensor) -> Tensor:
        scores: Tensor = self.scores(self.layers(self.numbers(sequence) + self.places))
        return scores


def sorter(input_shape: tuple[int, ...], outputs: int, *, width: int = 32, layers: int = 1) -> nn.Module:
    return Sorter(input_shape[0], outputs, width, layers)


class Reader(nn.Module):
    """An LSTM over letters, judged by its last state: (B, T) -> (B, classes)."""

    def __init__(self, outputs: int, width: int, hidden: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(256, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, outputs)

    def forward(self, letters: Tensor) -> Tensor:
        states, _ = self.lstm(self.letters(letters))  # (B, T, hidden)
        scores: Tensor = self.scores(states[:, -1])
        return scores


def reader(input_shape: tuple[int, ...], outputs: int, *, width: int = 16, hidden: int = 32) -> nn.Module:
    return Reader(outputs, width, hidden)


def bottleneck(input_shape: tuple[int, ...], outputs: int, *, hidden: int = 128, narrowest: int = 16) -> nn.Module:
    """An autoencoder of vectors."""
    inwards: list[nn.Module] = [nn.Linear(input_shape[0], hidden), nn.ELU(), nn.Linear(hidden, narrowest)]
    return nn.Sequential(*inwards, nn.Linear(narrowest, hidden), nn.ELU(), nn.Linear(hidden, outputs))
