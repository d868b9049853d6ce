"""The bytes and lines of a file: only regular ones, none too large, unpacked from gzip, and a plain word for what is no text."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcheck.curves.table import refusal
from hpcheck.files.regular import MIB, opened, read_whole

LARGEST = 64 * MIB  # ours: bytes of text that are held at once; a table takes about ten times as much memory, and has to stay below 1 GB
LARGEST_STREAMED = 512 * MIB  # ours: bytes of text that are read line by line, of which those alike are thinned
LONGEST_LINE = 4 * MIB  # ours: characters of a line that are read at once
STREAMED = 4 * MIB  # ours: bytes from which on lines are read one after another
MOST_ROWS = 1_000_000  # ours: rows that are held; each takes about a kilobyte
HEAD = 1 << 20  # bytes by which a format must show itself: a network's description stands before a Caffe log's first iteration
FEW = 0.01  # ours: share of bytes that may be no UTF-8 in a file that is still text, such as a torn progress bar
BINARY = {  # first bytes: what it is, and what to do
    b"PK\x03\x04": (
        "a zip archive: an Excel workbook, a checkpoint or a folder",
        "the log in it, or the table saved as CSV",
    ),
    b"BZh": ("compressed by bzip2", "the file after bunzip2"),
    b"\xfd7zXZ": ("compressed by xz", "the file after unxz"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "the file after unzstd"),
    b"PAR1": ("a Parquet file", "in Python, hpcheck.read(pandas.read_parquet(FILE)), or the table saved as CSV"),
    b"ARROW1": ("an Arrow or Feather file", "in Python, hpcheck.read(pandas.read_feather(FILE)), or the table saved as CSV"),
    b"\x89PNG": ("a picture", "the numbers that it was drawn from"),
    b"\xff\xd8\xff": ("a picture", "the numbers that it was drawn from"),
    b"%PDF": ("a PDF", "the numbers that it shows, saved as CSV"),
    b"SQLite format 3": ("an SQLite database", "--format sqlite for those of trackio, MLflow and Optuna, else its runs exported as CSV"),
    b"\x89HDF": ("an HDF5 file", "the history, saved as CSV or JSON"),
    b"\x93NUMPY": ("a numpy array", "a table with named columns, such as CSV"),
    **{
        b"\x80" + bytes([protocol]): ("a Python pickle, which is never opened: it can run code", "the history, saved as CSV or JSON")
        for protocol in range(2, 6)
    },
    b":W&B": ("W&B's own binary log", "the run's history, exported as CSV"),
}


GZIP = b"\x1f\x8b"
DAMAGED = "compressed by gzip, and damaged or cut short"
ENOUGH = 64  # bytes: of a text in UTF-16 without a mark, about half of the first ones are NUL


def head(path: Path) -> bytes:
    """The file's first bytes, unpacked. Raises `OSError` for anything but a regular file."""
    return _unpacked(path, HEAD)


def whole(path: Path) -> bytes:
    """All its bytes, unpacked. Raises `OSError` where there are too many, or it is no regular file."""
    content = _unpacked(path, LARGEST + 1) if _is_packed(path) else read_whole(path, LARGEST)
    if len(content) > LARGEST:
        raise refusal(path, None, f"larger than {LARGEST // MIB} MiB unpacked, the most that is read here")
    return content


def _is_packed(path: Path) -> bool:
    with opened(path) as file:
        return file.read(len(GZIP)) == GZIP


def _unpacked(path: Path, most: int) -> bytes:
    with opened(path) as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if not packed:
            return file.read(most)
        try:
            return gzip.GzipFile(fileobj=file).read(most)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refusal(path, None, DAMAGED, "", "the whole file") from error


def encoding_of(content: bytes) -> str:
    """UTF-16 where a mark or NUL bytes beside characters say so, else UTF-8."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    first = content[:ENOUGH]
    for at, order in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(first) >= 8 and not any(first[at::2]) and all(first[1 - at :: 2]):
            return order
    return "utf-8-sig"


def beginning(path: Path) -> str:
    """The text of the file's first bytes, without what stands before its first character."""
    content = head(path)
    return content.decode(encoding_of(content), errors="replace").lstrip("\ufeff \t\r\n").replace("\r", "\n")


def text(path: Path) -> str:
    """The file's text, as UTF-8 or UTF-16; the ends of lines as they are on Unix."""
    content = whole(path)
    refuse_binary(path, content)
    encoding = encoding_of(content)
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
    return found.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def refuse_binary(path: Path, content: bytes) -> None:
    """Raise `ConfigError` for what is known by its first bytes to be no text."""
    for magic, (what, instead) in BINARY.items():
        if content.startswith(magic):
            raise refusal(path, None, f"not text: {what}", "", instead)


def streamed_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file of any size that is read here, one after another; a small file's are checked as a whole first."""
    with opened(path) as file:
        size = file.seek(0, io.SEEK_END)
    if size <= STREAMED and not _is_packed(path):
        yield from enumerate(text(path).splitlines(keepends=True), start=1)
        return
    first = head(path)
    refuse_binary(path, first)
    with opened(path, LARGEST_STREAMED) as file:
        unpacked: Any = gzip.GzipFile(fileobj=file) if _is_packed(path) else file
        lines = io.TextIOWrapper(unpacked, encoding_of(first), errors="replace", newline=None)
        read = 0
        try:
            for at, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE), ""), start=1):
                read += len(line)
                if "\0" in line:
                    raise refusal(path, at, "not text", "a NUL byte", "UTF-8 text")
                if read > LARGEST_STREAMED:
                    raise refusal(path, at, f"larger than {LARGEST_STREAMED // MIB} MiB unpacked, the most that is read here")
                yield at, line.lstrip("\ufeff") if at == 1 else line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refusal(path, None, DAMAGED, "", "the whole file") from error


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, numbered from 1. The ends of lines are kept."""
    lines = text(path).splitlines(keepends=True)
    refuse_many(path, len(lines))
    return enumerate(lines, start=1)


def refuse_many(path: Path, rows: int) -> None:
    """Raise `ConfigError` for more rows than are read."""
    if rows > MOST_ROWS:
        raise refusal(path, None, f"more than {MOST_ROWS:,} rows", "", "the evaluations alone, or every tenth row")
