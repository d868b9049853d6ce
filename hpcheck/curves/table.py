"""Table: what every format's reader gives, rows of named cells as they stand in the file, one table for each run in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hpcheck.config.problems import ConfigError, Problem
from hpcheck.curves.numbers import number


@dataclass(frozen=True)
class Row:
    """The cells of one line, raw; `line` counts from 1, None where the format has no lines."""

    line: int | None
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A run's rows in their order. `constants` hold for the whole run; `notes` say what the reader passed over or took for granted.

    `counts` is the column that the format itself counts by; "" where it is one among the others. `problems` are those of single lines.
    `run` is the run's name where the file holds several; "" where the file's own name stands for it.
    """

    rows: tuple[Row, ...]
    counts: str = ""
    constants: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    diverged: bool = False
    problems: tuple[Problem, ...] = ()
    run: str = ""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names in the order in which they first have a cell."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.cells))

    def values(self, column: str) -> Iterator[tuple[Row, float]]:
        """The rows with a number in this column, and the number; what is no number is passed over here."""
        for row in self.rows:
            try:
                value = number(row.cells.get(column))
            except (ValueError, OverflowError):
                continue
            if value is not None:
                yield row, value


def refusal(path: Path, line: int | None, problem: str, got: str = "", expected: str = "", key: str = "") -> ConfigError:
    """One thing that is wrong with a file, as an error to raise."""
    return ConfigError([Problem(str(path), line, key, problem, got, expected)])


def printable(text: str) -> str:
    """`text` with everything that a terminal could act on escaped: names and labels come from files.

    >>> printable("a" + chr(27) + "[31m")
    'a\\\\x1b[31m'
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
