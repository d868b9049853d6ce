"""Processes of the tests: started, watched, waited for."""

import time
from pathlib import Path


def children(pid: int) -> list[int]:
    """A process's descendants."""
    found = []
    for path in Path("/proc").glob(f"{pid}/task/*/children"):
        for child in said(path).split():
            found += [int(child), *children(int(child))]
    return found


def running(pids: list[int]) -> list[int]:
    """Those that still run; a zombie, which only waits to be looked at, does not."""
    return [pid for pid in pids if said(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[:1] not in ([], ["Z"], ["X"])]


def said(path: Path) -> str:
    """What the system says there; nothing where the process or thread has ended meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def rows(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") - 1 for path in folder.glob("runs/c/records/*.jsonl"))


def patiently(condition: object, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)
