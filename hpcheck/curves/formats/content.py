"""The bytes and lines of a file: only regular ones, none too large, and a plain word for what is no text."""

from collections.abc import Iterator
from pathlib import Path

from hpcheck.curves.table import refusal
from hpcheck.files.regular import MIB, opened, read_whole

LARGEST = 64 * MIB  # ours: bytes of text that are read; a table takes about ten times as much memory, and has to stay below 1 GB
MOST_ROWS = 1_000_000  # ours: rows that are read; each takes up to half a kilobyte
HEAD = 1 << 20  # bytes by which a format must show itself: a network's description stands before a Caffe log's first iteration
FEW = 0.01  # ours: share of bytes that may be no UTF-8 in a file that is still text, such as a torn progress bar
BINARY = {  # first bytes: what it is, and what to do
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "the table in it, saved as CSV"),
    b"\x1f\x8b": ("compressed by gzip", "the file after gunzip"),
    b"SQLite format 3": ("an SQLite database", "its runs, exported as CSV"),
    b"\x89HDF": ("an HDF5 file", "the history, saved as CSV or JSON"),
    b"\x93NUMPY": ("a numpy array", "a table with named columns, such as CSV"),
    b"\x80\x04": ("a Python pickle, which is never opened: it can run code", "the history, saved as CSV or JSON"),
    b"\x80\x03": ("a Python pickle, which is never opened: it can run code", "the history, saved as CSV or JSON"),
    b":W&B": ("W&B's own binary log", "the run's history, exported as CSV"),
}


def head(path: Path) -> bytes:
    """The file's first bytes. Raises `OSError` for anything but a regular file."""
    with opened(path) as file:
        return file.read(HEAD)


def whole(path: Path) -> bytes:
    """All its bytes. Raises `OSError` where there are too many, or it is no regular file."""
    return read_whole(path, LARGEST)


def text(path: Path) -> str:
    """The file's text, as UTF-8 or (where its first bytes say so) UTF-16; the ends of lines as they are on Unix."""
    content = whole(path)
    for magic, (what, instead) in BINARY.items():
        if content.startswith(magic):
            raise refusal(path, None, f"not text: {what}", "", instead)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        found = content.decode(encoding)
    except UnicodeDecodeError as error:
        found = content.decode(encoding, errors="replace")
        if found.count("\ufffd") > FEW * len(found) or "\0" in found:
            line = content[: error.start].count(b"\n") + 1
            got = f"the byte 0x{content[error.start]:02x}"
            raise refusal(path, line, "not text", got, "UTF-8 text, or an event file of TensorBoard") from error
    if "\0" in found:
        raise refusal(path, found[: found.index("\0")].count("\n") + 1, "not text", "a NUL byte", "UTF-8 text")
    return found.replace("\r\n", "\n").replace("\r", "\n")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, numbered from 1. The ends of lines are kept."""
    lines = text(path).splitlines(keepends=True)
    refuse_many(path, len(lines))
    return enumerate(lines, start=1)


def refuse_many(path: Path, rows: int) -> None:
    """Raise `ConfigError` for more rows than are read."""
    if rows > MOST_ROWS:
        raise refusal(path, None, f"more than {MOST_ROWS:,} rows", "", "the evaluations alone, or every tenth row")
