"""What a script that failed says of itself: the last line of its own traceback, with file and line."""

import re
import traceback
from types import TracebackType
from typing import Any

from hpcheck.plugins.user_errors import is_theirs

RANK = re.compile(r"^\[(rank|default)?\d+\]:\s?")  # torchrun and torch.distributed put it before each line
FRAME = re.compile(r'^  File "(.+)", line (\d+), in (.+)$')
LONGEST = 300  # characters of an exception's words


def told_of(error: BaseException, trace: TracebackType | None) -> dict[str, Any]:
    """The exception in words, and the innermost place in the user's own files."""
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if is_theirs(frame.filename)]
    place = f"{own[-1].filename}:{own[-1].lineno}" if own else ""
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()
    from hpcheck.script.job import ScriptError

    ours = isinstance(error, ScriptError)
    return {"place": place, "words": str(error) if ours else _short(said[-1] if said else type(error).__name__), "ours": ours}


def from_text(output: str) -> tuple[str, str]:
    """Place and words of the last traceback in a script's output; empty where there is none."""
    lines = [RANK.sub("", line) for line in output.splitlines()]
    starts = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if not starts:
        return "", ""
    place, words = "", ""
    for line in lines[starts[-1] + 1 :]:
        frame = FRAME.match(line)
        if frame:
            if is_theirs(frame[1]):
                place = f"{frame[1]}:{frame[2]}"
        elif line and not line.startswith(" "):
            words = line
            break
    return place, _short(words)


def _short(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
