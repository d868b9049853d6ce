"""Which files the user's own builder reads: what is in them decides what a run computes, so a run's identity must know of them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hpcheck.plugins.user_errors import UsersCodeError

CODE = {".py", ".pyc", ".pyi", ".so"}  # the user's own modules are in the identity already
INSTALLED = {"site-packages", "dist-packages"}  # an environment that lies inside the project
_opened: list[set[Path]] = []  # what is being watched; empty: nobody watches
_hooked: list[bool] = []  # an audit hook cannot be taken away, so there is one a process


@contextmanager
def declared(kind: str, name: str, reads: Sequence[str]) -> Iterator[None]:
    """Raise `UsersCodeError` after the body where it opened a file below the working directory that `reads` does not list, nor a folder
    around it. `kind` is the section of the config that names the files: "model" or "task"."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_note)
    opened: set[Path] = set()
    _opened.append(opened)
    try:
        yield
    finally:
        _opened.pop()
    here, known = Path.cwd().resolve(), {Path(path).resolve() for path in reads}
    unknown = sorted(path for path in opened - known if _counts(path, here, known))
    if unknown:
        listed = ", ".join(str(path.relative_to(here)) for path in unknown[:3])
        raise UsersCodeError(
            f"{kind} {name} reads {listed}, which is no part of a run's identity: a changed file would not be noticed; "
            f"name what it reads in the config ({kind}.reads: [{listed}])"
        )


def _counts(path: Path, here: Path, known: set[Path]) -> bool:
    """Whether a file that was opened is a part of the project that nobody knows of."""
    own = path.is_relative_to(here) and path.is_file() and path.suffix not in CODE and not INSTALLED & set(path.parts)
    return own and not any(path.is_relative_to(folder) for folder in known)


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened:
        path, mode = arguments[0], arguments[1]
        if isinstance(path, str | bytes | Path) and (mode is None or (isinstance(mode, str) and not set(mode) & set("wax+"))):
            _opened[-1].add(Path(path.decode() if isinstance(path, bytes) else path).resolve())
