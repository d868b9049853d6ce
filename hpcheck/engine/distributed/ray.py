"""Many runs over many machines: each run is a task of Ray Core; what it returns is committed by this process, once."""

import hashlib
import importlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hpcheck.engine.distributed import ray_task
from hpcheck.engine.distributed.ray_task import Outcome, Task
from hpcheck.engine.distributed.wire import error_from_text
from hpcheck.engine.pool.pool import POLL_SECONDS, Ahead, Job, available_cores, cost, nothing, shared
from hpcheck.errors import InputError, RunFailedError
from hpcheck.runs import records
from hpcheck.runs.files import StorageError, naming, write_whole
from hpcheck.runs.identity import user_sources, users_modules
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec

MOST_RETRIES = 3  # ours: a run whose worker or node dies more often than that fails
AHEAD = 2  # ours: so many tasks for each that can run, so that none waits for this process
NICENESS = {"worker_niceness": 0}  # as the local engine's; Ray's 15 gave a run an eightieth of a core beside other programs
OBJECT_STORE_BYTES = 256 * 2**20  # of a cluster started here: records are small, snapshots pass through it one at a time


class Tasks:
    """A Ray cluster, joined or started here (without its dashboard), for as long as the command lives.

    Ray runs a task at least once; a record is written by this process alone, whole and with its hash checked, and the first one stands.
    The run directory is the truth: whatever happens to the cluster, a command that comes back finds in it what had finished.
    """

    def __init__(self, device: str, jobs: int | None, threads: int | None, address: str | None) -> None:
        self.device, self.jobs, self.threads, self.address = device, jobs, threads, address
        self._ray: Any = None
        self._running: dict[Any, Job] = {}

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        """Run all `jobs`; measurements of time alone, the rest as the cluster has room. The first failure is raised once the running ones
        end. Nothing is begun `ahead`."""
        directory.mkdir(parents=True, exist_ok=True)
        try:
            for job in [job for job in jobs if isinstance(job[1], TimingSpec)]:
                self._all([job], directory, on_poll, 1)
            runs = [job for job in jobs if not isinstance(job[1], TimingSpec)]
            self._all(runs, directory, on_poll, asked_at_once or len(runs))
        except BaseException:
            self.close()
            raise

    def _all(self, jobs: Sequence[Job], directory: Path, on_poll: Callable[[], None], asked_at_once: int) -> None:
        if not jobs:
            return
        ray, waiting, failed = self._cluster(), sorted(jobs, key=cost), None
        at_once, threads, gpus = self._share(asked_at_once)
        remote = ray.remote(ray_task.compute).options(num_cpus=threads, num_gpus=gpus, max_retries=MOST_RETRIES)
        while self._running or waiting:
            while waiting and len(self._running) < at_once:
                run_id, spec = waiting.pop()
                self._running[remote.remote(self._task(spec, run_id, directory, threads))] = (run_id, spec)
            for reference in _ended(ray, list(self._running)):
                try:
                    commit(self._result(reference), directory)
                except Exception as error:
                    failed, waiting = failed or error, []  # those that run already run to their end
            on_poll()
        if failed is not None:
            raise failed

    def _result(self, reference: Any) -> Outcome:
        run_id, spec = self._running.pop(reference)
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            words = str(error).strip().splitlines()[0]
            raise RunFailedError(
                f"{spec.label or run_id}: its Ray worker or node was lost {MOST_RETRIES + 1} times, most likely for want of memory: "
                f"lower run.jobs, or the batch size; Ray says: {words}"
            ) from error
        if outcome.error is not None:
            raise error_from_text(outcome.error)
        return outcome

    def _task(self, spec: Spec, run_id: str, directory: Path, threads: int) -> Task:
        parent = directory / f"{spec.parent}.pt" if isinstance(spec, RunSpec) and spec.parent is not None else None
        with naming(parent or directory, "read"):
            snapshot = parent.read_bytes() if parent is not None and parent.exists() else None
        modules = {name: source for module in users_modules(spec) for name, source in user_sources(module).items()}
        place = f"{socket.gethostname()}:{directory.resolve()}"
        where = f"{hashlib.sha256(place.encode()).hexdigest()[:12]}-{run_id}"
        return Task(spec, run_id, self.device, threads, snapshot, str(Path.cwd()), modules, where)

    def _share(self, asked_at_once: int) -> tuple[int, int, float]:
        """Tasks under way, and the threads and GPUs of each. Raises `InputError` where the cluster has no such device."""
        there = self._ray.cluster_resources()
        gpus = there.get("GPU", 0)
        if self.device.startswith("cuda") and not gpus:
            raise InputError(f"run.device: the Ray cluster has no {self.device} (use auto or cpu)")
        self.device = "cuda" if gpus and self.device in ("auto", "cuda") else "cpu"
        largest = max((int(node["Resources"].get("CPU", 1)) for node in self._ray.nodes() if node["Alive"]), default=1)
        cores = int(there.get("CPU", 1))
        if self.device == "cuda":
            at_once = self.jobs or int(gpus)
            return AHEAD * at_once, self.threads or max(1, min(largest, int(cores // at_once))), min(1.0, gpus / at_once)
        at_once, threads = shared(cores, "cpu", self.jobs, self.threads, asked_at_once)
        return self.jobs or AHEAD * at_once, min(threads, largest), 0.0

    def _cluster(self) -> Any:
        if self._ray is None:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no request to anybody's servers
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray will do by itself, and warns of
            try:
                ray: Any = importlib.import_module("ray")
            except ModuleNotFoundError:
                raise InputError("run.engine: ray is not installed; pip install 'hpcheck[ray]'") from None
            handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
            try:
                if self.address is None:
                    local = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES, "_system_config": NICENESS}
                    ray.init(address="local", num_cpus=available_cores(), **local, **quiet)
                else:
                    ray.init(address=self.address, **quiet)
            except ConnectionError as error:
                raise InputError(f"run.address: no Ray cluster at {self.address} ({str(error).splitlines()[0]})") from None
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)  # Ray puts its own in place of the command's
            self._ray = ray
        return self._ray

    def close(self) -> None:
        """End the tasks under way, and leave the cluster; one that was started here ends with all its processes."""
        ray, self._ray = self._ray, None
        if ray is None:
            return
        for reference in self._running:
            ray.cancel(reference, force=True)
        self._running = {}
        ray.shutdown()


def _ended(ray: Any, running: list[Any]) -> list[Any]:
    """Those that have ended, after waiting a little. A signal that comes meanwhile is raised as what the command makes of it."""
    try:
        done: list[Any] = ray.wait(running, timeout=POLL_SECONDS)[0]
    except SystemError as error:  # what Ray's compiled code turns an exception of a signal's handler into
        raise error.__cause__ or error from None
    return done


def commit(outcome: Outcome, directory: Path) -> None:
    """Write what a task returned, snapshots first: where the record is, all is. The first record of a run stands."""
    record = directory / f"{outcome.run_id}.jsonl"
    if records.read(record) is not None:
        return
    for name, content in sorted(outcome.files.items(), key=lambda item: item[0] == record.name):
        if hashlib.sha256(content).hexdigest() != outcome.digests[name]:
            raise StorageError(f"{directory / name}: it was damaged on its way from the cluster; give the command again")
        write_whole(directory / name, content)
