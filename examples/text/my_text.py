"""The example's own text and network: a character-level Transformer."""

from pydoc_data.topics import topics

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Windows = tuple[NDArray[np.int64], NDArray[np.int64]]


def load(*, length: int = 32, characters: int = 100_000) -> tuple[Windows, Windows]:
    """(train, validation): windows of characters (N, T) as numbers, and the same windows one character on. The last tenth validates."""
    text = "\n".join(topics[name] for name in sorted(topics))[:characters]
    vocabulary = {character: number for number, character in enumerate(sorted(set(text)))}
    numbers = np.array([vocabulary[character] for character in text], np.int64)
    count = (len(numbers) - 1) // length
    x = numbers[: count * length].reshape(count, length)
    y = numbers[1 : count * length + 1].reshape(count, length)
    held_out = count // 10
    return (x[:-held_out], y[:-held_out]), (x[-held_out:], y[-held_out:])


class CharacterTransformer(nn.Module):
    """Embedding, pre-norm encoder layers that only look back, one linear layer: tokens (B, T) -> scores (B, T, V)."""

    def __init__(self, length: int, vocabulary: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, vocabulary)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, V)
        hidden = self.layers(self.tokens(tokens) + self.positions, mask=self.mask, is_causal=True)  # (B, T, W)
        return self.scores(self.norm(hidden))


def build(input_shape: tuple[int, ...], outputs: int, *, width: int = 32, layers: int = 1, heads: int = 4) -> nn.Module:
    """The network for windows of `input_shape` = (T,) over `outputs` characters."""
    return CharacterTransformer(input_shape[0], outputs, width, layers, heads)
