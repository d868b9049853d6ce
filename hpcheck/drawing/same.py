"""What a picture says of what it shows, so that the same one is not drawn twice: matplotlib's import alone takes a fifth of a second."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpcheck.files.regular import opened

HEAD_BYTES = 8192  # ours: of a file, where it describes itself


def digest(shown: Sequence[Any]) -> str:
    """What a picture says of itself: a hash of what it shows, of the drawing code and of the library that draws it."""
    code = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py")))
    told = repr((tuple(shown), code, version("matplotlib")))
    return f"panels {hashlib.sha256(told.encode()).hexdigest()[:32]}"


def shown_by(path: Path, shows: str) -> bool:
    """Whether the picture there says at its beginning that it shows this."""
    try:
        with opened(path) as file:
            return shows.encode() in file.read(HEAD_BYTES)
    except OSError:
        return False
