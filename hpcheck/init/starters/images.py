"""Your model, as hpcheck sees it: one function, named in hpcheck.yaml as hpcheck_entry:build.

hpcheck reads the images itself (`data:` in hpcheck.yaml). Put your own network in place of the body. Keep keyword parameters for what you
want to set in hpcheck.yaml (`model: {name: hpcheck_entry:build, width: 64}`).
"""

from torch import nn


def build(input_shape: tuple[int, ...], outputs: int, *, width: int = 32) -> nn.Module:
    """Return your model, freshly initialized: images (B, C, H, W) in, as many outputs as there are classes.

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
