"""The quantity that a file's name tells, where a file holds one: TensorBoard's CSV downloads and MLflow's metric files."""

import re
from pathlib import Path

DOWNLOADED = re.compile(r"(?:run-(?P<run>.*?)-)?tag-(?P<tag>.+)", re.IGNORECASE)  # run-val-tag-epoch_loss.csv


def of_quantity(path: Path) -> str:
    """The quantity's name.

    >>> of_quantity(Path("run-val-tag-epoch_loss.csv")), of_quantity(Path("val_loss"))
    ('val/epoch_loss', 'val_loss')
    """
    stem = path.name.removesuffix(".csv")
    found = DOWNLOADED.search(stem)
    if not found:
        return stem
    return f"{found['run']}/{found['tag']}" if found["run"] and found["run"] != "." else found["tag"]
