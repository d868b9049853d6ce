"""The engine that the config asks for: what `checklist.run` hands its runs to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from hpcheck.engine.distributed.ddp import Devices
from hpcheck.engine.graphs.groups import Grouped
from hpcheck.engine.pool.pool import Ahead, Job, Pool, nothing


class Engine(Protocol):
    """Runs in, finished records out, in `directory`: how and where is the engine's affair.

    A run whose record is complete when `execute` returns was computed as `loop.py` says; the first that failed is raised. A process that
    is killed costs a retry and nothing else. After `close` nothing runs any more; what was under way goes on when it is asked for again.
    `ahead` is called when something may have changed; an engine may begin with what it names, and may leave it be.
    """

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None: ...

    def close(self) -> None: ...


def engine_of(name: str, device: str, devices: int, jobs: int | None, threads: int | None, address: str | None, together: str) -> Engine:
    """`run.engine` with what else the section `run` says."""
    if name == "ray":
        from hpcheck.engine.distributed.ray import Tasks

        return Tasks(device, jobs, threads, address)
    if devices > 1:
        return Devices(device, devices, threads)
    if together == "off" or (together == "auto" and (jobs or 1) > 1):  # several processes on a GPU were asked for
        return Pool(device, jobs, threads)
    return Grouped(device, jobs, threads, together)
