"""Your own images: `root/folder/{train, val and/or test}/<class>/*.jpg`, decoded into memory or, streamed, as they are needed."""

import os
from collections.abc import Iterator, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hpcheck.data import images
from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.memory import free_bytes
from hpcheck.data.streamed import Streamed

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = ("train", "val", "test")
MEMORY_SHARE = 0.5  # ours: of the free memory; the rest is for the run
CHUNK = 256  # images a thread decodes at a time
SMALL_FILE_BYTES = 16 * 1024  # ours: two threads decode 6 KB JPEGs no faster than one, and 160 KB ones 1.9 times as fast


def sources(root: Path, *, folder: str | None = None, image_size: int | None = None, stream: bool = False) -> list[Path]:
    """The files that `load` reads whole; none where it streams: what is not in memory is not cached either."""
    if stream:
        return []
    return [path for split in SPLITS for _, paths in _classes(_top(root, folder) / split) for path in paths]


def load(root: Path, *, folder: str | None = None, image_size: int | None = None, stream: bool = False) -> Raw:
    """Images of `root`/`folder`, one directory a split and in it one a class; `val` or `test` may be missing.

    Without `image_size` all must have one size; with it the shorter side is resized to it and the centre square cut out. With `stream`
    they stay in their files and are decoded when they are needed.
    """
    top = _top(root, folder)
    if stream:
        return _streamed(top, image_size)
    listed = {split: list(_classes(top / split)) for split in SPLITS if (top / split).is_dir()}
    _check_classes(top, listed)
    paths = {split: [path for _, found in classes for path in found] for split, classes in listed.items()}
    every_path = [path for found in paths.values() for path in found]
    x = _decode(every_path, image_size)  # (N, H, W, C)
    ends = np.cumsum([0, *(len(found) for found in paths.values())])
    arrays = {
        split: Arrays(x[first:end], np.repeat(np.arange(len(classes)), [len(found) for _, found in classes]).astype(np.int64))
        for (split, classes), (first, end) in zip(listed.items(), pairwise(ends), strict=True)
    }
    names = tuple(name for name, _ in listed["train"])
    return Raw(arrays["train"], arrays.get("val"), arrays.get("test"), names)


def _top(root: Path, folder: str | None) -> Path:
    return root / folder if folder else root


def _classes(split: Path) -> Iterator[tuple[str, list[Path]]]:
    """Class names in order, each with its images in order. Hidden files and files that are no images are passed over."""
    if not split.is_dir():
        return
    for directory in sorted(path for path in split.iterdir() if path.is_dir() and not path.name.startswith(".")):
        names = sorted(entry.name for entry in os.scandir(directory) if not entry.name.startswith("."))
        yield directory.name, [directory / name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES]  # noqa: PTH122


def _streamed(top: Path, image_size: int | None) -> Raw:
    """The splits as names of files."""
    if image_size is None:
        raise DataError("image-folder: stream needs image_size, the side that all images are resized and cut to, such as 256")
    splits: dict[str, Arrays] = {}
    listed = {split: list(_names(top / split)) for split in SPLITS if (top / split).is_dir()}
    _check_classes(top, listed)
    for split, classes in listed.items():
        names = np.concatenate([names for _, names in classes])
        y = np.repeat(np.arange(len(classes)), [len(names) for _, names in classes]).astype(np.int64)
        splits[split] = Arrays(cast("NDArray[np.uint8]", Streamed(top, names, image_size)), y)
    return Raw(splits["train"], splits.get("val"), splits.get("test"), tuple(name for name, _ in listed["train"]))


def _names(split: Path) -> Iterator[tuple[str, NDArray[np.bytes_]]]:
    """Class names in order, each with its images' names below the folder, as bytes."""
    for name, paths in _classes(split):
        yield name, np.array([os.fsencode(path.relative_to(split.parent)) for path in paths], dtype=np.bytes_)


def _check_classes(top: Path, listed: Mapping[str, Sequence[tuple[str, Sized]]]) -> None:
    """Raise `DataError` unless there is a train split, with two classes or more, none empty, and the same in every split."""
    expected = "expected train/<class>/*.jpg, and val or test beside train"
    if "train" not in listed:
        raise DataError(f"image-folder: {top.absolute()} has no folder train; {expected}")
    names = [name for name, _ in listed["train"]]
    if len(names) < 2:
        raise DataError(f"image-folder: {(top / 'train').absolute()} has {len(names)} class folders, at least 2 are needed; {expected}")
    for split, classes in listed.items():
        differing = sorted({name for name, _ in classes} ^ set(names))
        if differing:
            raise DataError(f"image-folder: {top.absolute()}: train and {split} do not have the same classes: {', '.join(differing[:5])}")
        for name, paths in classes:
            if len(paths) == 0:
                raise DataError(f"image-folder: {(top / split / name).absolute()} has no images ({', '.join(sorted(SUFFIXES))})")


def _decode(paths: list[Path], image_size: int | None) -> NDArray[np.uint8]:
    """All images as (N, H, W, 3), or (N, H, W, 1) where every one of them is grey."""
    height, width = (image_size, image_size) if image_size else images.decode(paths[0], None)[0].shape[:2]
    _check_memory(paths, height, width)
    x = np.empty((len(paths), height, width, 3), np.uint8)

    def fill(first: int) -> bool:
        grey = True
        for index in range(first, min(first + CHUNK, len(paths))):
            pixels, is_grey = images.decode(paths[index], image_size)
            if pixels.shape[:2] != (height, width):
                raise DataError(
                    f"image-folder: images differ in size: {paths[0]} is {width}x{height}, {paths[index]} is "
                    f"{pixels.shape[1]}x{pixels.shape[0]}; set image_size, the side that all are resized and cut to"
                )
            x[index] = pixels
            grey &= is_grey
        return grey

    with ThreadPoolExecutor(max_workers=_threads(paths)) as pool:
        grey = list(pool.map(fill, range(0, len(paths), CHUNK)))
    return np.ascontiguousarray(x[..., :1]) if all(grey) else x


def _threads(paths: list[Path]) -> int:
    """One a core, or 1 for small files: there Python's own work outweighs the decoding, and threads only wait for each other."""
    sample = paths[:: max(1, len(paths) // 100)]
    mean_bytes = sum(path.stat().st_size for path in sample) / len(sample)
    return (os.cpu_count() or 1) if mean_bytes > SMALL_FILE_BYTES else 1


def _check_memory(paths: list[Path], height: int, width: int) -> None:
    needed, free = len(paths) * height * width * 3, free_bytes()
    if free is not None and needed > MEMORY_SHARE * free:
        raise DataError(
            f"image-folder: {len(paths)} images of {width}x{height} take {needed / 2**30:.3g} GiB decoded, more than half of the "
            f"{free / 2**30:.3g} GiB of free memory; set a smaller image_size, or stream: true"
        )
