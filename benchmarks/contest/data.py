"""The contest's data sets, from $HPCHECK_DATA: (x, y) to train, to validate and to test; small, and the same at every call."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Split = tuple[NDArray[Any], NDArray[Any]]
Splits = tuple[Split, Split, Split]
SEED = 20261130  # who is in which split, and which labels are wrong
IMAGES, WORDS, VOCABULARY = 4000, 32, 2048  # 4,000 images, a quarter of which validates


def root() -> Path:
    return Path(os.environ["HPCHECK_DATA"])


def held_out(x: NDArray[Any], y: NDArray[Any], test: Split) -> Splits:
    """A quarter of the training part is for validation."""
    quarter = len(x) // 4
    return (x[quarter:], y[quarter:]), (x[:quarter], y[:quarter]), test


def noisy_mnist(*, wrong: float = 0.2) -> Splits:
    """4,000 images of MNIST as vectors, a share of them with another label than theirs; the test labels are right."""
    (train_x, train_y), (test_x, test_y) = mnist()
    random = np.random.default_rng(SEED)
    chosen = random.permutation(len(train_y))[:IMAGES]
    x, y = train_x[chosen], train_y[chosen].copy()
    mistaken = random.permutation(IMAGES)[: round(wrong * IMAGES)]
    y[mistaken] = (y[mistaken] + random.integers(1, 10, len(mistaken))) % 10
    return held_out(x, y, (test_x, test_y))


def mnist() -> tuple[Split, Split]:
    """The files as they are published, without hpcheck: that of before has its own layout."""

    def split(name: str) -> Split:
        images = np.fromfile(root() / f"MNIST/raw/{name}-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 784)
        labels = np.fromfile(root() / f"MNIST/raw/{name}-labels-idx1-ubyte", np.uint8, offset=8)
        return images.astype(np.float32) / 255, labels.astype(np.int64)

    return split("train"), split("t10k")


def noisy_cifar10(*, side: int = 16) -> Splits:
    """4,000 images of CIFAR-10 at half their side with one person's labels (17% wrong, Wei et al. 2022), 2,000 test images."""
    from PIL import Image

    clean = np.load(root() / "small/noisy-labels/cifar10n-cifar100n.npz")
    labels, given = clean["c10_clean_label"], clean["c10_random_label1"]
    random = np.random.default_rng(SEED)
    chosen = random.permutation(len(labels))[:IMAGES]
    place = np.zeros(len(labels), int)  # a file's number is its image's place in its class
    for of_class in range(10):
        place[labels == of_class] = np.arange((labels == of_class).sum())
    folder = root() / "cifar10-png"
    classes = sorted(one.name for one in (folder / "train").iterdir())

    def image(split: str, of_class: int, number: int) -> NDArray[np.uint8]:
        with Image.open(folder / split / classes[of_class] / f"{number:04d}.png") as file:
            return np.asarray(file.convert("RGB").resize((side, side), Image.Resampling.BOX))

    train = np.stack([image("train", int(labels[one]), int(place[one])) for one in chosen])
    test = np.stack([image("test", of_class, number) for of_class in range(10) for number in range(200)])
    return held_out(train, given[chosen].astype(np.int64), (test, np.repeat(np.arange(10), 200)))


def regression(*, table_name: str, rows: int | None = None) -> Splits:
    """A table of the UCI repository, its last column the target, both scaled by the training part; a fifth of the rows is the test."""
    table = np.loadtxt(root() / f"small/tabular/{table_name}.txt", dtype=np.float32)
    table = table[np.random.default_rng(SEED).permutation(len(table))][:rows]
    for_test = len(table) // 5
    train = table[for_test:]
    table = (table - train.mean(0)) / (train.std(0) + 1e-6)
    x, y = table[:, :-1], table[:, -1]
    return held_out(x[for_test:], y[for_test:], (x[:for_test], y[:for_test]))


def film_reviews() -> Splits:
    """10,662 sentences as word numbers (N, 32), liked or not (Pang and Lee 2005); a fifth is the test."""
    folder = root() / "small/text"
    found: list[tuple[str, int]] = []
    for kind, file in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        found += [(line, kind) for line in (folder / file).read_text("latin-1").splitlines()]
    return _numbered(found)


def spam() -> Splits:
    """5,574 text messages as word numbers (N, 32), spam (13%) or not; a fifth is the test."""
    lines = (root() / "small/text/SMSSpamCollection").read_text("utf-8").splitlines()
    return _numbered([(text, int(kind == "spam")) for kind, text in (line.split("\t", 1) for line in lines if "\t" in line)])


def _numbered(found: list[tuple[str, int]]) -> Splits:
    order = np.random.default_rng(SEED).permutation(len(found))
    x = np.zeros((len(found), WORDS), np.int64)  # 0: nothing
    for row, (text, _) in enumerate(found):
        words = text.lower().split()[:WORDS]
        x[row, : len(words)] = [1 + int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % (VOCABULARY - 1) for word in words]
    y = np.array([kind for _, kind in found], np.int64)
    for_test = len(found) // 5
    return held_out(x[order][for_test:], y[order][for_test:], (x[order][:for_test], y[order][:for_test]))
