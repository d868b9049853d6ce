"""CIFAR-100: photographs of 100 kinds of things, 32x32 in colour."""

from pathlib import Path

from hpcheck.data import cifar
from hpcheck.data.arrays import Raw

FOLDER = Path("cifar-100-python")
IMAGES = "cifar100-png"


def sources(root: Path) -> list[Path]:
    """The files that `load` reads."""
    return cifar.sources(root, FOLDER, IMAGES)


def load(root: Path) -> Raw:
    """50,000 training and 10,000 test images. Read from `root`/cifar-100-python, where torchvision downloads it to, or from the
    folder `root`/cifar100-png where only that is there."""
    return cifar.load("CIFAR100", root, FOLDER, IMAGES)
