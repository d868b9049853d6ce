"""A multilayer perceptron for vectors, or for images taken as vectors."""

import math

from torch import nn

SHALLOW = True  # so larger weight decays are tried (Smith 2018, 5, item 4)


def build(input_shape: tuple[int, ...], outputs: int, *, hidden: tuple[int, ...] = (64, 64), dropout: float = 0.0) -> nn.Module:
    """Linear layers of `hidden` widths, each followed by ReLU (and dropout), then one of `outputs`.

    >>> build((4,), 3, hidden=(5,))
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=5, bias=True)
      (2): ReLU()
      (3): Linear(in_features=5, out_features=3, bias=True)
    )
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(input_shape)
    for wider in hidden:
        layers += [nn.Linear(width, wider), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        width = wider
    return nn.Sequential(*layers, nn.Linear(width, outputs))
