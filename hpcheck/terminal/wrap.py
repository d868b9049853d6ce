"""Lines of words that fit a terminal: broken between words, never inside one, and never inside a command in backquotes."""

import os
import re
import textwrap
from typing import TextIO

NARROWEST = 40  # ours: a narrower terminal breaks lines by itself
WHOLE = re.compile(r"`[^`]*`")  # a command that is told in a sentence stays on one line, to be copied
JOINED = "\0"


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that `stream` goes to; None where it goes to a file or a pipe, whose readers break lines themselves."""
    try:
        if not stream.isatty():
            return None
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None


def wrapped(text: str, width: int | None, hangs: bool = True) -> str:
    """Each line of `text` on lines of at most `width` characters; a word that is longer, such as a path, stays whole. Where it `hangs`,
    further lines are set in.

    >>> print(wrapped("the largest of 0.014, 0.095; see `hpcheck show --snippet pytorch`", 40))
    the largest of 0.014, 0.095; see
      `hpcheck show --snippet pytorch`
    """
    if width is None or width < NARROWEST:
        return text
    return "\n".join(_line(line, width, hangs) for line in text.split("\n"))


def _line(line: str, width: int, hangs: bool) -> str:
    if len(line) <= width:
        return line
    joined = WHOLE.sub(lambda found: found.group().replace(" ", JOINED), line)
    indent = _hanging(line, width) if hangs else ""
    parts = textwrap.wrap(joined, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)
    return "\n".join(parts).replace(JOINED, " ")


def _hanging(line: str, width: int) -> str:
    """What further lines begin with: as far in as the words after a name that stands in a column of its own."""
    named = re.match(r"\s*\S.*?\s{2,}(?=\S)", line)
    if named and named.end() < width / 2:
        return " " * named.end()
    return " " * (len(line) - len(line.lstrip()) + 2)


def shortened(words: str, room: int) -> str:
    """`words` cut between two words, so that they take at most `room` characters with the sign that they go on.

    >>> shortened("weight decay 0.0032, lr 0.095, fresh seed 1", 28), shortened("short", 28), shortened("momentum 0.9", 6)
    ('weight decay 0.0032, lr …', 'short', '…')
    """
    if len(words) <= room:
        return words
    kept = words[: max(room - 1, 0)].rpartition(" ")[0].rstrip(",;: ")
    return f"{kept} \u2026" if kept else "\u2026"[:room]
