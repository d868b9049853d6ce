"""The contest's two networks that hpcheck does not ship: a small convolutional one, and one for sentences."""

from torch import Tensor, nn


class Sentences(nn.Module):
    """Word vectors, one convolution over three words, the largest of each channel, dropout: (B, T) -> (B, classes)."""

    def __init__(self, vocabulary: int, width: int, channels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        self.over_three = nn.Conv1d(width, channels, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(channels, outputs)

    def forward(self, words: Tensor) -> Tensor:
        hidden = self.over_three(self.words(words).transpose(1, 2)).relu()  # (B, C, T)
        return self.scores(self.dropout(hidden.amax(2)))


def sentences(
    input_shape: tuple[int, ...], outputs: int, *, vocabulary: int = 2048, width: int = 32, channels: int = 32, dropout: float = 0.3
) -> nn.Module:
    return Sentences(vocabulary, width, channels, outputs, dropout)


def small_cnn(input_shape: tuple[int, ...], outputs: int, *, channels: int = 16) -> nn.Module:
    """Three convolutions with batch norm, two of them with half the side, then the mean of each channel."""
    layers: list[nn.Module] = []
    width = input_shape[0]
    for wider, stride in ((channels, 1), (2 * channels, 2), (4 * channels, 2)):
        layers += [nn.Conv2d(width, wider, 3, stride, 1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs))
