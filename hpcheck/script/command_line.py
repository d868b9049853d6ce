"""`hpcheck STEP [CONFIG] -- COMMAND`: the user's command is split off before the command line is read."""

import re
from collections.abc import Sequence
from pathlib import Path

from hpcheck.errors import InputError

TAKE_ONE = ("run", "lr-range", "batch", "momentum", "wd-grid", "confirm", "train", "check", "plan")
FILES = ("read", "validate")  # where `--` ends the options, as ever
PLACE = "the command after --"


_command: list[str] | None = None  # of the call that this process is for


def take(arguments: Sequence[str]) -> list[str]:
    """What of a call is hpcheck's own; the user's command is kept for `of_this_call`."""
    global _command
    own, _command = split(arguments)
    return own


def of_this_call() -> list[str] | None:
    """The user's command, which stood after `--`."""
    return _command


def split(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """What is hpcheck's own, and the user's command; None where there is no `--`. Raises `InputError` where it cannot stand there.

    >>> split(["lr-range", "-q", "--", "python", "train.py", "--", "x"]), split(["run"])
    ((['lr-range', '-q'], ['python', 'train.py', '--', 'x']), (['run'], None))
    """
    if "--" not in arguments:
        return list(arguments), None
    at = arguments.index("--")
    own, command = list(arguments[:at]), list(arguments[at + 1 :])
    name = next((word for word in own if not word.startswith("-")), "")
    if name in FILES:
        return list(arguments), None
    if name not in TAKE_ONE:
        raise InputError(f"hpcheck {name}: takes no command after --; {', '.join(TAKE_ONE)} do")
    if not command:
        raise InputError("there is no command after --; give one, such as: hpcheck run -- python train.py")
    return own, command


def run_name(command: Sequence[str]) -> str:
    """The name of the run directory for a command: that of its script or module.

    >>> run_name(["torchrun", "--nproc_per_node=2", "my train.py"]), run_name(["python", "-m", "pkg.train"]), run_name(["./go"])
    ('my-train', 'train', 'go')
    """
    from hpcheck.script.outcome import named

    name = named(command)
    stem = Path(name).stem if name.endswith(".py") or "/" in name else name.rpartition(".")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "script"
