"""The files below a directory, without following links and without end: so many at most."""

import os
from collections.abc import Iterator
from pathlib import Path

from hpcheck.curves.table import refusal

MOST_FILES = 20_000  # ours: files looked at below one directory


def files_below(path: Path) -> Iterator[Path]:
    """The regular files, hidden directories left out, in the order of their names."""
    seen = 0
    for folder, inside, names in os.walk(path, followlinks=False):
        inside[:] = sorted(one for one in inside if not one.startswith("."))
        for name in sorted(names):
            seen += 1
            if seen > MOST_FILES:
                raise refusal(path, None, f"more than {MOST_FILES} files", "", "the directory of the runs alone")
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file
