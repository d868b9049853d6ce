"""Data sets that a folder holds: torchvision's, folders of images and CSV tables, known by their names and layout. No torch."""

import codecs
import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hpcheck.files.regular import MIB, opened

PLACES = (".", "data", "datasets")  # ours: where people keep data below a project's folder
TORCHVISION = {  # what torchvision leaves on disk, below the folder that it is told: our name
    "MNIST/raw/train-images-idx3-ubyte": "mnist",
    "FashionMNIST/raw/train-images-idx3-ubyte": "fashion-mnist",
    "cifar-10-batches-py/data_batch_1": "cifar10",
    "cifar-100-python/train": "cifar100",
}
IMAGES_SAMPLED = 24  # ours: images opened to see whether all have one size
HEAD = MIB  # ours: bytes in which a table's first two lines must stand
MOST_COUNTED = 64 * MIB  # ours: bytes of a table whose rows are counted and looked at
ROWS_COUNTED = 10_000  # ours: from so many on, the default batch size is small enough
LARGEST_SIDE = 64  # ours: larger images, or images of several sizes, are resized to this at first


@dataclass(frozen=True)
class Found:
    """A data set that was recognised: the `data` block that reads it, which starter fits it, a line for people, and how many examples
    there are, where that is little work to know."""

    data: dict[str, Any]
    kind: str  # "images" or "table": a file of `hpcheck/starters`
    words: str
    examples: int | None = None


def find(directory: Path) -> list[Found]:
    """What is recognised in `directory`, or in `data` or `datasets` below it; its root is told relative to `directory`."""
    roots = [place for place in PLACES if (directory / place).is_dir()]
    return [found for place in roots for found in (*_torchvision(directory, place), *_images(directory, place), *_tables(directory, place))]


def _torchvision(directory: Path, place: str) -> Iterator[Found]:
    for file, name in TORCHVISION.items():
        if (directory / place / file).exists() or (directory / place / f"{file}.gz").exists():
            yield Found({"name": name, "root": place}, "images", f"{name} in {place}")


def _images(directory: Path, place: str) -> Iterator[Found]:
    """Folders with `train/<class>/*.jpg` in them, `place` itself included."""
    from hpcheck.data.sets.image_folder import sources

    for folder in sorted(path.parent for path in (*directory.glob(f"{place}/train"), *directory.glob(f"{place}/*/train"))):
        images = sources(folder) if len(_folders(folder / "train")) >= 2 else []
        if not images:
            continue
        root = os.path.relpath(folder, directory)
        data: dict[str, Any] = {"name": "image-folder", "root": root, "image_size": side(images)}
        yield Found(
            {key: value for key, value in data.items() if value is not None},
            "images",
            f"image folder {root}: {len(images)} images in {len(_folders(folder / 'train'))} classes",
            len(images),
        )


def side(images: list[Path]) -> int | None:
    """The side to resize to: None where a sample of the images has one size and is small."""
    from PIL import Image

    sizes = set()
    for path in images[:: max(1, len(images) // IMAGES_SAMPLED)]:
        try:
            with opened(path) as file, Image.open(file) as image:
                sizes.add(image.size)
        except OSError:
            continue  # `hpcheck run` says which image cannot be read
    return None if len(sizes) == 1 and max(sizes.pop()) <= LARGEST_SIDE else LARGEST_SIDE


def _tables(directory: Path, place: str) -> Iterator[Found]:
    """CSV files with a header and numbers below it; the last column is taken as the target until the user says another. Columns without a
    number in every row are named in `drop`, so that nothing is left out in silence."""
    for path in sorted((directory / place).glob("*.csv")):
        header = _header(path)
        if header is None:
            continue
        file, (rows, worded) = os.path.relpath(path, directory), _rows(path, header)
        dropped = [name for name in header[:-1] if name in worded]
        data: dict[str, Any] = {"name": "hpcheck_entry:load", "file": file, "target": header[-1]}
        words = f"table {file}: {len(header)} columns, {header[-1]!r} taken as the target"
        if dropped:
            data["drop"] = dropped
            words += f"; left out, since not every row has a number there: {', '.join(dropped)}"
        yield Found(data, "table", words, rows)


def _header(path: Path) -> list[str] | None:
    """The column names of a table with at least two distinct ones and a row that has a number; None for any other file."""
    try:
        with opened(path) as file:
            rows = csv.reader(io.StringIO(codecs.getincrementaldecoder("utf-8-sig")().decode(file.read(HEAD)), newline=""))
            header, first = next(rows, []), next(rows, [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    usable = len(header) >= 2 and len(set(header)) == len(header) == len(first) and all(name.isprintable() and name for name in header)
    return header if usable and any(map(_is_number, first)) else None


def _rows(path: Path, header: list[str]) -> tuple[int, set[str]]:
    """About how many rows a table has, counted up to `ROWS_COUNTED`, and which columns have something else than a number in one of them."""
    worded: set[str] = set()
    count = 0
    with opened(path) as file:
        text = codecs.getincrementaldecoder("utf-8-sig")("replace").decode(file.read(MOST_COUNTED))
    for row in islice(csv.reader(io.StringIO(text, newline="")), 1, ROWS_COUNTED):
        count += bool(row)
        worded.update(name for name, word in zip(header, row, strict=False) if name not in worded and not _is_number(word))
    return count, worded


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")] if path.is_dir() else []
