"""Ctrl-C, SIGTERM and a closed terminal: the first one ends the command in order, so that it can go on later; a second one ends it at
once. Under `nohup`, which has a closed terminal ignored, the command goes on."""

import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TERMINAL = (1, 2)  # the file descriptors that are often one


class Interrupted(BaseException):
    """The user or the system asked the command to stop. `exit_code` is what a shell expects: 130, 143 or 129."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the body the first signal raises `Interrupted`, and a second one ends the process; after it all is as it was."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread alone
        return
    before = {number: signal.signal(number, _first) for number in SIGNALS if not _is_ignored(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ignored(number: int) -> bool:
    """Whether `nohup` or the like has asked that a closed terminal be nothing to this process."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _first(number: int, _frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, _second)
    if number == signal.SIGHUP:
        _forget_terminal()
    raise Interrupted(number)


def _forget_terminal() -> None:
    """Have what is said from now on go nowhere where it went to a terminal: that is gone, and writing to it fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for file in TERMINAL:
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(file).st_mode):  # not `isatty`, which is false of a terminal that has gone
                os.dup2(nowhere, file)


def _second(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)  # the workers end with this process
