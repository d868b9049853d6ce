"""One call of a command in this process, with what it may take: seconds of the processor, memory, and the words of a fault of its own."""

import io
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from hpcheck.__main__ import run

SECONDS = 5.0  # of the processor
HANGS_AFTER_SECONDS = 60.0  # on the clock: a busy machine gives a command a small part of each second
MOST_BYTES = 1 << 30
EXIT_CODES = {0, 1, 2, 4, 5, 6}  # all but that of a run that failed, with which a fault of hpcheck's ends too
FAULTS = ("own error", "Traceback (most recent call last)", "Segmentation")


class TooLongError(BaseException):
    """A call went on for longer than it may."""


@dataclass(frozen=True)
class Ended:
    """How a call ended. `fault` is empty where all is well."""

    code: int | None
    out: str
    err: str
    seconds: float
    peak: int  # bytes of memory beyond those before it
    fault: str


def command(arguments: Sequence[str]) -> Ended:
    """Run `hpcheck arguments` in this process."""
    return limited(lambda: run(list(arguments)))


def limited(act: Callable[[], int | None]) -> Ended:
    """Call `act`, which returns an exit code. What escapes from it is a fault, and so is anything beyond the limits."""
    out, err, code, fault = io.StringIO(), io.StringIO(), None, ""
    before, began = _reset_peak(), time.process_time()
    try:
        with redirect_stdout(out), redirect_stderr(err), _stopped():
            code = act()
    except TooLongError:
        fault = "too long"
    except BaseException:
        fault = f"escaped: {traceback.format_exc()[-1500:]}"
    seconds, peak = time.process_time() - began, _status("VmHWM") - before
    said = f"{out.getvalue()}\n{err.getvalue()}"
    fault = fault or next((f"says {words!r}" for words in FAULTS if words in said), "")
    fault = fault or ("" if code is None or code in EXIT_CODES else f"exit code {code}")
    fault = fault or ("" if seconds < SECONDS else f"took {seconds:.1f} s")
    fault = fault or ("" if peak < MOST_BYTES else f"took {peak >> 20} MiB")
    fault = fault or ("" if all(line.isprintable() for line in said.replace("\t", " ").splitlines()) else "controls the terminal")
    return Ended(code, out.getvalue(), err.getvalue(), seconds, peak, fault)


@contextmanager
def _stopped() -> Iterator[None]:
    """Within the body `TooLongError` is raised once it has taken too long."""

    def too_long(*_: object) -> None:
        raise TooLongError

    before = [signal.signal(number, too_long) for number in (signal.SIGVTALRM, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS, 1.0)
    signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER_SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGVTALRM, before[0])
        signal.signal(signal.SIGALRM, before[1])


def _reset_peak() -> int:
    """Forget the most memory that this process has held; returns what it holds now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # no such thing here: the peak of the whole process counts
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return _status("VmRSS")


def _status(name: str) -> int:
    """Bytes, as the system counts them of this process."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
