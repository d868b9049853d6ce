"""All text that leaves for a terminal leaves here, with what a terminal would obey escaped. stdout is for a command's data alone: within a
command whatever else is printed, by the user's code or a library, goes to stderr."""

import codecs
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hpcheck.terminal.wrap import width_of, wrapped

if TYPE_CHECKING:
    from rich.console import Console

STDOUT, STDERR = 1, 2
LAYOUT = "\n\t"  # between lines and columns of our own
ESCAPED = "hpcheck.escaped"  # what is done about characters that an encoding lacks
SPELLED = {"\u00b1": "+-", "\u00d7": "x", "\u2013": "-", "\u2192": "->", "\u2026": "..."}  # of our own words
_kept: list[TextIO] = []  # stdout as it was when the command began


@contextmanager
def for_data_alone() -> Iterator[None]:
    """Within the body `print`, and whatever else writes to file descriptor 1, write to stderr; `write` and `stream` reach stdout."""
    with _apart(sys.stdout) as data:
        _kept.append(data)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _kept.pop()


@contextmanager
def _apart(stdout: TextIO | None) -> Iterator[TextIO]:
    """stdout on a file descriptor of its own, while descriptor 1 is stderr's; as it is where it isn't the process's own, and nowhere where
    it was closed before the process began."""
    if stdout is None:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            yield nowhere
        return
    is_own = bool(stdout is sys.__stdout__) and stdout.fileno() == STDOUT
    with _descriptor(stdout) if is_own else nullcontext(stdout) as data:
        yield data


@contextmanager
def _descriptor(stdout: TextIO) -> Iterator[TextIO]:
    stdout.flush()
    kept = os.dup(STDOUT)
    data = open(kept, "w", encoding=stdout.encoding, errors=ESCAPED, closefd=False)  # noqa: SIM115
    os.dup2(STDERR, STDOUT)
    try:
        yield data
    finally:
        with suppress(OSError):  # `write` has flushed, and told of it where that failed
            data.close()
        os.dup2(kept, STDOUT)
        os.close(kept)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Our own signs spelled, and others escaped, where the terminal's encoding has no such characters."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(SPELLED.get(one, one.encode("ascii", "backslashreplace").decode()) for one in lacking), error.end


codecs.register_error(ESCAPED, _escaped)


def stream() -> TextIO:
    """Where a command's data go."""
    return _kept[-1] if _kept else sys.stdout


def write(text: str, end: str = "\n") -> None:
    """A command's data, or a part of them, to stdout."""
    stream().write(f"{printable(text, LAYOUT)}{end}")
    stream().flush()


def write_lines(lines: Iterable[str]) -> None:
    """A command's data in lines: what would begin another line within one is escaped too."""
    write("\n".join(map(printable, lines)))


def write_words(lines: Iterable[str]) -> None:
    """The same for sentences, which fit the terminal where stdout is one."""
    width = width_of(stream())
    write("\n".join(wrapped(printable(line), width) for line in lines))


def tell(text: str, whole: bool = False) -> None:
    """Words for people, to stderr, broken between words where that is a terminal; `whole`: not broken, to be copied."""
    width = None if whole else width_of(sys.stderr)
    print(wrapped(printable(text, LAYOUT), width), file=sys.stderr, flush=True)


def printable(text: str, but: str = "") -> str:
    """`text` with everything that a terminal could act on, or that changes the order of what is read, escaped: names, labels and reasons
    come from files. What cannot be encoded is escaped too. `but`: characters that are let through.

    >>> printable("a" + chr(27) + "[31m" + chr(0x202E) + "b")
    'a\\\\x1b[31m\\\\u202eb'
    """
    return "".join(one if one.isprintable() or one in but else one.encode("unicode_escape").decode("ascii") for one in text)


def console(to_stderr: bool = False, **options: Any) -> "Console":
    """rich's console whose texts are escaped and whose colours are ours alone."""
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.text import Text

    class Escaping(Console):
        def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            text = Text(renderable) if isinstance(renderable, str) else renderable
            if isinstance(text, Text) and (escaped := printable(text.plain, LAYOUT)) != text.plain:
                text = text.blank_copy(escaped)
            yield from super().render(text, options)

    return Escaping(file=None if to_stderr else stream(), stderr=to_stderr, highlight=False, **options)


def drawn(table: Any, width: int) -> str:
    """What rich draws of a table in so many columns, without colours."""
    from rich.console import Console

    lines = StringIO()
    Console(file=lines, width=width, color_system=None).print(table)
    return lines.getvalue()


def as_json(content: Any) -> str:
    """What `--json` prints, which every reader of JSON takes: NaN becomes null, the infinities the strings "inf" and "-inf"."""
    return json.dumps(_plain(content), allow_nan=False).replace("\x7f", "\\u007f")  # the one that json lets through


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None if math.isnan(value) else str(float(value))
    return value
