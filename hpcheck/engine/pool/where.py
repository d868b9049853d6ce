"""Where in the user's code a worker is that does not end when it is asked to: a person whose training hangs wants to know."""

import signal
from contextlib import suppress
from types import FrameType

from hpcheck.plugins.user_errors import is_theirs
from hpcheck.terminal import stdout

WHERE = signal.SIGUSR1
DATA_LOADER = "torch/utils/data/dataloader.py"


def say_where_when_asked() -> None:
    """Have this process, a worker, say at the signal `WHERE` which line of the user's code it is in; nothing where it is in none."""
    signal.signal(WHERE, _say)


def _say(_number: int, frame: FrameType | None) -> None:
    place = line_of(frame) or ("a DataLoader, which waits for its processes" if _is_in(frame, DATA_LOADER) else "")
    with suppress(OSError, RuntimeError, ValueError):  # it may hang in a print of its own, or have closed stderr
        if place:
            stdout.tell(f"warning: a worker did not end its step when it was asked to, and is killed; it was at {place}")


def line_of(frame: FrameType | None) -> str:
    """The innermost line of the user's own files that led here; empty where there is none."""
    while frame is not None:
        if is_theirs(frame.f_code.co_filename):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}: {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def _is_in(frame: FrameType | None, file: str) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.endswith(file):
            return True
        frame = frame.f_back
    return False
