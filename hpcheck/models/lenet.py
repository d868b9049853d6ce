"""LeNet as Caffe's MNIST example has it, the network of Figure 14 and Table 2 (431,080 parameters on 28x28x1)."""

from torch import Tensor, nn
from torch.nn import functional as F

from hpcheck.errors import InputError
from hpcheck.models.init import fill
from hpcheck.models.shapes import image_shape, windows

SHALLOW = True  # so larger weight decays are tried (Smith 2018, 5, item 4)


class LeNet(nn.Module):
    """Two convolutions with max-pools (and no ReLU), then two linear layers. Biases learn at twice the lr."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        channels, *sides = image_shape("lenet", input_shape)
        height, width = (_side_after_pools(side) for side in sides)
        if min(height, width) < 1:
            raise InputError(f"model lenet needs images of at least 13x13, but the data have {sides[0]}x{sides[1]}; try mlp")
        self.conv1 = nn.Conv2d(channels, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(50 * height * width, 500)
        self.fc2 = nn.Linear(500, outputs)
        fill(self, "xavier")
        self.hyper_multipliers = {f"{layer}.bias": (2.0, 1.0) for layer in ("conv1", "conv2", "fc1", "fc2")}

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, outputs); the sizes below are MNIST's
        x = F.max_pool2d(self.conv1(x), 2, ceil_mode=True)  # (B, 20, 12, 12)
        x = F.max_pool2d(self.conv2(x), 2, ceil_mode=True)  # (B, 50, 4, 4)
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits


def _side_after_pools(side: int) -> int:
    for _ in range(2):
        side = windows(windows(side, kernel=5, stride=1), kernel=2, stride=2, ceil=True)
    return side


def build(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """LeNet for images of at least 13x13."""
    return LeNet(input_shape, outputs)
