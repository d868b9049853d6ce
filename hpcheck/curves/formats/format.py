"""What a file format is: a module with two functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hpcheck.curves.table import Table


class Format(Protocol):
    """One module of this folder."""

    def looks(self, path: Path, head: str) -> bool:
        """Whether the file is of this format, by its name and the text of its first bytes."""

    def read(self, path: Path) -> Sequence[Table]:
        """The file's tables, one for each run in it. Raises `ConfigError` where it has none."""
