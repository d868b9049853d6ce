"""Fashion-MNIST: pictures of clothes, 28x28 in grey."""

from pathlib import Path

from hpcheck.data import torchvision
from hpcheck.data.arrays import Raw

FOLDER = Path("FashionMNIST/raw")


def sources(root: Path) -> list[Path]:
    """The files that `load` reads."""
    return torchvision.sources(root / FOLDER)


def load(root: Path) -> Raw:
    """60,000 training and 10,000 test images. Read from `root`/FashionMNIST/raw, where torchvision downloads it to."""
    return torchvision.load("FashionMNIST", root, root / FOLDER)
