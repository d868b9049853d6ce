"""A stand-in for `os` in `hpcheck.runs.files` whose n-th write, fsync, replace or cut fails, and one whose writes are short and slow."""

import os
import random
import time
from typing import Any

from hpcheck.runs import files, lock

FAILING = {"write", "pwrite", "fsync", "replace", "ftruncate"}


class FailingOs:
    """`os`, but operation number `at` (from 0) raises `OSError(number)`: that one alone, or all from there on."""

    def __init__(self, at: int, number: int, for_ever: bool) -> None:
        self.at, self.number, self.for_ever, self.count = at, number, for_ever, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self, f"_{name}") if name in FAILING else getattr(os, name)

    def _fails(self) -> bool:
        self.count += 1
        return self.count - 1 == self.at or (self.for_ever and self.count > self.at)

    def _failed(self) -> OSError:
        return OSError(self.number, os.strerror(self.number))

    def _write(self, file: int, content: Any) -> int:
        if self._fails():
            os.write(file, bytes(content)[: len(content) // 2])  # a disk that is full takes a part first
            raise self._failed()
        return os.write(file, content)

    def _pwrite(self, *arguments: Any) -> int:
        return self._done(os.pwrite, *arguments)

    def _fsync(self, *arguments: Any) -> None:
        self._done(os.fsync, *arguments)

    def _replace(self, *arguments: Any) -> None:
        self._done(os.replace, *arguments)

    def _ftruncate(self, *arguments: Any) -> None:
        self._done(os.ftruncate, *arguments)

    def _done(self, operation: Any, *arguments: Any) -> Any:
        if self._fails():
            raise self._failed()
        return operation(*arguments)


class ShortWrites:
    """`os`, but each write takes a part only and is followed by a while of computing, so that a kill may fall between two parts."""

    def __init__(self, seed: int, seconds: float = 1e-4, parts: int = 6) -> None:
        self.random, self.seconds, self.parts = random.Random(seed), seconds, parts

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, file: int, content: Any) -> int:
        whole = len(content)
        written = os.write(file, content[: self.random.randint(1, max(1, 2 * whole // self.parts))])
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass
        return written

    def fsync(self, file: int) -> None:
        """Nothing: a killed process loses nothing that reached the file, and a test of 200 kills would wear the disk."""


def put(fake: Any, patch: Any) -> None:
    """Have all of hpcheck's writing go through `fake`."""
    patch.setattr(files, "os", fake)
    patch.setattr(lock, "os", fake)
