"""Several runs side by side: a pool of worker processes, each with its share of the cores."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from hpcheck.spec import Spec, TimingSpec

POLL_SECONDS = 0.3
Job = tuple[str, Spec]  # run id, spec


class Pool:
    """Worker processes that live as long as the command; torch is imported in them, never here.

    Workers are forked from a server that has imported torch once and computed nothing, so a start costs milliseconds.
    """

    def __init__(self, device: str, jobs: int | None, threads: int | None) -> None:
        self.device = device
        self.cores = threads or len(os.sched_getaffinity(0))
        self.jobs = jobs or (1 if device.startswith("cuda") else self.cores)
        self._executor: ProcessPoolExecutor | None = None

    def execute(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None] = lambda: None) -> None:
        """Run all `jobs`; measurements of time alone, the rest side by side. The first failure is raised once the running ones end."""
        directory.mkdir(parents=True, exist_ok=True)
        for job in [job for job in jobs if isinstance(job[1], TimingSpec)]:
            self._all([job], directory, on_poll)
        self._all([job for job in jobs if not isinstance(job[1], TimingSpec)], directory, on_poll)

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None]) -> None:
        threads = max(1, self.cores // min(self.jobs, max(len(jobs), 1)))
        longest_first = sorted(jobs, key=_cost, reverse=True)
        pending: set[Future[None]] = {
            self._workers().submit(_work, spec, run_id, directory, self.device, threads) for run_id, spec in longest_first
        }
        failed: BaseException | None = None
        try:
            while pending:
                done, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                on_poll()
                errors = [error for future in done if not future.cancelled() and (error := future.exception()) is not None]
                if errors and failed is None:
                    failed = errors[0]
                    pending = {future for future in pending if not future.cancel()}  # those that run already run to their end
        except BaseException:  # Ctrl-C and the like: nothing is waited for
            self.close()
            raise
        if failed is not None:
            raise failed

    def close(self) -> None:
        """End the workers, at once where they are still busy."""
        if self._executor is not None:
            for process in list((self._executor._processes or {}).values()):
                process.terminate()
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def _workers(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["hpcheck.engine.worker"])
            self._executor = ProcessPoolExecutor(self.jobs, mp_context=context, initializer=_start)
        return self._executor


def _start() -> None:
    from hpcheck.engine import worker

    worker.start()


def _work(spec: Spec, run_id: str, directory: Path, device: str, threads: int) -> None:
    from hpcheck.engine import worker

    worker.work(spec, run_id, directory, device, threads)


def _cost(job: Job) -> int:
    spec = job[1]
    return 0 if isinstance(spec, TimingSpec) else (spec.steps - spec.at_step) * spec.total_batch_size
