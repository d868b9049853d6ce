"""Worker processes: what they share out, what becomes of a failure, and that none outlives its parent."""

import os
import signal
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import forkserver

import pytest

from hpcheck.engine.pool import pool as processes
from hpcheck.engine.pool import threads
from hpcheck.engine.pool.executor import Executor
from hpcheck.engine.pool.pool import Pool, shared
from hpcheck.engine.pool.slots import Slots
from hpcheck.errors import InputError, RunFailedError
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs import records
from hpcheck.runs.identity import Fingerprints, identify
from hpcheck.runs.spec import PartSpec
from tests.support.engine_runs import RUN, computed, curves

FAILING = """
import os, signal
from torch import nn

class Network(nn.Linear):
    def forward(self, x):
        return self.act(super().forward(x.flatten(1)))

    def act(self, x):
        return x

class Fails(Network):
    def act(self, x):
        raise RuntimeError("boom at the first batch")

class IsKilled(Network):
    def act(self, x):
        os.kill(os.getpid(), signal.SIGKILL)

class Leaves(Network):
    def act(self, x):
        raise SystemExit(0)

class TwoArguments(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

class Unpicklable(Network):
    def act(self, x):
        raise TwoArguments("this", "that")

def network(shape, outputs, *, kind="Network"):
    return globals()[kind](64, outputs)
"""


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """The working directory of this file's tests, with the user's module in it."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "failing_network.py").write_text(FAILING)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def pool(folder):
    made = Pool("cpu", 2, 1)
    yield made
    made.close()


def users_network(kind):
    return replace(RUN, model=PartSpec("failing_network:network", (("kind", kind),)), label=kind)


def jobs(*specs):
    return [(identify(spec), spec) for spec in specs]


def test_workers_compute_what_this_process_does(tmp_path, pool):
    polls = []
    found = jobs(RUN, replace(RUN, seed=1))
    pool.execute(found, tmp_path / "records", lambda: polls.append(1))
    for run_id, spec in found:
        record = records.read(tmp_path / "records" / f"{run_id}.jsonl")
        assert curves(record) == curves(computed(spec, tmp_path))
        assert record.environment["threads"] == 1
        data = spec.data
        assert record.environment["data"] == Fingerprints().data(data)[:16]
    assert polls


@pytest.mark.parametrize(
    ("kind", "words"), [("Fails", "boom at the first batch"), ("Unpicklable", "this and that"), ("Leaves", "SystemExit")]
)
def test_a_failing_run_shows_the_users_traceback_and_leaves_the_others_finished(tmp_path, pool, kind, words):
    longer = replace(RUN, steps=128)
    with pytest.raises(UsersCodeError) as caught:
        pool.execute(jobs(longer, users_network(kind), RUN), tmp_path / "records")
    told = str(caught.value)
    assert words in told
    assert "in forward" in told
    assert "loop.py" not in told
    assert "processes.py" not in told
    assert records.read(tmp_path / "records" / f"{identify(longer)}.jsonl") is not None


def test_a_device_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    pool = Pool("cuda:99", None, None)
    with pytest.raises(InputError, match=r"run\.device: this machine has no cuda:99"):
        pool.execute(jobs(RUN), tmp_path / "records")
    pool.close()
    assert not list((tmp_path / "records").iterdir())


def test_threads_do_not_depend_on_how_many_runs_are_done_already(tmp_path, folder):
    pool = Pool("cpu", None, None)
    pool.execute(jobs(RUN), tmp_path / "records", asked_at_once=2)
    pool.close()
    record = records.read(tmp_path / "records" / f"{identify(RUN)}.jsonl")
    share = max(1, processes.available_cores() // 2)
    assert record.environment["threads"] == min(share, threads.read(tmp_path / "records"))


def test_a_worker_that_is_killed_says_what_to_do_and_the_pool_lives_on(tmp_path, pool):
    with pytest.raises(RunFailedError, match=r"again and again, most likely for want of memory: lower run\.jobs"):
        pool.execute(jobs(users_network("IsKilled")), tmp_path / "records")
    pool.execute(jobs(RUN), tmp_path / "records")


@pytest.mark.parametrize(
    ("cores", "device", "jobs", "threads", "asked", "expected"),
    [
        (2, "cpu", None, None, 4, (2, 1)),
        (2, "cpu", None, None, 1, (2, 2)),
        (16, "cpu", None, None, 3, (16, 5)),
        (16, "cpu", None, 4, 9, (4, 4)),
        (16, "cpu", 2, None, 9, (2, 8)),
        (16, "cpu", 3, 2, 1, (3, 2)),
        (2, "cpu", None, 4, 9, (1, 4)),
        (16, "cuda", None, None, 9, (1, 16)),
        (16, "cuda:1", 2, None, 9, (2, 8)),
        (8, "mps", None, None, 3, (1, 8)),
        (1, "cpu", None, None, 0, (1, 1)),
    ],
)
def test_cores_are_shared_out(cores, device, jobs, threads, asked, expected):
    assert shared(cores, device, jobs, threads, asked) == expected


@pytest.mark.parametrize(("quota", "expected"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("nonsense", 8)])
def test_cores_are_those_of_the_container(tmp_path, monkeypatch, quota, expected):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(processes, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert processes.available_cores() == expected


class Broken:
    """An executor whose first three runs are lost before anybody looks and whose fourth is still to be told so."""

    def __init__(self, breaks: bool) -> None:
        self.breaks, self.futures = breaks, []

    def submit(self, work, *arguments):
        future = Future()
        self.futures.append(future)
        if not self.breaks:
            future.set_result(None)
        elif len(self.futures) < 4:
            future.set_exception(BrokenProcessPool())
        return future


def test_all_runs_of_a_pool_that_broke_are_made_again_in_the_next(tmp_path, monkeypatch):
    executors = []

    class Breaks(Pool):
        def _share(self, asked_at_once):
            return Slots({"cpu": None}, 4), 1

        def _workers(self):
            if self._executor is None:
                self._executor = Broken(breaks=not executors)
                executors.append(self._executor)
            return self._executor

        def close(self):
            executor, self._executor = self._executor, None
            for future in executor.futures if executor else ():
                if not future.done():
                    future.cancel()

    jobs = [(f"{number:016x}", replace(RUN, seed=number)) for number in range(4)]
    Breaks("cpu", 4, 1).execute(jobs, tmp_path)
    assert [len(executor.futures) for executor in executors] == [4, 4]


def test_an_idle_worker_that_is_killed_costs_a_retry(tmp_path, folder):
    pool = Pool("cpu", 2, 1)
    quick = replace(RUN, steps=2, evaluate_after=(0, 2))
    pool.execute(jobs(*(replace(quick, seed=seed) for seed in range(2))), tmp_path / "records")
    killed = 0
    for number in range(20):
        for pid in pool._workers().pids()[:1]:  # there is none where the one before was noticed after its last run
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(0.01 * (number % 5))  # noticed already, being noticed, or not yet
        found = jobs(*(replace(quick, seed=2 + 2 * number + further) for further in range(2)))
        pool.execute(found, tmp_path / "records")
        assert all(records.read(tmp_path / "records" / f"{run_id}.jsonl") for run_id, _ in found)
    pool.close()
    assert killed > 10


def test_a_pool_that_never_lives_long_enough_says_what_to_do(tmp_path, monkeypatch):
    class Dead(Broken):
        def submit(self, work, *arguments):
            raise BrokenProcessPool

        def end(self, seconds):
            return []

    monkeypatch.setattr(processes, "Executor", lambda *_: Dead(breaks=True))
    pool = Pool("cpu", 2, 1)
    pool._devices = {"cpu": None}
    with pytest.raises(RunFailedError, match="again and again"):
        pool.execute([("0" * 16, RUN)], tmp_path)


def test_the_server_that_workers_come_of_may_be_killed_too(tmp_path, folder):
    pool = Pool("cpu", 2, 1)
    pool.execute(jobs(RUN), tmp_path / "records")
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
    again = jobs(replace(RUN, seed=5), replace(RUN, seed=6))
    pool.execute(again, tmp_path / "records")
    assert all(records.read(tmp_path / "records" / f"{run_id}.jsonl") for run_id, _ in again)
    pool.close()


def test_work_that_a_broken_pool_has_forgotten_is_cancelled(folder):
    executor, forgotten = Executor(1, print), Future()
    pid = executor.ask(os.getpid)
    assert not executor.cancel_forgotten([forgotten])
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while not executor.cancel_forgotten([forgotten]):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert forgotten.cancelled()
    executor.end(1.0)


@pytest.mark.parametrize(
    ("error", "broken"), [(OSError("handle is closed"), True), (OSError(9, "bad"), True), (OSError(24, "many"), False)]
)
def test_a_pool_that_closes_while_work_is_handed_in_is_a_broken_one(monkeypatch, error, broken):
    """Its own thread closes it at the moment at which it notices a worker that was killed."""
    executor = Executor(1, time.time)

    def submit(*_: object) -> None:
        raise error

    monkeypatch.setattr(executor._pool, "submit", submit)
    try:
        with pytest.raises(BrokenProcessPool if broken else OSError):
            executor.submit(time.time)
    finally:
        monkeypatch.undo()
        executor.end(1.0)
