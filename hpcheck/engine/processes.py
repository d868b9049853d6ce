"""Several runs side by side: a pool of worker processes, each with its share of the cores."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, forkserver, resource_tracker
from pathlib import Path

from hpcheck.spec import Spec, TimingSpec

POLL_SECONDS = 0.3
STOP_SECONDS = 4.0  # ours: so long may a run take to finish its step and save, for the command to be gone within 5 s
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
Job = tuple[str, Spec]  # run id, spec


class RunFailedError(Exception):
    """A run could not be computed: which one, why, and what to do."""


class Pool:
    """Worker processes that live as long as the command; torch is imported in them, never here.

    Workers are forked from a server that has imported torch once and computed nothing, so a start costs milliseconds.
    """

    def __init__(self, device: str, jobs: int | None, threads: int | None) -> None:
        self.device, self.jobs, self.threads = device, jobs, threads
        self._executor: ProcessPoolExecutor | None = None

    def execute(
        self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None] = lambda: None, asked_at_once: int | None = None
    ) -> None:
        """Run all `jobs`; measurements of time alone, the rest side by side. The first failure is raised once the running ones end.

        `asked_at_once`: how many runs the step asked for together, those that are done already included. It sets the threads of each, so
        that a round which was interrupted goes on to the same numbers (default: as many as there are jobs).
        """
        directory.mkdir(parents=True, exist_ok=True)
        for job in [job for job in jobs if isinstance(job[1], TimingSpec)]:
            self._all([job], directory, on_poll, 1)
        runs = [job for job in jobs if not isinstance(job[1], TimingSpec)]
        self._all(runs, directory, on_poll, asked_at_once or len(runs))

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        waiting = sorted(jobs, key=cost)  # the longest last: it is taken first
        running: set[Future[None]] = set()
        failed: BaseException | None = None
        try:
            at_once, threads = self._share(asked_at_once) if jobs else (1, 1)
            while running or waiting:
                while waiting and len(running) < at_once:
                    run_id, spec = waiting.pop()
                    running.add(self._workers().submit(_work, spec, run_id, directory, self.device, threads))
                done, running = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                on_poll()
                errors = [error for future in done if (error := future.exception()) is not None]
                if errors and failed is None:
                    failed, waiting = errors[0], []  # those that run already run to their end
        except BaseException:  # Ctrl-C and the like
            self.close()
            raise
        if isinstance(failed, BrokenProcessPool):
            self.close()
            raise RunFailedError(
                "a worker process was killed, most likely for want of memory: lower run.jobs, or the batch size"
            ) from failed
        if failed is not None:
            raise failed

    def _share(self, asked_at_once: int) -> tuple[int, int]:
        """Runs at once, and the threads of each, on the device there is. Raises `ValueError` where the machine has none such."""
        self.device = self._workers().submit(_resolve, self.device).result()
        return shared(available_cores(), self.device, self.jobs, self.threads, asked_at_once)

    def close(self) -> None:
        """End the workers. A run under way leaves a checkpoint after its step; what has not ended soon is killed."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        alive = {process.sentinel: process for process in list((executor._processes or {}).values())}
        for process in alive.values():
            process.terminate()
        executor.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + STOP_SECONDS
        while alive and time.monotonic() < until:
            for sentinel in connection.wait(list(alive), until - time.monotonic()):
                del alive[sentinel]  # type: ignore[arg-type]
        for process in alive.values():
            process.kill()
        executor.shutdown()

    def _workers(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["hpcheck.engine.worker"])
            _start_server()
            self._executor = ProcessPoolExecutor(max(self.jobs or 1, available_cores()), mp_context=context, initializer=_start)
        return self._executor


def _start_server() -> None:
    """Start the server that workers are forked from with SIGINT and SIGTERM blocked in it and in them: both may go to the whole process
    group, and are the parent's to handle. (A worker takes SIGTERM once it knows what to do with it.)"""
    resource_tracker.ensure_running()  # it unblocks both, so it comes first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def shared(cores: int, device: str, jobs: int | None, threads: int | None, asked_at_once: int) -> tuple[int, int]:
    """Runs at once, and the threads of each: what the config says, else the cores shared out on a CPU, one run at a time on a GPU.

    >>> shared(16, "cpu", None, None, asked_at_once=3), shared(16, "cpu", None, 4, 9), shared(16, "cuda", None, None, 9)
    ((16, 5), (4, 4), (1, 16))
    """
    jobs = jobs or (max(1, cores // (threads or 1)) if device == "cpu" else 1)
    return jobs, threads or max(1, cores // min(jobs, max(asked_at_once, 1)))


def available_cores() -> int:
    """Cores that this process may use: those it is bound to, within the container's quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return bound if quota == "max" else max(1, min(bound, int(quota) // int(period)))
    except (OSError, ValueError):
        return bound


def _start() -> None:
    from hpcheck.engine import worker

    worker.start()


def _resolve(device: str) -> str:
    from hpcheck.engine import worker

    return str(worker.resolve_device(device))


def _work(spec: Spec, run_id: str, directory: Path, device: str, threads: int) -> None:
    from hpcheck.engine import worker

    worker.work(spec, run_id, directory, device, threads)


def cost(job: Job) -> int:
    spec = job[1]
    return 0 if isinstance(spec, TimingSpec) else (spec.steps - spec.at_step) * spec.total_batch_size
