"""Data of the third eight tasks, from $HPCHECK_DATA or computed: of other kinds than the sixteen before; the same at every call."""

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1

from benchmarks.contest.data import SEED, Splits, held_out, mnist, root

PRIME = 43  # 1,849 sums, of which 1,110 are trained on
SLICES, TRAINED_SLICES, VALIDATED_SLICES, TILE = 20, 12, 4, 32  # of 30 slices there are
LENGTH, NUMBERS = 8, 32  # of what is sorted
LETTERS = 64  # the beginning of a message


def naval(*, rows: int = 8000) -> Splits:
    """A ship's propulsion plant: 14 measured values, and two states of decay to predict, all in their own units; a fifth is the test."""
    table = np.loadtxt(root() / "small/tabular/naval-propulsion-plant.txt", dtype=np.float32)
    table = table[np.random.default_rng(SEED).permutation(len(table))][:rows]
    x, y = table[:, :-2], table[:, -2:]
    x = x[:, np.ptp(x, 0) > 0]  # two of the sixteen columns never vary
    for_test = rows // 5
    return held_out(x[for_test:], y[for_test:], (x[:for_test], y[:for_test]))


def outliers(*, rows: int = 400, share: float = 0.1) -> Splits:
    """Friedman's first function of five of ten features, with noise; a tenth of the values are far off, but none of the test's 2,000."""
    x, y = make_friedman1(rows + 2000, n_features=10, noise=1.0, random_state=SEED)
    x, y = (2 * x - 1).astype(np.float32), ((y - 14.4) / 4.9).astype(np.float32)  # mean 0 and deviation 1, about
    random = np.random.default_rng(SEED)
    far = random.permutation(rows)[: round(share * rows)]
    y[far] += 2 * random.standard_t(3, len(far)).astype(np.float32)
    return held_out(x[:rows], y[:rows], (x[rows:], y[rows:]))


def membranes() -> Splits:
    """Tiles (N, 32, 32, 1) of a fly's nerve cord under the electron microscope (ISBI 2012) at half their side; for each pixel (N, 1024),
    whether it is inside a cell. Of 20 slices, 12 are trained on, 4 validate and 4 are the test."""
    from PIL import Image

    def tiles(kind: str, number: int) -> NDArray[np.uint8]:
        with Image.open(root() / f"small/segmentation/{kind}/{number}.png") as file:
            half = np.asarray(file.resize((file.width // 2, file.height // 2), Image.Resampling.BOX))
        across = len(half) // TILE
        return half.reshape(across, TILE, across, TILE).swapaxes(1, 2).reshape(-1, TILE, TILE)

    images = np.stack([tiles("image", number) for number in range(SLICES)])  # (slices, tiles, 32, 32)
    inside = np.stack([tiles("label", number) for number in range(SLICES)]) > 127

    def part(first: int, until: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        return images[first:until].reshape(-1, TILE, TILE, 1), inside[first:until].reshape(-1, TILE * TILE).astype(np.int64)

    validated = TRAINED_SLICES + VALIDATED_SLICES
    return part(0, TRAINED_SLICES), part(TRAINED_SLICES, validated), part(validated, SLICES)


def cifar10(*, side: int = 16, each: int = 240) -> Splits:
    """2,400 images of CIFAR-10 at half their side (N, 16, 16, 3), a quarter of which validates; 1,000 test images."""
    from PIL import Image

    def images(split: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        found = []
        for folder in sorted((root() / "cifar10-png" / split).iterdir()):
            for number in range(count):
                with Image.open(folder / f"{number:04d}.png") as file:
                    found.append(np.asarray(file.convert("RGB").resize((side, side), Image.Resampling.BOX)))
        return np.stack(found), np.repeat(np.arange(10), count)

    x, y = images("train", each)
    order = np.random.default_rng(SEED).permutation(len(y))
    return held_out(x[order], y[order], images("test", 100))


def modular_sums(*, wrong: float = 0.15) -> Splits:
    """All pairs of numbers below 43 (N, 2), and their sum modulo 43; a fifth of the pairs is the test, a fifth validates. A share of the
    sums is wrong, but none of the test."""
    random = np.random.default_rng(SEED)
    pairs = random.permutation(np.stack(np.divmod(np.arange(PRIME**2), PRIME), 1))
    sums, for_test = pairs.sum(1) % PRIME, len(pairs) // 5
    mistaken = for_test + random.permutation(len(pairs) - for_test)[: round(wrong * (len(pairs) - for_test))]
    sums[mistaken] = (sums[mistaken] + random.integers(1, PRIME, len(mistaken))) % PRIME
    return held_out(pairs[for_test:], sums[for_test:], (pairs[:for_test], sums[:for_test]))


def unsorted(*, sequences: int = 2000) -> Splits:
    """Eight numbers below 32 (N, 8), and the same in order; a quarter validates, and 2,000 more are the test."""
    x = np.random.default_rng(SEED).integers(0, NUMBERS, (sequences + 2000, LENGTH))
    y = np.sort(x, 1)
    return held_out(x[:sequences], y[:sequences], (x[sequences:], y[sequences:]))


def spam_letters() -> Splits:
    """The first 64 bytes of text messages (N, 64), at the end of the row, each beginning once; spam or not; a fifth is the test."""
    lines = [line.split("\t", 1) for line in (root() / "small/text/SMSSpamCollection").read_text("utf-8").splitlines() if "\t" in line]
    kinds = {text.encode()[:LETTERS]: kind for kind, text in lines}
    order = np.random.default_rng(SEED).permutation(len(kinds))
    x = np.zeros((len(kinds), LETTERS), np.int64)  # 0: nothing
    for row, letters in enumerate(kinds):
        x[row, LETTERS - len(letters) :] = np.frombuffer(letters, np.uint8)
    x, y = x[order], np.array([kind == "spam" for kind in kinds.values()], np.int64)[order]
    for_test = len(y) // 5
    return held_out(x[for_test:], y[for_test:], (x[:for_test], y[:for_test]))


def noise_on_mnist(*, images: int = 4000, noise: float = 0.5) -> Splits:
    """Images of MNIST at half their side with noise on each pixel (N, 196), and the same without; a quarter validates; 2,000 to test."""
    (train_x, _), (test_x, _) = mnist()
    random = np.random.default_rng(SEED)
    chosen = np.concatenate([train_x[random.permutation(len(train_x))[:images]], test_x[:2000]])
    clean = chosen.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)
    noisy = clean + noise * random.standard_normal(clean.shape, np.float32)
    return held_out(noisy[:images], clean[:images], (noisy[images:], clean[images:]))
