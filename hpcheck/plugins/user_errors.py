"""When code that the user's config names fails: their traceback without hpcheck's frames, or a line on what it should have returned."""

import sys
import sysconfig
import traceback
from pathlib import Path

OURS = str(Path(__file__).parent.parent)
PACKAGES = {"site-packages", "dist-packages"}
INSTALLED = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")} | {sys.base_prefix})


class UsersCodeError(Exception):
    """The user's own function is missing, returned the wrong thing, or raised; the message then ends in its traceback."""


def as_theirs(error: BaseException) -> UsersCodeError | None:
    """The error with the part of its traceback that begins in the user's own file; None where it passed through none, or is hpcheck's."""
    if type(error).__module__.startswith("hpcheck."):
        return None  # said in our own words already
    frames = traceback.extract_tb(error.__traceback__)
    first = next((index for index, frame in enumerate(frames) if is_theirs(frame.filename)), None)
    if isinstance(error, SyntaxError) and error.filename and is_theirs(error.filename):
        first = len(frames)
    if first is None:
        return None
    place = frames[first] if first < len(frames) else None
    where = f"{place.filename}:{place.lineno}: {place.name}" if place else f"{getattr(error, 'filename', '')}"
    lines = [*traceback.format_list(frames[first:]), *traceback.format_exception_only(error)]
    return UsersCodeError(f"{where} raised {type(error).__name__}\n{''.join(lines).rstrip()}")


def in_one_line(name: str, error: BaseException) -> UsersCodeError | None:
    """The error of the user's function `name` in one line, with the place in their file that it left last; None where it passed through
    none of their files, or is hpcheck's."""
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if is_theirs(frame.filename)]
    if not theirs or type(error).__module__.startswith("hpcheck."):
        return None
    place, said = theirs[-1], " ".join(str(error).split())
    raised = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return UsersCodeError(f"{place.filename}:{place.lineno}: {name} raised {raised}")


def is_theirs(filename: str) -> bool:
    """Whether a file is neither hpcheck's nor an installed package's; what is in no file (`<frozen importlib>`) is nobody's."""
    if PACKAGES & set(Path(filename).parts):
        return False  # of another environment too, that this one was put on top of
    return Path(filename).is_file() and not filename.startswith((f"{OURS}/", *(f"{folder}/" for folder in INSTALLED)))
