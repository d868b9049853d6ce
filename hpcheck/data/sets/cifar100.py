"""CIFAR-100: photographs of 100 kinds of things, 32x32 in colour."""

from pathlib import Path

from hpcheck.data import torchvision
from hpcheck.data.arrays import Raw

FOLDER = Path("cifar-100-python")


def sources(root: Path) -> list[Path]:
    """The files that `load` reads."""
    return torchvision.sources(root / FOLDER)


def load(root: Path) -> Raw:
    """50,000 training and 10,000 test images. Read from `root`/cifar-100-python, where torchvision downloads it to."""
    return torchvision.load("CIFAR100", root, root / FOLDER)
