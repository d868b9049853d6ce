"""`run.together`: runs of a round that may be computed as one go to one worker together, a single one too where that is a graph on a GPU;
what is left over, and what fails, one by one."""

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from hpcheck import records
from hpcheck.engine.processes import POLL_SECONDS, Job, Pool
from hpcheck.engine.together import groups
from hpcheck.spec import RunSpec

ALLOWED = {"cuda": ("auto", "branches", "vmapped"), "cpu": ("branches", "vmapped")}  # on a CPU it does not pay: by name alone


class Grouped(Pool):
    """A pool whose groups come first, one after another on the first device that there is."""

    def __init__(self, device: str, jobs: int | None, threads: int | None, together: str) -> None:
        super().__init__(device, jobs, threads)
        self.together = together

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        for group in groups([job for job in jobs if isinstance(job[1], RunSpec)]):
            self._group(group, directory, on_poll, asked_at_once)
        rest = [job for job in jobs if records.read(directory / f"{job[0]}.jsonl") is None]
        super()._all(rest, directory, on_poll, asked_at_once)

    def _group(self, group: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        """Compute a group in one worker where the device is one for it. A worker that is killed leaves its runs to be made one by one."""
        try:
            slots, threads = self._share(asked_at_once)
            device = next(iter(slots.devices))
            kind = device.split(":")[0]
            if self.together not in ALLOWED.get(kind, ()) or (len(group) == 1 and kind == "cpu"):
                return
            future = self._workers().submit(_work, group, directory, device, threads, self.together)
            while not future.done():
                wait([future], timeout=POLL_SECONDS)
                on_poll()
            future.result()
        except BrokenProcessPool:
            self.close()
        except BaseException:  # Ctrl-C and the like
            self.close()
            raise


def _work(group: Sequence[Job], directory: Path, device: str, threads: int, together: str) -> None:
    from hpcheck.engine.group_work import work_together

    work_together(group, directory, device, threads, together)
