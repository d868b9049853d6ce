"""CIFAR as torchvision's own batches or, where those are not there, as a folder of lossless images."""

from pathlib import Path

from hpcheck.data import torchvision
from hpcheck.data.arrays import Raw
from hpcheck.data.sets import image_folder


def sources(root: Path, batches: Path, images: str) -> list[Path]:
    """The files that `load` reads."""
    return image_folder.sources(root, folder=images) if _only_images(root, batches, images) else torchvision.sources(root / batches)


def load(class_name: str, root: Path, batches: Path, images: str) -> Raw:
    """`root`/`batches`, where torchvision downloads them to, or the images of `root`/`images` (`{train,test}/<class>/*.png`) without them.

    The two give the same images in another order: runs on one are not taken for runs on the other.
    """
    if _only_images(root, batches, images):
        return image_folder.load(root, folder=images)
    return torchvision.load(class_name, root, root / batches)


def _only_images(root: Path, batches: Path, images: str) -> bool:
    return not torchvision.sources(root / batches) and (root / images / "train").is_dir()
