"""Processes that came of a worker: those of a data loader, and what the user's code starts. They end with it, and with the command."""

import ctypes
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from hpcheck.engine.pool.ends_with_parent import PR_SET_PDEATHSIG

PATIENCE_SECONDS = 0.5  # ours: so long may they take to end after SIGTERM, once their worker has
LOOK_SECONDS = 0.02


class Descendants:
    """All that came of some processes, as long as they are looked at, and however deep. On Linux alone: elsewhere nothing is found."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}  # by process id, the kernel's handle: of this very process and no later one of the same number

    def look(self, pids: list[int]) -> None:
        """Take note of what has come of these processes since."""
        waiting = list(pids)
        while waiting:
            for pid in _children(waiting.pop()):
                waiting.append(pid)
                if pid not in self._files and hasattr(os, "pidfd_open"):
                    with suppress(OSError):
                        self._files[pid] = os.pidfd_open(pid)

    def end(self, seconds: float = PATIENCE_SECONDS) -> None:
        """End those that still run: by SIGTERM, and after so many seconds by SIGKILL."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + seconds
        while self._files and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            self._forget_ended()
        self.kill()

    def kill(self) -> None:
        """The same at once."""
        self._signal(signal.SIGKILL)
        for file in self._files.values():
            os.close(file)
        self._files = {}

    def _signal(self, number: signal.Signals) -> None:
        self._forget_ended()
        for file in self._files.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(file, number)

    def _forget_ended(self) -> None:
        if not self._files:
            return
        poll = select.poll()
        for file in self._files.values():
            poll.register(file, select.POLLIN)
        ended = {file for file, _ in poll.poll(0)}
        for pid in [pid for pid, file in self._files.items() if file in ended]:
            os.close(self._files.pop(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended meanwhile
            found += map(int, path.read_text(encoding="ascii").split())
    return found


def end_of_this_process() -> None:
    """End at once all that came of this process."""
    found = Descendants()
    found.look([os.getpid()])
    found.kill()


def end_forks_with_this_process() -> None:
    """Have the kernel kill what this process forks, such as a data loader's processes, when this process ends, however it does: one that
    hangs does not look whether its parent still lives. And have SIGTERM end them, whatever this process does about it."""
    libc = ctypes.CDLL(None)
    prctl = getattr(libc, "prctl", None) if sys.platform.startswith("linux") else None
    forking: list[tuple[int, bool]] = []  # this process, and whether its main thread forks: to the kernel the parent is a thread

    def before() -> None:
        forking.append((os.getpid(), threading.current_thread() is threading.main_thread()))

    def in_parent() -> None:
        forking.pop()

    def in_child() -> None:
        parent, is_main = forking.pop()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if prctl is not None and is_main:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
