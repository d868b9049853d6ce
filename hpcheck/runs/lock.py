"""One process at a time in a run directory: a lock that says who holds it, and that goes with its holder."""

import json
import os
import socket
import time
import weakref
from pathlib import Path

from hpcheck.runs.files import locked, naming

LOCK = ".lock"  # never removed: two processes could else hold the locks of two files of this name
MAX_BYTES = 500


class HeldError(Exception):
    """Another process works in the run directory; the message says which."""


class RunLock:
    """The lock of `folder`, held until `release` or the end of the process, however that ends. Raises `HeldError`."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        with naming(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            self.release = weakref.finalize(self, os.close, self._file)  # at once, or when nobody has this object any more
            if not locked(self._file):
                holder = holder_in(self._file)
                self.release()
                raise HeldError(f"{folder}: {holder} works in this run directory; wait for it, or give this run another name (-s name=...)")
            os.ftruncate(self._file, 0)
            started = time.strftime("%Y-%m-%d %H:%M:%S")
            os.pwrite(self._file, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": started}).encode(), 0)


def holder_in(file: int) -> str:
    """Who says to hold the lock: `process 12 on host since 2026-01-31 12:00:00`."""
    try:
        said = json.loads(os.pread(file, MAX_BYTES, 0))
        words = f"process {int(said['pid'])} on {said['host']} since {said['started']}"
    except (ValueError, KeyError, TypeError, OverflowError):  # it has only just begun, or somebody else wrote it
        return "another process"
    return words if words.isprintable() else ascii(words)
