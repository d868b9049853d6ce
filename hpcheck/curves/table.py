"""Table: what every format's reader gives, rows of named cells as they stand in the file, and how a cell becomes a number."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcheck.config.problems import ConfigError, Problem
from hpcheck.files.regular import MIB, read_whole

MISSING = {"", "-", "--", ".", "na", "n/a", "none", "null", "missing"}  # was not measured; NaN was measured, and is a value
LARGEST = 64 * MIB  # of a file with curves; ours: about a million rows, which take ten times as much memory
NAN = re.compile(r"[+-]?(nan(\(.*\))?|1\.#(q?nan|snan|ind)\d*)")  # Python, C, numpy and old Windows
INF = re.compile(r"([+-]?)(inf|infinity|∞|1\.#inf\d*)")


@dataclass(frozen=True)
class Row:
    """The cells of one line, raw; `line` counts from 1, None where the format has no lines."""

    line: int | None
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A file's rows in their order. `constants` hold for the whole run; `notes` say what the reader passed over or took for granted.

    `counts` is the column that the format itself counts by; "" where it is one among the others. `problems` are those of single lines.
    """

    rows: tuple[Row, ...]
    counts: str = ""
    constants: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    diverged: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the order in which they first have a cell."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.cells))


def is_missing(cell: Any) -> bool:
    """Whether nothing was measured."""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def number(cell: Any) -> float | None:
    """A cell as a number; None where nothing was measured. NaN and inf in any spelling are values. Raises `ValueError` otherwise.

    >>> [number(cell) for cell in ("1e-3", "-nan(ind)", "1.#INF", "n/a", None, 2)]
    [0.001, nan, inf, None, None, 2.0]
    """
    if is_missing(cell):
        return None
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    if not isinstance(cell, str):
        raise ValueError(f"not a number: {cell!r}")
    text = cell.strip().lower()
    if NAN.fullmatch(text):
        return float("nan")
    infinite = INF.fullmatch(text)
    if infinite:
        return float(f"{infinite[1]}inf")
    if "_" in text:
        raise ValueError(f"not a number: {cell!r}")  # Python would take 1_000
    return float(text)


def refusal(path: Path, line: int | None, problem: str, got: str = "", expected: str = "", key: str = "") -> ConfigError:
    """One thing that is wrong with a file, as an error to raise."""
    return ConfigError([Problem(str(path), line, key, problem, got, expected)])


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, numbered from 1, as UTF-8 or (where its first bytes say so) UTF-16. The ends of lines are kept."""
    content = read_whole(path, LARGEST)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refusal(
            path, line, "not text", f"the byte 0x{content[error.start]:02x}", "UTF-8 text, or an event file of TensorBoard"
        ) from error
    if "\0" in text:
        raise refusal(path, text[: text.index("\0")].count("\n") + 1, "not text", "a NUL byte", "UTF-8 text")
    return enumerate(text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True), start=1)
