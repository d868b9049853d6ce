"""Reading of regular files alone, of a bounded size: a pipe or a device would keep the command waiting, or fill the memory."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MIB = 1 << 20


def opened(path: Path, largest: int | None = None) -> BinaryIO:
    """A regular file of at most so many bytes, open for reading. Raises `OSError` for anything else, and never waits for a pipe."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "no name of a file: it holds a NUL", str(path)) from None
    try:
        refuse_irregular(file)
        if largest is not None and os.fstat(file).st_size > largest:
            raise OSError(errno.EFBIG, f"larger than {largest // MIB} MiB, the most that is read here", str(path))
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def refuse_irregular(file: int) -> None:
    """Raise `OSError` where an open file is a folder, a pipe or a device."""
    mode = os.fstat(file).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")


def read_whole(path: Path, largest: int | None = None) -> bytes:
    """All that is in a regular file of at most so many bytes. Raises `OSError`."""
    with opened(path, largest) as file:
        return file.read()
