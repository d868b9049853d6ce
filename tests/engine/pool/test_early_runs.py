"""What idle workers begin with before it is asked for: when they do, and that it is waited for, reported and lost like any other run."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpcheck.engine.graphs.groups import Grouped
from hpcheck.engine.pool import pool as pools
from hpcheck.engine.pool.pool import Job, Pool, pays
from hpcheck.engine.pool.slots import Slots
from hpcheck.errors import InputError
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import TimingSpec
from tests.support.engine_runs import RUN

A, B, C, EARLY, OTHER = ((name * 16, replace(RUN, seed=seed)) for seed, name in enumerate("abcef"))
TIMING: Job = ("d" * 16, TimingSpec(RUN.data, RUN.model, RUN.optimizer, (8, 16)))


class ByHand:
    """An executor whose runs end when the test says so."""

    def __init__(self) -> None:
        self.begun: dict[str, Future[None]] = {}
        self.threads: dict[str, int] = {}

    def submit(self, work: Callable[..., Any], run_id: str, *arguments: Any) -> Future[None]:
        self.begun[run_id], self.threads[run_id] = Future(), arguments[-1]
        return self.begun[run_id]

    def cancel_forgotten(self, futures: Iterable[Future[None]]) -> bool:
        return False

    def end(self, seconds: float) -> list[int]:
        for future in self.begun.values():
            future.cancel()
        return []


class Workers(Pool):
    """A pool of `count` workers on devices that are not there."""

    def __init__(self, count: int, devices: tuple[str, ...] = ("cpu",), threads: int | None = 1) -> None:
        super().__init__("auto", count, threads)
        self.count, self._devices = count, dict.fromkeys(devices)
        self.by_hand = ByHand()

    def _workers(self) -> Any:
        self._executor = self.by_hand  # type: ignore[assignment]
        return self.by_hand

    def begun(self) -> str:
        return "".join(run_id[0] for run_id in self.by_hand.begun)

    def ends(self, *jobs: Job, error: BaseException | None = None) -> None:
        for run_id, _ in jobs:
            future = self.by_hand.begun[run_id]
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)


@pytest.fixture(autouse=True)
def _polled_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "POLL_SECONDS", 0.001)


def round_of(pool: Workers, folder: Path, jobs: list[Job], early: list[Job], *happens: Callable[[], object]) -> str:
    """Execute a round in which one thing happens at each poll; returns what has begun by its end, in order."""
    left = list(happens)

    def on_poll() -> None:
        if left:
            left.pop(0)()

    pool.execute(jobs, folder, on_poll, ahead=lambda: early)
    return pool.begun()


def nothing_happens() -> None: ...


def test_an_idle_worker_begins_early_and_the_round_does_not_wait_for_it(tmp_path: Path) -> None:
    pool = Workers(2)
    ends = (lambda: pool.ends(C), nothing_happens, lambda: pool.ends(B), nothing_happens, lambda: pool.ends(A))
    assert round_of(pool, tmp_path, [A, B, C], [EARLY], *ends) == "cbae"
    assert not pool.by_hand.begun[EARLY[0]].done()
    ends = (lambda: pool.ends(OTHER), nothing_happens, lambda: pool.ends(EARLY))
    assert round_of(pool, tmp_path, [EARLY, OTHER], [], *ends) == "cbaef"  # it was not begun again
    assert pool.by_hand.begun[EARLY[0]].done()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_waited_for_comes_first(tmp_path: Path, workers: int) -> None:
    pool = Workers(workers)
    begun = round_of(pool, tmp_path, [A, B], [EARLY], *[lambda: pool.ends(*[job for job in (A, B) if job[0][0] in pool.begun()])] * 3)
    assert sorted(begun) == ["a", "b"]  # every worker was busy until the end


def test_a_time_measurement_waits_until_nothing_runs_beside_it(tmp_path: Path) -> None:
    pool = Workers(2)
    round_of(pool, tmp_path, [A], [EARLY], nothing_happens, lambda: pool.ends(A))
    assert pool.begun() == "ae"
    begun_beside: list[str] = []

    def ends() -> None:
        begun_beside.append(pool.begun())
        pool.ends(EARLY)

    round_of(pool, tmp_path, [TIMING], [], nothing_happens, ends, nothing_happens, nothing_happens, lambda: pool.ends(TIMING))
    assert begun_beside == ["ae"]
    assert pool.begun() == "aed"


def test_an_early_run_that_fails_is_told_like_any_other(tmp_path: Path) -> None:
    pool, error = Workers(2), InputError("boom")
    with pytest.raises(InputError, match="boom"):
        round_of(pool, tmp_path, [A], [EARLY], nothing_happens, lambda: pool.ends(EARLY, error=error), lambda: pool.ends(A))
    assert pool.by_hand.begun[A[0]].done()  # what ran already ran to its end


def test_an_early_run_that_failed_between_two_rounds_is_told_in_the_next(tmp_path: Path) -> None:
    pool, error = Workers(2), InputError("boom")
    round_of(pool, tmp_path, [A], [EARLY], nothing_happens, lambda: pool.ends(A))
    pool.ends(EARLY, error=error)
    with pytest.raises(InputError, match="boom"):
        round_of(pool, tmp_path, [B], [], nothing_happens, lambda: pool.ends(B))


def test_an_early_run_that_is_lost_with_the_pool_is_left_for_when_it_is_asked_for(tmp_path: Path) -> None:
    pool = Workers(2)
    round_of(
        pool,
        tmp_path,
        [A],
        [EARLY],
        nothing_happens,
        lambda: pool.ends(A, EARLY, error=BrokenProcessPool()),
        lambda: pool.ends(A),
    )
    assert pool.by_hand.begun[A[0]].done()
    round_of(pool, tmp_path, [EARLY], [], lambda: pool.ends(EARLY))
    assert pool.by_hand.begun[EARLY[0]].exception() is None


def test_nothing_begins_early_where_its_threads_would_depend_on_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "most_threads", lambda *_: 2)
    pool = Workers(2, threads=None)
    assert round_of(pool, tmp_path, [A], [EARLY], nothing_happens, nothing_happens, lambda: pool.ends(A)) == "a"
    monkeypatch.setattr(pools, "most_threads", lambda *_: 1)
    pool = Workers(2, threads=None)
    assert round_of(pool, tmp_path, [A], [EARLY], nothing_happens, nothing_happens, lambda: pool.ends(A)) == "ae"
    assert set(pool.by_hand.threads.values()) == {1}


def test_an_idle_device_begins_early_one_run_a_device(tmp_path: Path) -> None:
    pool = Workers(3, devices=("cuda:0", "cuda:1", "cuda:2"), threads=None)
    assert round_of(pool, tmp_path, [A, B], [EARLY, OTHER], nothing_happens, lambda: pool.ends(A, B)) == "bae"
    assert [device for _, device in pool._running.values()] == ["cuda:2"]
    slots = Slots(dict.fromkeys(("cuda:0", "cuda:1", "cuda:2")), 3)
    slots.hold("cuda:0", "early")
    assert [slots.take("a"), slots.take("b"), slots.take("c")] == ["cuda:1", "cuda:2", None]


def test_it_does_not_pay_to_begin_in_the_last_half_of_what_is_waited_for(tmp_path: Path) -> None:
    def at(job: Job, step: int) -> None:
        (tmp_path / f"{job[0]}.jsonl").unlink(missing_ok=True)
        writer = RecordWriter(tmp_path / f"{job[0]}.jsonl", *job, {})
        writer.row(step=step, lr=0.1, momentum=0.9, train_loss=1.0, val_loss=1.0, metric=0.5, seconds=0.1)

    assert pays(EARLY, [A], tmp_path)  # no record yet
    at(A, RUN.steps // 2)
    assert pays(EARLY, [A], tmp_path)
    at(A, RUN.steps // 2 + 1)
    assert not pays(EARLY, [A], tmp_path)
    assert pays(EARLY, [A, B], tmp_path)  # the other has all of it before it
    assert not pays(EARLY, [], tmp_path)
    assert not pays(EARLY, [TIMING], tmp_path)


def test_what_was_begun_early_is_not_computed_again_together_with_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, together, alone = Grouped("cpu", 2, 1, "branches"), list[str](), list[str]()
    monkeypatch.setattr(pool, "begun_early", lambda: {EARLY[0]})
    monkeypatch.setattr(pool, "_together", lambda found, *_: together.extend(job[0] for group in found for job in group))
    monkeypatch.setattr(Pool, "_all", lambda self, jobs, *_: alone.extend(job[0] for job in jobs))
    pool._all([A, B, EARLY], tmp_path, lambda: None, 3)
    assert together == [A[0], B[0]]
    assert EARLY[0] in alone  # which waits for it
