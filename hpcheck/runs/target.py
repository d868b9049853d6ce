"""A file that a person names to be written: what cannot be written there is refused before anything is computed for it."""

import errno
import os
import stat
from pathlib import Path

from hpcheck.runs.files import StorageError

WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def refuse_target(path: Path, makes_folder: bool = False) -> None:
    """Raise `StorageError` where `path` can be no file of ours: a link, a folder, a pipe, a device, read-only, or in no folder.

    A file is written whole and then put in place, which would turn a link or a device into a file. A link is not followed: it may have come
    with a repository, and lead anywhere.

    Args:
        path: where a file is to be, or is to be replaced.
        makes_folder: the writer makes the folders that are missing.
    """
    why = _standing(path) or _folder(path.parent, makes_folder)
    if why:
        raise StorageError(f"{path}: cannot be written ({why})")


def _standing(path: Path) -> str | None:
    """What is wrong with what is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or str(error)
    if stat.S_ISLNK(mode):
        return "it is a symbolic link; name the file that it leads to"
    if stat.S_ISDIR(mode):
        return "it is a folder; name a file in it"
    if not stat.S_ISREG(mode):
        return "it is not a regular file"
    if not mode & WRITABLE or not os.access(path, os.W_OK):  # the first for root too, who may write everything
        return "it is read-only"
    return None


def _folder(folder: Path, makes_folder: bool) -> str | None:
    """What is wrong with the folder, or with the nearest one that is there."""
    try:
        while makes_folder and not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.exists():
            return f"there is no folder {folder}"
        if not folder.is_dir():
            return f"{folder} is no folder"
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder}: {os.strerror(errno.EACCES)}"
