"""The example's own network."""

from torch import nn


def build(input_shape: tuple[int, ...], outputs: int, *, width: int = 8) -> nn.Module:
    """Two convolutions with BatchNorm, the mean over the picture, one linear layer: (B, C, H, W) -> (B, outputs)."""
    channels, _, _ = input_shape
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, outputs),
    )
