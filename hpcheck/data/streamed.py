"""Images that stay in their files and are decoded when they are needed: what stands in for an array that memory does not hold. No torch."""

import hashlib
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcheck.data import images

SAMPLE = 1000  # ours: images read for the mean, and files whose contents go into the identity: enough for both, and seconds to read
CHUNK = 8  # images a thread decodes at a time


class Streamed:
    """(N, size, size, 3) uint8 images, known by the names of their files below `top`. Indexing gives fewer of them and decodes nothing."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, top: Path, names: NDArray[np.bytes_], image_size: int) -> None:
        self.top, self.names, self.image_size = top, names, image_size  # (N,) bytes, not Path objects: a tenth of the memory

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.names), self.image_size, self.image_size, 3

    def __getitem__(self, rows: Any) -> "Streamed":
        return Streamed(self.top, self.names[rows], self.image_size)

    def joined(self, other: "Streamed") -> "Streamed":
        """These images, then the others of the same folder."""
        return Streamed(self.top, np.concatenate([self.names, other.names]), self.image_size)

    def sample(self) -> "Streamed":
        """At most `SAMPLE` of the images, evenly spread."""
        return self[np.unique(np.linspace(0, len(self) - 1, min(SAMPLE, len(self))).astype(np.intp))]

    def decoded(self) -> NDArray[np.uint8]:
        """All of them as an array, decoded by several threads. Raises `DataError` for a file that is no image."""
        x = np.empty(self.shape, np.uint8)

        def fill(first: int) -> None:
            for row in range(first, min(first + CHUNK, len(self))):
                x[row] = images.decode(self._path(self.names[row]), self.image_size)[0]

        list(_pool().map(fill, range(0, len(self), CHUNK)))
        return x

    def identity(self) -> bytes:
        """A hash of the names and sizes of all files and of the contents of a sample: reading all of ImageNet would take half an hour."""
        digest = hashlib.sha256(f"{self.image_size}".encode())
        for name in self.names:
            digest.update(name + b"\0" + str(os.stat(self._path(name)).st_size).encode() + b"\0")  # noqa: PTH116
        for name in self.sample().names:
            digest.update(zlib.crc32(self._path(name).read_bytes()).to_bytes(4, "big"))
        return digest.digest()

    def _path(self, name: bytes) -> Path:
        return self.top / os.fsdecode(name)


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that decode, one a core, for the life of the process: PIL decodes outside Python's lock."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="decode")
