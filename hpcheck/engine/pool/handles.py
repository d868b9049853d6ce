"""A worker process as the pool ends it: by its own handle, so that it is reached also once the server that it was forked from is gone."""

import os
import signal
from contextlib import suppress
from multiprocessing.process import BaseProcess

from hpcheck.engine.pool.where import WHERE

CODE_SECONDS = 0.3  # ours: the server that forked a worker says how it ended a moment after the kernel says that it has
UNKNOWN = 255  # as the standard library has it where the server is gone


class Handle:
    """One worker. `end` can be waited for.

    The standard library hears of a worker's end from its server, and takes all workers for ended where the server was killed. On Linux the
    kernel says it, of this very process and no later one of the same number.
    """

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self._file: int | None = None
        if hasattr(os, "pidfd_open") and process.pid is not None:
            with suppress(OSError):  # it has ended and is forgotten, or the kernel is older than 5.3
                self._file = os.pidfd_open(process.pid)

    @property
    def end(self) -> int:
        """What becomes ready to read when the process ends."""
        return self._process.sentinel if self._file is None else self._file

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._signal(signal.SIGTERM)

    def ask_where(self) -> None:
        """Have it say where in the user's code it is."""
        self._signal(WHERE)

    def exit_code(self) -> int:
        """Of one that has ended; a signal's number is negative. Asked once the pool's own thread has ended, which asks too: the server
        says it once."""
        self._process.join(CODE_SECONDS)
        return UNKNOWN if self._process.exitcode is None else self._process.exitcode

    def kill(self) -> None:
        """Send SIGKILL."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Give the handle back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _signal(self, number: signal.Signals) -> None:
        if self._file is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._file, number)
        elif number == signal.SIGKILL:
            self._process.kill()
        elif number == signal.SIGTERM:
            self._process.terminate()
        elif self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)
