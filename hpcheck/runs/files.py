"""All writing into a run directory: files that appear whole or not at all, and files that only grow. A failure names its path."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpcheck.files.regular import read_whole, refuse_irregular

PATIENCE_SECONDS = 5.0  # ours: so long may a worker outlive its parent, and hold on to a record that the next process wants
NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}  # some network file systems; then nobody is kept out


class StorageError(Exception):
    """A file of the run directory could not be written or read; the message names its path."""


@contextmanager
def naming(path: Path, done: str = "written") -> Iterator[None]:
    """Any `OSError` of the body as a `StorageError` that names `path`."""
    try:
        yield
    except OSError as error:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
        raise StorageError(f"{path}: cannot be {done} ({why})") from error


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file so that a reader sees the old content or the new, never a part, whenever the process or the machine dies.

    Raises `StorageError` where that fails; the old content then stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming(path):
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                _write(file, content.encode() if isinstance(content, str) else content)
                os.fsync(file)
            finally:
                os.close(file)
            os.replace(temporary, path)  # noqa: PTH105  through `os`, where a test can make it fail
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in `folder` reach the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot sync folders
            raise
    finally:
        os.close(file)


def remove_leftovers(folder: Path) -> int:
    """Remove the temporary files of killed processes; returns how many there were. For the holder of the directory's lock only."""
    found = [path for path in folder.glob(".*.tmp") if path.name.split(".")[-2].isdecimal()]
    with naming(folder, "cleared"):
        for path in found:
            path.unlink(missing_ok=True)
    return len(found)


def locked(file: int) -> bool:
    """Take the lock of an open file without waiting; False where another process has it. It goes with the process that holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise
    return True


class Growing:
    """A file that one process at a time appends to. What is written has reached the file (not yet the disk) when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
            try:
                refuse_irregular(self._file)
            except OSError:
                os.close(self._file)
                raise
        self._is_open = True
        until = time.monotonic() + PATIENCE_SECONDS
        while not locked(self._file):
            if time.monotonic() > until:
                self.close()
                raise StorageError(f"{path}: another process is writing it")
            time.sleep(0.05)

    def content(self) -> bytes:
        """All that is in the file."""
        with naming(self.path, "read"):
            return read_whole(self.path)

    def append(self, content: bytes) -> None:
        with naming(self.path):
            _write(self._file, content)

    def cut(self, length: int) -> None:
        """Keep the first `length` bytes."""
        with naming(self.path):
            os.ftruncate(self._file, length)

    def sync(self) -> None:
        """See to it that the file reaches the disk."""
        with naming(self.path):
            os.fsync(self._file)
            sync_folder(self.path.parent)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._file)


def _write(file: int, content: bytes | memoryview) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
