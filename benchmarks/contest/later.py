"""Data and models of the eight later tasks, which were written down after the rules: small, and the same at every call."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.contest.data import SEED, Splits, held_out, mnist, root

CLASSES, EACH, SIDE = 20, 150, 16  # of CIFAR-100
CONTEXT, LETTERS = 16, 12_000


def mnist_images(*, images: int = 3000) -> Splits:
    """3,000 images of MNIST (N, 28, 28, 1), a quarter of which validates; 4,000 of the test images."""
    (x, y), (test_x, test_y) = mnist()
    chosen = np.random.default_rng(SEED).permutation(len(y))[:images]
    return held_out(x[chosen].reshape(-1, 28, 28, 1), y[chosen], (test_x[:4000].reshape(-1, 28, 28, 1), test_y[:4000]))


def rare_class(*, images: int = 4000, share: float = 0.03) -> Splits:
    """MNIST as vectors: is it a nine? 3% are."""
    random = np.random.default_rng(SEED)

    def thinned(x: NDArray[np.float32], y: NDArray[np.int64], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        order = random.permutation(len(y))
        nines, others = order[y[order] == 9], order[y[order] != 9]
        rare = round(count * share)
        chosen = random.permutation(np.concatenate([nines[:rare], others[: count - rare]]))
        return x[chosen], (y[chosen] == 9).astype(np.int64)

    train, test = mnist()
    return held_out(*thinned(*train, images), thinned(*test, 8000))


def many_classes() -> Splits:
    """Twenty classes of CIFAR-100 at half their side, 150 images each (N, 16, 16, 3), a quarter of which validates."""
    from PIL import Image

    folder = root() / "cifar100-png"
    classes = sorted(one.name for one in (folder / "train").iterdir())[:CLASSES]

    def images(split: str, each: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        found = []
        for name in classes:
            for path in sorted((folder / split / name).glob("*.png"))[:each]:
                with Image.open(path) as file:
                    found.append(np.asarray(file.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)))
        return np.stack(found), np.repeat(np.arange(CLASSES), each)

    x, y = images("train", EACH)
    order = np.random.default_rng(SEED).permutation(len(y))
    return held_out(x[order], y[order], images("test", 100))


def letters() -> Splits:
    """Sixteen letters of film reviews as numbers (N, 16), and the next one; 12,000 places, a quarter of which validates."""
    text = (root() / "small/text/rt-polarity.pos").read_text("latin-1").replace("\n", " ")
    names = {letter: number for number, letter in enumerate(sorted(set(text)))}
    numbers = np.array([names[letter] for letter in text], np.int64)
    places = np.random.default_rng(SEED).choice(len(numbers) - CONTEXT - 1, LETTERS + 4000, replace=False)
    x, y = np.stack([numbers[at : at + CONTEXT] for at in places]), numbers[places + CONTEXT]
    return held_out(x[:LETTERS], y[:LETTERS], (x[LETTERS:], y[LETTERS:]))


def digits_in_patches() -> Splits:
    """scikit-learn's digits as 16 patches of 2 x 2 pixels (N, 16, 4); a fifth is the test."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(y))
    patches = (x[order] / 16).astype(np.float32).reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    for_test = len(y) // 5
    return held_out(patches[for_test:], y[order][for_test:], (patches[:for_test], y[order][:for_test]))


def next_letter(input_shape: tuple[int, ...], outputs: int, *, width: int = 24, hidden: int = 128) -> nn.Module:
    """An embedding of each letter, and a perceptron on all of them."""
    return nn.Sequential(
        nn.Embedding(256, width), nn.Flatten(), nn.Linear(input_shape[0] * width, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


class Attention(nn.Module):
    """One layer of a transformer on patches, and the mean of its outputs."""

    def __init__(self, patches: int, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.inputs, self.outputs = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.places = nn.Parameter(torch.zeros(patches, width))
        self.layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)

    def forward(self, x: Tensor) -> Tensor:  # (B, patches, inputs) -> (B, outputs)
        scores: Tensor = self.outputs(self.layer(self.inputs(x) + self.places).mean(1))
        return scores


def attention(input_shape: tuple[int, ...], outputs: int, *, width: int = 32) -> nn.Module:
    patches, inputs = input_shape
    return Attention(patches, inputs, outputs, width)
