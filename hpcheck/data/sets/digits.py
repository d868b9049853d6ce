"""scikit-learn's handwritten digits: 1,797 images of 8x8 in 10 classes, without any download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hpcheck.data.arrays import Arrays, Raw
from hpcheck.data.split import stratified_subset

TEST_SHARE = 0.2  # ours: the set comes without a split; this one is the same for everybody
LARGEST_PIXEL = 16


def sources(root: Path) -> list[Path]:
    """The files that `load` reads."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        return []
    return sorted((Path(package.origin).parent / "datasets" / "data").glob("digits.csv*"))


def load(root: Path) -> Raw:
    """Digits scaled to 0..255, a stratified fifth of them as the test split. `root` is not used."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = np.rint(digits.images[..., None] * (255 / LARGEST_PIXEL)).astype(np.uint8)  # (N, 8, 8, 1)
    everything = Arrays(x, digits.target.astype(np.int64))
    test = stratified_subset(everything.y, round(TEST_SHARE * len(everything)), seed=0)
    train = np.setdiff1d(np.arange(len(everything)), test)
    return Raw(everything.take(train), None, everything.take(test), tuple(str(digit) for digit in range(10)))
