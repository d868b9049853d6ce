"""Files that a launch opens to read before its first update: configs that its identity should know, and what an earlier launch wrote."""

import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpcheck.script.job import ScriptError

MOST = 10_000  # ours: names that are kept; a folder of images has more
CODE = (".py", ".pyc", ".so")
CONFIGS = {".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf"}  # ours: what people write settings in

_names: dict[str, None] | None = None  # in the order of opening; None where nobody notes them
_hooked, _began = False, 0.0


def begin() -> None:
    """Note names from here on. An audit hook cannot be taken away: a process has one, which later looks at a variable alone."""
    global _names, _hooked, _began
    _names, _began = {}, time.time()
    if not _hooked:
        _hooked = True
        sys.addaudithook(_heard)


def end() -> list[Path]:
    """The files that were opened to read since `begin`, and no more of them."""
    global _names
    found, _names = _names, None
    return [Path(name) for name in found or ()]


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _names is None or event != "open" or len(_names) >= MOST:
        return
    path, mode = arguments[0], arguments[1]
    if isinstance(mode, str) and mode.startswith("r") and isinstance(path, str | os.PathLike):
        name = os.fspath(path)
        if isinstance(name, str) and not name.endswith(CODE):
            _names[os.path.abspath(name)] = None  # noqa: PTH100  it is called for every file


def written_since(opened: Iterable[Path], since: float) -> list[Path]:
    """Those that were written after this time and before this launch: by another launch of the search, or by a program beside it."""
    return [path for path in opened if since < _changed_at(path) < _began]


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return 0.0


def configs(opened: Iterable[Path]) -> list[str]:
    """Files of settings among them: an edit of one makes another training."""
    return [str(path) for path in opened if path.suffix.lower() in CONFIGS and path.is_file()]


class FirstLoss:
    """One seed gives one first loss: another than the describe launch had means that this is not the training that it looked at."""

    SAME = 1e-3  # ours, relative: float32 on other threads differs by 1e-6

    def __init__(self, told: Mapping[str, Any], since: float) -> None:
        self._told, self._since = told, since
        self._opened: list[Path] = []

    def begins(self) -> None:
        """Right before the first update."""
        self._opened = end()

    def is_another(self, loss: float, seed: int, total_batch_size: int) -> bool:
        """Whether the script draws random numbers of its own. Raises `ScriptError` where it goes on from what an earlier launch wrote."""
        alike = self._told.get("seed") == seed and self._told.get("total_batch_size") == total_batch_size
        first = self._told.get("first_loss")
        if not alike or not isinstance(first, float) or not abs(loss - first) > self.SAME * abs(first):  # nor of a NaN
            return False
        written = written_since(self._opened, self._since) if self._since else []
        if written:
            raise ScriptError(
                f"the first loss is {loss:.4g}, and was {first:.4g} when the command looked: this run reads {written[0].name}, which an "
                "earlier run of the search wrote. Resume only where HPCHECK_JOB is not in os.environ"
            )
        return True
