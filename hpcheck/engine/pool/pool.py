"""Several runs side by side: a pool of worker processes, each with its share of the cores."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, forkserver, resource_tracker
from pathlib import Path

from hpcheck.engine.pool.slots import Slots
from hpcheck.errors import RunFailedError
from hpcheck.runs import records
from hpcheck.runs.spec import Spec, TimingSpec

POLL_SECONDS = 0.3
STOP_SECONDS = 4.0  # ours: so long may a run take to finish its step and save, for the command to be gone within 5 s
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MOST_RETRIES = 3  # ours: a run whose worker is killed more often than that fails
KILLED = "a worker process was killed again and again, most likely for want of memory: lower run.jobs, or the batch size"
Job = tuple[str, Spec]  # run id, spec


class Pool:
    """Worker processes that live as long as the command; torch is imported in them, never here.

    Workers are forked from a server that has imported torch once and computed nothing, so a start costs milliseconds.
    """

    def __init__(self, device: str, jobs: int | None, threads: int | None) -> None:
        self.device, self.jobs, self.threads = device, jobs, threads
        self._devices: dict[str, int | None] | None = None  # free bytes of each; None where nobody counts them
        self._executor: ProcessPoolExecutor | None = None

    def execute(
        self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None] = lambda: None, asked_at_once: int | None = None
    ) -> None:
        """Run all `jobs`; measurements of time alone, the rest side by side, spread over the GPUs. The first failure is raised once the
        running ones end. Runs whose worker was killed go on from their checkpoints, half as many at once.

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
        running: dict[Future[int | None], tuple[Job, str]] = {}
        lost: Counter[str] = Counter()  # by run, how often its worker was killed
        failed: BaseException | None = None
        try:
            slots, threads = self._share(asked_at_once) if jobs else (Slots({}, 0), 1)
            polled = time.monotonic()
            while running or waiting:
                while waiting and (device := slots.take(kind(waiting[-1]))) is not None:
                    job = waiting.pop()
                    running[self._workers().submit(_work, *job, directory, device, threads)] = (job, device)
                done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                if time.monotonic() - polled >= POLL_SECONDS:
                    on_poll()
                    polled = time.monotonic()
                killed, error = _ended({future: running.pop(future) for future in done}, slots)
                if error is not None and failed is None:
                    failed, waiting = error, []  # those that run already run to their end
                if killed:
                    self.close()  # nothing of this pool runs any more: what has not ended by itself was lost with it
                    also_killed, _ = _ended(running, slots)
                    killed, running = [*killed, *also_killed], {}
                    slots.at_once = max(1, slots.at_once // 2)
                    lost.update(run_id for run_id, _ in killed)
                    if max(lost.values()) > MOST_RETRIES:
                        raise RunFailedError(KILLED)
                    waiting += [] if failed else [job for job in killed if records.read(directory / f"{job[0]}.jsonl") is None]
            on_poll()
        except BaseException:  # Ctrl-C and the like
            self.close()
            raise
        if failed is not None:
            raise failed

    def _share(self, asked_at_once: int) -> tuple[Slots, int]:
        """Runs at once on the devices there are, and the threads of each. Raises `InputError` where the machine has none such."""
        if self._devices is None:
            self._devices = self._workers().submit(_free, self.device).result()
        at_once, threads = shared(available_cores(), next(iter(self._devices)), self.jobs, self.threads, asked_at_once, len(self._devices))
        return Slots(self._devices, at_once), threads

    def close(self) -> None:
        """End the workers. A run under way leaves a checkpoint after its step; what has not ended soon is killed."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        if executor._processes == {}:
            _end_server()
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
            context.set_forkserver_preload(["hpcheck.engine.pool.preload"])
            _start_server()
            self._executor = ProcessPoolExecutor(max(self.jobs or 1, available_cores()), mp_context=context, initializer=_start)
        return self._executor


def _ended(futures: Mapping[Future[int | None], tuple[Job, str]], slots: Slots) -> tuple[list[Job], BaseException | None]:
    """The runs whose worker was killed, and the first error of the others; their places are free again."""
    killed, first = [], None
    for future, (job, device) in futures.items():
        error = CancelledError() if future.cancelled() else future.exception()
        slots.give_back(device, kind(job), None if error else future.result())
        if isinstance(error, BrokenProcessPool | CancelledError):
            killed.append(job)
        else:
            first = first or error
    return killed, first


def _start_server() -> None:
    """Start the server that workers are forked from with SIGINT and SIGTERM blocked in it and in them: both may go to the whole process
    group, and are the parent's to handle. (A worker takes SIGTERM once it knows what to do with it.)"""
    resource_tracker.ensure_running()  # it unblocks both, so it comes first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_server() -> None:
    """Kill the server where no worker has come of it yet: it may be importing torch still, and would then fork one for a command that is
    gone, which writes a traceback over the last words."""
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # multiprocessing starts another where it is wanted
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def shared(cores: int, device: str, jobs: int | None, threads: int | None, asked_at_once: int, devices: int = 1) -> tuple[int, int]:
    """Runs at once, and the threads of each: what the config says, else the cores shared out on a CPU, one run at a time on each GPU.

    >>> shared(16, "cpu", None, None, asked_at_once=3), shared(16, "cpu", None, 4, 9), shared(16, "cuda:0", None, None, 9, devices=2)
    ((16, 5), (4, 4), (2, 8))
    """
    jobs = jobs or (max(1, cores // (threads or 1)) if device == "cpu" else devices)
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
    from hpcheck.engine.pool import worker

    worker.start()


def _free(device: str) -> dict[str, int | None]:
    from hpcheck.engine.pool import worker

    return worker.free_bytes_of(device)


def _work(run_id: str, spec: Spec, directory: Path, device: str, threads: int) -> int | None:
    from hpcheck.engine.pool import worker

    return worker.measured(spec, run_id, directory, device, threads)


def kind(job: Job) -> Hashable:
    """Runs that take as much memory as each other."""
    spec = job[1]
    return (spec.data, spec.model, spec.optimizer, spec.precision, spec.bn_splits, getattr(spec, "total_batch_size", spec))


def cost(job: Job) -> int:
    spec = job[1]
    return 0 if isinstance(spec, TimingSpec) else (spec.steps - spec.at_step) * spec.total_batch_size
