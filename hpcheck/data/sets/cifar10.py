"""CIFAR-10: photographs of 10 kinds of things, 32x32 in colour."""

from pathlib import Path

from hpcheck.data import torchvision
from hpcheck.data.arrays import Raw

FOLDER = Path("cifar-10-batches-py")


def sources(root: Path) -> list[Path]:
    """The files that `load` reads."""
    return torchvision.sources(root / FOLDER)


def load(root: Path) -> Raw:
    """50,000 training and 10,000 test images. Read from `root`/cifar-10-batches-py, where torchvision downloads it to."""
    return torchvision.load("CIFAR10", root, root / FOLDER)
