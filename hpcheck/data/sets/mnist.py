"""MNIST: handwritten digits, 28x28 in grey."""

from pathlib import Path

from hpcheck.data import torchvision
from hpcheck.data.arrays import Raw

FOLDER = Path("MNIST/raw")


def sources(root: Path) -> list[Path]:
    """The files that `load` reads."""
    return torchvision.sources(root / FOLDER)


def load(root: Path) -> Raw:
    """60,000 training and 10,000 test images. Read from `root`/MNIST/raw, where torchvision downloads it to."""
    return torchvision.load("MNIST", root, root / FOLDER)
