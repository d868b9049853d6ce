"""`run.together`: runs of a round that may be computed as one go to one worker together, a single one too where that is a graph on a GPU;
what is left over, and what fails, one by one."""

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from hpcheck import records
from hpcheck.engine.processes import POLL_SECONDS, Job, Pool
from hpcheck.engine.together import COMPILED, MODES, groups
from hpcheck.spec import RunSpec

ALLOWED = {"cuda": ("auto", *MODES, COMPILED), "cpu": (*MODES, COMPILED)}  # on a CPU it does not pay: by name alone


class Grouped(Pool):
    """A pool whose groups come first, one after another, each shared out over the devices that there are."""

    def __init__(self, device: str, jobs: int | None, threads: int | None, together: str) -> None:
        super().__init__(device, jobs, threads)
        self.together = together

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        for group in groups([job for job in jobs if isinstance(job[1], RunSpec)]):
            self._group(group, directory, on_poll, asked_at_once)
        rest = [job for job in jobs if records.read(directory / f"{job[0]}.jsonl") is None]
        super()._all(rest, directory, on_poll, asked_at_once)

    def _group(self, group: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        """Compute a group where the devices are ones for it, a share in a worker for each. A worker that is killed leaves its runs to be
        made one by one."""
        try:
            slots, threads = self._share(asked_at_once)
            devices = [device for device in slots.devices if self.together in ALLOWED.get(device.split(":")[0], ())]
            shares = [(device, group[number :: len(devices)]) for number, device in enumerate(devices)]
            futures = [
                self._workers().submit(_work, share, directory, device, threads, self.together)
                for device, share in shares
                if len(share) > (1 if device.startswith("cpu") else 0)
            ]
            while not all(future.done() for future in futures):
                wait(futures, timeout=POLL_SECONDS)
                on_poll()
            for future in futures:
                future.result()
        except BrokenProcessPool:
            self.close()
        except BaseException:  # Ctrl-C and the like
            self.close()
            raise


def _work(group: Sequence[Job], directory: Path, device: str, threads: int, together: str) -> None:
    from hpcheck.engine.group_work import work_together

    work_together(group, directory, device, threads, together)
