"""Reading data sets through torchvision's own classes: what is on disk, downloaded when missing."""

import contextlib
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hpcheck.data.arrays import Arrays, DataError, Raw


def sources(folder: Path) -> list[Path]:
    """The files of a torchvision data set that lies in `folder`; none before it was downloaded."""
    return sorted(path for path in folder.glob("*") if path.is_file())


def load(class_name: str, root: Path, folder: Path) -> Raw:
    """The train and test split of `torchvision.datasets.<class_name>`, which keeps its files in `folder` under `root`."""
    train, test = (_split(class_name, root, folder, train=train) for train in (True, False))
    classes = tuple(str(name) for name in train.classes)
    return Raw(_arrays(train), None, _arrays(test), classes)


def _split(class_name: str, root: Path, folder: Path, train: bool) -> Any:
    import torchvision.datasets

    dataset_class = getattr(torchvision.datasets, class_name)
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():  # torchvision prints about its downloads
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)  # CIFAR's pickles are older than numpy 2.4
            return dataset_class(root, train=train, download=True)
    except Exception as error:  # whatever a broken file or network raises
        if there := sources(folder):
            raise DataError(
                f"{class_name} in {folder.absolute()} is damaged, or not all there ({_one_line(error)}): it has {len(there)} files; "
                "remove that folder, and the data are downloaded again, or put torchvision's own files there"
            ) from error
        raise DataError(
            f"{class_name} is not in {folder.absolute()} and cannot be downloaded ({_one_line(error)}); "
            f"put torchvision's files there, or set data.root to the folder that has {folder.relative_to(root)}"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _arrays(dataset: Any) -> Arrays:
    x = np.asarray(dataset.data)  # (N, H, W) or (N, H, W, C) uint8
    return Arrays(x[..., None] if x.ndim == 3 else x, np.asarray(dataset.targets, dtype=np.int64))
