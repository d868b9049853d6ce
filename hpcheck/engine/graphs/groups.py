"""`run.together`: runs of a round that may be computed as one go to one worker together, a single one too where that is a graph on a GPU;
what is left over, and what fails, one by one."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from hpcheck.engine.graphs.grouping import BRANCHES, COMPILED, groups, refusal_of
from hpcheck.engine.pool.pool import POLL_SECONDS, Ahead, Job, Pool, nothing
from hpcheck.runs import records
from hpcheck.runs.spec import RunSpec

ALLOWED = {"cuda": ("auto", BRANCHES, COMPILED), "cpu": (BRANCHES, COMPILED)}  # on a CPU it does not pay: by name alone


class Grouped(Pool):
    """A pool whose groups come first, one after another, each shared out over the devices that there are."""

    def __init__(self, device: str, jobs: int | None, threads: int | None, together: str) -> None:
        super().__init__(device, jobs, threads)
        self.together = together

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int, ahead: Ahead = nothing) -> None:
        begun = self.begun_early()
        of_arrays = [job for job in jobs if isinstance(job[1], RunSpec) and not job[1].data.task and job[0] not in begun]
        runs = [job for job in of_arrays if isinstance(job[1], RunSpec) and (self.together != "auto" or refusal_of(job[1]) is None)]
        if runs:
            self._together(groups(runs), directory, on_poll, asked_at_once)
        rest = [job for job in jobs if records.read(directory / f"{job[0]}.jsonl") is None]
        super()._all(rest, directory, on_poll, asked_at_once, ahead)

    def _together(self, found: Sequence[Sequence[Job]], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        """Compute groups where the devices are ones for it, on each device one share at a time. A worker that is killed leaves its runs
        to be made one by one."""
        try:
            slots, threads = self._share(asked_at_once)
            waiting = shares(found, [device for device in slots.devices if self.together in ALLOWED.get(device.split(":")[0], ())])
            running: dict[Future[None], str] = {}
            while running or any(waiting.values()):
                for device, queue in waiting.items():
                    if queue and device not in running.values():
                        share = queue.pop(0)
                        running[self._submit(bool(running), _work, share, directory, device, threads, self.together)] = device
                done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                on_poll()
                for future in done:
                    del running[future]
                    future.result()
        except BrokenProcessPool:
            self.close()
        except BaseException:  # Ctrl-C and the like
            self.close()
            raise


def shares(found: Sequence[Sequence[Job]], devices: Sequence[str]) -> dict[str, list[list[Job]]]:
    """What each device computes together, one after another: groups shared out evenly, the next group beginning where the last ended. On a
    CPU a run alone is left over.

    >>> shares([["a", "b", "c"], ["d"]], ["cuda:0", "cuda:1"])
    {'cuda:0': [['a', 'c'], ['d']], 'cuda:1': [['b']]}
    """
    waiting: dict[str, list[list[Job]]] = {device: [] for device in devices}
    turn = 0
    for group in found if devices else []:
        parts = [part for number in range(len(devices)) if (part := list(group[number :: len(devices)]))]
        for part in parts:
            device = devices[turn % len(devices)]
            turn += 1
            if len(part) > 1 or not device.startswith("cpu"):
                waiting[device].append(part)
    return waiting


def _work(group: Sequence[Job], directory: Path, device: str, threads: int, together: str) -> None:
    from hpcheck.engine.graphs.worker import work_together

    work_together(group, directory, device, threads, together)
