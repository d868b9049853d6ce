"""CIFAR-10 as two files of under 50 MiB, carried to another machine one after the other, and back to the folder that `data: cifar10` reads.

    python -m benchmarks halves pack FOLDER         # here: FOLDER/cifar10-half-1.tar and -2.tar, from the data in $HPCHECK_DATA
    python -m benchmarks halves unpack FILE...      # there, into $HPCHECK_DATA/cifar10-png, complete once both have come

A half holds every other class: up to 500 images of a class, one below the other, are one lossless WebP picture. Images come back bit for
bit, class by class, so that a run's id is the same on both machines.
"""

import argparse
import io
import os
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hpcheck.data.cache import load_raw

NAME = "cifar10"
COLUMN = 500  # images in a picture: WebP's largest side is 16,383 pixels


def pack(folder: Path, root: Path, name: str = NAME) -> list[Path]:
    """Two tar files of the data set `name` below `root`."""
    raw, _ = load_raw(name, root, {})
    names = raw.classes or ()
    folder.mkdir(parents=True, exist_ok=True)
    halves = []
    for half in (0, 1):
        halves.append(folder / f"{name}-half-{half + 1}.tar")
        with tarfile.open(halves[-1], "w") as tar:
            for split, arrays in raw.splits().items():
                for label in range(half, len(names), 2):
                    images = arrays.x[arrays.y == label]  # (N, H, W, 3)
                    for first in range(0, len(images), COLUMN):
                        _add(tar, f"{split}/{names[label]}/{first:05}.webp", _column(images[first : first + COLUMN]))
    return halves


def _column(images: NDArray[np.generic]) -> bytes:
    written = io.BytesIO()
    _, _, width, channels = images.shape
    Image.fromarray(np.ascontiguousarray(images).reshape(-1, width, channels)).save(written, "webp", lossless=True, quality=100, method=4)
    return written.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def unpack(halves: list[Path], root: Path, name: str = NAME) -> bool:
    """Write the images of `halves` below `root`, and say whether the data set is complete. Until it is, it lies under another name."""
    final, partial = root / f"{name}-png", root / f"{name}-partial"
    if final.is_dir():
        return True
    for half in halves:
        with tarfile.open(half) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content is not None
                _write(partial / Path(member.name).parent, int(Path(member.name).stem), content.read())
        (partial / half.name).touch()  # all of this half is there
    unpacked = list(partial.glob("*.tar"))
    if len(unpacked) < 2:
        return False
    for mark in unpacked:
        mark.unlink()
    partial.rename(final)
    return True


def _write(folder: Path, first: int, column: bytes) -> None:
    """One picture's images as files of their own."""
    pixels = np.asarray(Image.open(io.BytesIO(column)).convert("RGB"))
    side = pixels.shape[1]
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(pixels.reshape(-1, side, side, 3), start=first):
        Image.fromarray(image).save(folder / f"{index:05}.png", compress_level=0)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks halves", description=__doc__)
    parser.add_argument("what", choices=["pack", "unpack"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    given = parser.parse_args(arguments)
    if given.what == "pack":
        for half in pack(given.paths[0], given.data):
            print(f"{half}: {half.stat().st_size / 2**20:.1f} MiB")
    elif not unpack(given.paths, given.data):
        raise SystemExit("half of the data are there; the other half is to come")
