"""Any classification network of timm, by its name there, without pretrained weights: `pip install hpcheck[timm]`."""

import difflib

from torch import nn

from hpcheck.errors import InputError
from hpcheck.models.init import fill
from hpcheck.models.shapes import image_shape


def build(
    input_shape: tuple[int, ...], outputs: int, *, arch: str = "inception_resnet_v2", dropout: float = 0.0, init: str | None = None
) -> nn.Module:
    """`timm.create_model(arch)` with `outputs` outputs and classifier `dropout`. `init` "xavier" or "msra" fills it as Caffe would.

    The paper's Inception-ResNet-v2 has dropout 0.2 and xavier (55,843,464 parameters with 1,000 outputs on 3 channels).
    """
    try:
        import timm
    except ImportError:
        raise InputError("model timm: timm is not installed; pip install 'hpcheck[timm]'") from None
    channels, _, _ = image_shape("timm", input_shape)
    if not timm.is_model(arch):
        close = difflib.get_close_matches(arch, timm.list_models(), n=3) or ["inception_resnet_v2"]
        raise InputError(f"model timm: arch is {arch!r}, which timm does not have; did you mean {' or '.join(close)}?")
    network: nn.Module = timm.create_model(arch, pretrained=False, num_classes=outputs, in_chans=channels, drop_rate=dropout)
    if init is not None:
        fill(network, init)
    return network
