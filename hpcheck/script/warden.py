"""Runs one command and ends it, with all that it started, once the driver is gone or says so. Run as a file, by itself."""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PATIENCE = 3.0  # ours: seconds that a command has to end after SIGTERM
SET_DEATH_SIGNAL, SET_SUBREAPER = 1, 36  # Linux's prctl


def main() -> int:
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prctl(SET_SUBREAPER, 1)
    try:
        child = subprocess.Popen([*command], stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_me)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: _end(child))
    ended = _wait(child, lifeline)
    if not ended:
        _end(child)
    code = child.wait()
    _kill_descendants()
    return code if code >= 0 else 128 - code


def _wait(child: "subprocess.Popen[bytes]", lifeline: int) -> bool:
    """Wait for the command; False where the driver let go first."""
    if hasattr(os, "pidfd_open"):
        handle = os.pidfd_open(child.pid)
        ready, _, _ = select.select([handle, lifeline], [], [])
        return handle in ready
    while child.poll() is None:
        if select.select([lifeline], [], [], 0.05)[0]:
            return False
    return True


def _end(child: "subprocess.Popen[bytes]") -> None:
    """A launcher of several processes ends them when it is asked to; what does not end is killed."""
    if child.poll() is None:
        child.terminate()
        until = time.monotonic() + PATIENCE
        while child.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
    if child.poll() is None:
        child.kill()
        child.wait()


def _kill_descendants() -> None:
    """All processes that came of the command, in whatever session: what it leaves behind becomes this process's."""
    for _ in range(20):
        found = _children()
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _children() -> list[int]:
    parents = {}
    try:
        for name in os.listdir("/proc"):  # noqa: PTH208  without pathlib this process starts sooner
            if name.isdecimal():
                try:
                    with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
                        parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
                except OSError:
                    continue
    except OSError:
        return []
    found, waiting = [], [os.getpid()]
    while waiting:
        at = waiting.pop()
        inner = [pid for pid, parent in parents.items() if parent == at]
        found += inner
        waiting += inner
    return found


def _die_with_me() -> None:
    _prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
