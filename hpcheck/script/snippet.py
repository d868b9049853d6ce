"""The lines that make a user's own script train with a recommendation. Text in, text out."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from hpcheck.errors import InputError


def write(recommended: Path, asked: str | None, command: Sequence[str] | None) -> str:
    """How a script uses `recommended`. Raises `InputError` for another snippet of a script: only the script knows its groups, clipping and
    loop, so code that was not run with them would train otherwise."""
    if asked not in (None, "hpcheck"):
        raise InputError(
            f"there is no snippet {asked} for a script: its own groups, clipping and loop stay as they are; use --snippet hpcheck"
        )
    given = shlex.join(command) if command is not None else "python train.py"
    return (
        f"# Train with these settings: first in the script,\nimport hpcheck\n\nhpcheck.use({str(recommended)!r})\n"
        f"# or, without a change: HPCHECK_SETTINGS={shlex.quote(str(recommended))} {given}\n"
    )
