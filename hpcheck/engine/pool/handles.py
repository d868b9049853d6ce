"""A worker process as the pool ends it: by its own handle, so that it is reached also once the server that it was forked from is gone."""

import os
import signal
from contextlib import suppress
from multiprocessing.process import BaseProcess


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
        else:
            self._process.terminate()
