"""Several runs side by side: a pool of worker processes, each with its share of the cores."""

import os
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from hpcheck.engine.pool import endings
from hpcheck.engine.pool.executor import Executor
from hpcheck.engine.pool.slots import Slots
from hpcheck.engine.pool.threads import most_threads
from hpcheck.errors import RunFailedError
from hpcheck.runs import records
from hpcheck.runs.spec import Spec, TimingSpec

POLL_SECONDS = 0.3
STOP_SECONDS = 4.0  # ours: so long may a run take to finish its step and save, for the command to be gone within 5 s
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MOST_RETRIES = 3  # ours: a run whose worker is killed more often than that fails
WORTH = 0.5  # ours, by reasoning: a run is begun early while one that is waited for has this share of its work before it. Begun in a
# short gap, it would take a worker from the next round for nearly its whole length
MEMORY = "lower run.jobs, or the batch size"  # where that may be wanting
Job = tuple[str, Spec]  # run id, spec
Ahead = Callable[[], Sequence[Job]]  # what is certain to be asked for later, by the records that there are now
Answer = TypeVar("Answer")


def nothing() -> Sequence[Job]:
    """Nothing is certain."""
    return ()


class Pool:
    """Worker processes that live as long as the command; torch is imported in them, never here."""

    def __init__(self, device: str, jobs: int | None, threads: int | None) -> None:
        self.device, self.jobs, self.threads = device, jobs, threads
        self._devices: dict[str, int | None] | None = None  # free bytes of each; None where nobody counts them
        self._most_threads: int | None = None  # of the directory that runs are made for; None: as many as there are cores
        self._executor: Executor | None = None
        self._codes: Sequence[int] = ()  # with which the workers ended that were closed last
        self._running: dict[Future[int | None], tuple[Job, str]] = {}  # between two rounds: what was begun early

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        """Run all `jobs`; measurements of time alone, the rest side by side, spread over the GPUs. The first failure is raised once the
        running ones end. Runs whose worker was killed go on from their checkpoints, half as many at once.

        `asked_at_once`: how many runs the step asked for together, those that are done already included. It sets the threads of each, so
        that a round which was interrupted goes on to the same numbers (default: as many as there are jobs).
        `ahead` says what a worker may begin with that would be idle. That goes on after the return, and is waited for once it is asked for.
        """
        directory.mkdir(parents=True, exist_ok=True)
        if jobs and self.threads is None:
            self._most_threads = self._chosen_for(jobs[0][1], directory)
        for job in [job for job in jobs if isinstance(job[1], TimingSpec)]:
            self._all([early for early, _ in self._running.values()], directory, on_poll, 1)  # nothing may run beside it
            self._all([job], directory, on_poll, 1)
        runs = [job for job in jobs if not isinstance(job[1], TimingSpec)]
        self._all(runs, directory, on_poll, asked_at_once or len(runs), ahead)

    def begun_early(self) -> set[str]:
        """The runs that were begun before they were asked for, and go on."""
        return _ids(self._running)

    def refuse_missing_device(self) -> None:
        """Raise `InputError` where a device is named that the machine has not, before anything is written."""
        if self.device not in ("auto", "cpu"):
            try:
                self._share(1)
            except BaseException:
                self.close()
                raise

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int, ahead: Ahead = nothing) -> None:
        running, awaited, begun = self._running, {run_id for run_id, _ in jobs}, self.begun_early()
        waiting = sorted([job for job in jobs if job[0] not in begun], key=cost)  # the longest last: it is taken first
        lost: Counter[str] = Counter()  # by run, how often its worker was killed
        failed: BaseException | None = None
        try:
            slots, threads = self._share(asked_at_once) if jobs else (Slots({}, 0), 1)
            for job, place in running.values() if jobs else ():
                slots.hold(place, kind(job))
            polled, has_changed = time.monotonic(), True
            while waiting or awaited & _ids(running):
                while waiting and (device := slots.take(kind(waiting[-1]))) is not None:
                    try:
                        future = self._submit(bool(running), _work, *waiting[-1], directory, device, threads)
                    except BrokenProcessPool:  # those that run say so next
                        slots.give_back(device, kind(waiting[-1]), None)
                        break
                    running[future] = (waiting.pop(), device)
                if has_changed and not waiting and failed is None and self._same_threads_in_every_round():
                    self._begin_early(ahead, awaited, slots, directory, threads)
                done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                if not done and self._executor is not None:
                    self._executor.cancel_forgotten(running)
                if time.monotonic() - polled >= POLL_SECONDS:
                    on_poll()
                    polled = time.monotonic()
                has_changed = bool(done)
                killed, error = _ended({future: running.pop(future) for future in done}, slots)
                if error is not None and failed is None:
                    failed, waiting = error, []  # those that run already run to their end
                if killed:
                    killed += self._lost_with_the_pool(slots)
                    lost.update(run_id for run_id, _ in killed)
                    if max(lost.values()) > MOST_RETRIES:
                        raise RunFailedError(endings.words("a worker process", self._codes, MEMORY))
                    again = [job for job in killed if job[0] in awaited]  # others are asked for later
                    waiting += [] if failed else [job for job in again if records.read(directory / f"{job[0]}.jsonl") is None]
            on_poll()
        except BaseException:  # Ctrl-C and the like
            self.close()
            raise
        if failed is not None:
            raise failed

    def _lost_with_the_pool(self, slots: Slots) -> list[Job]:
        """Close a pool that a killed worker has broken: the runs that were lost with it. From now on half as many run at once."""
        others = dict(self._running)
        self._running.clear()
        self.close()  # nothing of this pool runs any more: what has not ended by itself was lost with it
        slots.at_once = max(1, slots.at_once // 2)
        return _ended(others, slots)[0]

    def _same_threads_in_every_round(self) -> bool:
        """Whether a run gets the same number of threads whenever it is begun. Else its last bits would depend on when a worker was idle."""
        return self.threads is not None or self._most_threads in (None, 1)

    def _begin_early(self, ahead: Ahead, awaited: Set[str], slots: Slots, directory: Path, threads: int) -> None:
        """Have idle workers begin with what is certain to be asked for."""
        waited_for = [job for job, _ in self._running.values() if job[0] in awaited]
        for job in ahead() if slots.has_room() else ():
            if job[0] in _ids(self._running) or not pays(job, waited_for, directory):
                continue
            device = slots.take(kind(job))
            if device is None:
                return
            try:
                self._running[self._submit(True, _work, *job, directory, device, threads)] = (job, device)
            except BrokenProcessPool:  # those that run say so next
                slots.give_back(device, kind(job), None)
                return

    def _share(self, asked_at_once: int) -> tuple[Slots, int]:
        """Runs at once on the devices there are, and the threads of each. Raises `InputError` where the machine has none such."""
        devices = self._found_devices()
        at_once, threads = shared(available_cores(), next(iter(devices)), self.jobs, self.threads, asked_at_once, len(devices))
        return Slots(devices, at_once), threads if self._most_threads is None else min(threads, self._most_threads)

    def _found_devices(self) -> dict[str, int | None]:
        if self._devices is None:
            self._devices = self._retried(lambda: self._workers().ask(_free, self.device))
        return self._devices

    def _chosen_for(self, spec: Spec, directory: Path) -> int | None:
        """The most threads of a run on a CPU, measured with the first run that is asked for."""
        if "cpu" not in self._found_devices():
            return None

        def measure(most: int) -> int | None:
            return self._retried(lambda: self._workers().ask(_threads_that_pay, spec, directory, most))

        return most_threads(directory, available_cores(), measure)

    def _submit(self, others_run: bool, work: Callable[..., Answer], *arguments: Any) -> Future[Answer]:
        """Hand work to a worker. A worker that was killed while idle has broken the pool: where nothing else runs, nothing is lost with it
        and a new one takes the work. Raises `BrokenProcessPool` where others run: they are lost too."""
        if others_run:
            return self._workers().submit(work, *arguments)
        return self._retried(lambda: self._workers().submit(work, *arguments))

    def _retried(self, of_the_pool: Callable[[], Answer]) -> Answer:
        """What is asked of the pool, of a new one where it has broken. Raises `RunFailedError` where that happens again and again."""
        for _ in range(1 + MOST_RETRIES):
            try:
                return of_the_pool()
            except BrokenProcessPool:
                self.close()
        raise RunFailedError(endings.words("a worker process", self._codes, MEMORY))

    def close(self) -> None:
        """End the workers. A run under way leaves a checkpoint after its step; what has not ended soon is killed."""
        executor, self._executor = self._executor, None
        self._running.clear()
        if executor is not None:
            self._codes = executor.end(STOP_SECONDS)

    def _workers(self) -> Executor:
        if self._executor is None:
            self._executor = Executor(max(self.jobs or 1, available_cores()), _start)
        return self._executor


def _ids(running: Mapping[Future[int | None], tuple[Job, str]]) -> set[str]:
    return {job[0] for job, _ in running.values()}


def pays(job: Job, waited_for: Sequence[Job], directory: Path) -> bool:
    """Whether a run may begin early: one of those that are waited for has enough of its work left."""
    return any(left(one, directory) >= WORTH * cost(job) for one in waited_for)


def left(job: Job, directory: Path) -> float:
    """How much of a run is left, by its record so far."""
    run_id, spec = job
    found = records.standing(directory / f"{run_id}.jsonl")
    if found.status or isinstance(spec, TimingSpec):
        return 0.0
    return cost(job) - max(0.0, found.row.get("step", 0.0) - spec.at_step) * spec.total_batch_size


def _ended(futures: Mapping[Future[int | None], tuple[Job, str]], slots: Slots) -> tuple[list[Job], BaseException | None]:
    """The runs whose worker was killed, and the first error of the others; their places are free again."""
    killed, first = [], None
    for future, (job, device) in futures.items():
        error = CancelledError() if future.cancel() else future.exception()  # cancelled already, or forgotten by a pool that broke
        slots.give_back(device, kind(job), None if error else future.result())
        if isinstance(error, BrokenProcessPool | CancelledError):
            killed.append(job)
        else:
            first = first or error
    return killed, first


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


def _threads_that_pay(spec: Spec, directory: Path, most: int) -> int | None:
    from hpcheck.engine.pool import worker

    return worker.threads_that_pay(spec, directory, most)


def _work(run_id: str, spec: Spec, directory: Path, device: str, threads: int) -> int | None:
    from hpcheck.engine.pool import worker

    return worker.measured(spec, run_id, directory, device, threads)


def kind(job: Job) -> Hashable:
    """Runs that take as much memory as each other."""
    spec = job[1]
    return (spec.data, spec.model, spec.optimizer, spec.precision, spec.bn_splits, getattr(spec, "total_batch_size", spec))


def cost(job: Job) -> int:
    spec = job[1]
    return 0 if isinstance(spec, TimingSpec) else spec.examples
