"""Any classification network of torchvision, by its name there, without pretrained weights."""

import difflib

from torch import nn

from hpcheck.errors import InputError
from hpcheck.models.init import fill
from hpcheck.models.shapes import image_shape

CHANNELS = 3
WITHOUT_AUXILIARY = {"aux_logits": False, "init_weights": True}  # these two return several outputs in training otherwise
OPTIONS = {"googlenet": WITHOUT_AUXILIARY, "inception_v3": WITHOUT_AUXILIARY}


def build(input_shape: tuple[int, ...], outputs: int, *, arch: str = "resnet18", init: str | None = None) -> nn.Module:
    """`torchvision.models.<arch>` with `outputs` outputs, for images of 3 channels. `init` "xavier" or "msra" fills it as Caffe would."""
    from torchvision import models

    channels, _, _ = image_shape("torchvision", input_shape)
    known = models.list_models(module=models)
    if arch not in known:
        close = difflib.get_close_matches(arch, known, n=3) or ["resnet18"]
        raise InputError(f"model torchvision: arch is {arch!r}, which torchvision does not have; did you mean {' or '.join(close)}?")
    if channels != CHANNELS:
        raise InputError(f"model torchvision: its networks take images of 3 channels, but the data have {channels}; try resnet_cifar")
    network: nn.Module = models.get_model(arch, weights=None, num_classes=outputs, **OPTIONS.get(arch, {}))
    if init is not None:
        fill(network, init)
    return network
