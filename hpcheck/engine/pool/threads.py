"""The threads of a run: chosen once for a run directory, written down there, and never changed afterwards.

Another number of threads changes the last bits of a curve, so what was chosen stays (docs/decisions/021-threads-and-timing.md).
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hpcheck.files import plain_json
from hpcheck.files.regular import MIB, read_whole
from hpcheck.runs.files import write_whole

CHOSEN = "threads.json"  # beside the records that were made with them
Measure = Callable[[int], int | None]  # from the most threads that may be taken to the number that pays; None where nothing ran


def most_threads(directory: Path, cores: int, measure: Measure) -> int:
    """The most threads that a run of this directory takes. A smaller share of the cores may be left for it where others run beside it.

    Args:
        directory: where the records lie, and the choice once it is made.
        cores: those that this process may use.
        measure: times steps; asked only where several threads may be taken and nothing is chosen yet.
    """
    chosen = read(directory)
    if chosen is not None:
        return chosen
    most = allowed(cores)
    found = measure(most) if most > 1 else most
    if found is None:  # nothing was measured: the run itself will say why
        return 1
    write_whole(directory / CHOSEN, json.dumps({"threads": found, "cores": cores, "allowed": most}) + "\n")
    return found


def read(directory: Path) -> int | None:
    """What was chosen for this directory; None where nothing was, or the file says no such number."""
    try:
        threads = plain_json.loads(read_whole(directory / CHOSEN, MIB))["threads"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return threads if type(threads) is int and threads >= 1 else None


def allowed(cores: int) -> int:
    """The most threads that a run alone may take: as many as `OMP_NUM_THREADS` says, and no more than the cores that others leave idle."""
    return min(free_cores(cores, load(), os.cpu_count() or 1), openmp() or cores)


def free_cores(cores: int, busy: float, machine: int) -> int:
    """Those of our cores that others leave idle, if they load all cores of the machine alike; never less than 1.

    >>> free_cores(2, 0.3, 2), free_cores(2, 2.1, 2), free_cores(16, 4.0, 16), free_cores(4, 32.0, 64)
    (2, 1, 12, 2)
    """
    return min(cores, max(1, round(cores * (1 - busy / machine))))


def load() -> float:
    """Processes that wanted a core in the last minute; 0 where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return 0.0


def openmp() -> int | None:
    """What `OMP_NUM_THREADS` says (the first of several levels); None where it says no number."""
    with suppress(ValueError):
        return max(1, int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0]))
    return None
