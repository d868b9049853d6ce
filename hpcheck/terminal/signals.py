"""Ctrl-C and SIGTERM: the first one ends the command in order, so that it can go on later; a second one ends it at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The user or the system asked the command to stop. `exit_code` is what a shell expects: 130 or 143."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the body the first SIGINT or SIGTERM raises `Interrupted`, and a second one ends the process; after it all is as it was."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread alone
        return
    before = {number: signal.signal(number, _first) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first(number: int, _frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, _second)
    raise Interrupted(number)


def _second(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)  # the workers end with this process
