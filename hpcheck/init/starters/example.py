"""Your model and your data, as hpcheck sees them: two functions, named in hpcheck.yaml as hpcheck_entry:load and hpcheck_entry:build.

It trains as it stands, on scikit-learn's handwritten digits. Put your own in place of the two bodies; the words above each say what
hpcheck needs of it. Keep keyword parameters for what you want to set in hpcheck.yaml (`model: {name: hpcheck_entry:build, width: 64}`).
"""

from typing import Any

import numpy as np
from torch import nn


def load() -> Any:
    """Return (train, validation) or (train, validation, test); each a pair (x, y) of numpy arrays or tensors, or a Dataset of pairs.

    x: images as uint8 (N, H, W, C), vectors as floats (N, D), or tokens as integers (N, T).
    y: classes as integers (N,), values as floats (N,) or (N, K), or tokens as integers (N, T).
    hpcheck keeps the data in memory and normalizes images and vectors itself (`data.normalize`).
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images[..., None] * (255 / 16)).astype(np.uint8)  # (N, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(images))
    train, validation = order[360:], order[:360]
    return (images[train], digits.target[train]), (images[validation], digits.target[validation])


def build(input_shape: tuple[int, ...], outputs: int, *, width: int = 16) -> nn.Module:
    """Return your model, freshly initialized: (C, H, W) images or (D,) vectors in, as many outputs as there are classes or values.

    hpcheck seeds torch before each call, so weights drawn here differ from run to run as its seeds say.
    """
    channels = input_shape[0]
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, outputs),
    )
