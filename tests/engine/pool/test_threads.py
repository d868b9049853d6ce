"""The threads of a run: what may be taken, what is measured, and that a run directory keeps what was chosen for it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcheck.engine import thread_timing
from hpcheck.engine.pool import pool as processes
from hpcheck.engine.pool import threads
from hpcheck.engine.pool.pool import Pool
from hpcheck.engine.pool.threads import CHOSEN, most_threads
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from tests.support.engine_runs import RUN

Found = Callable[[int], int | None]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores that nobody uses."""
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def never(most: int) -> int:
    raise AssertionError("measured although there was nothing to choose")


def test_what_was_measured_once_is_kept_whatever_the_load_and_the_variables_say_later(tmp_path, monkeypatch):
    assert most_threads(tmp_path, 8, lambda most: most // 2) == 4
    monkeypatch.setattr(os, "getloadavg", lambda: (8.0, 8.0, 8.0))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert most_threads(tmp_path, 8, never) == 4


def test_omp_num_threads_is_the_most_that_is_measured(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    assert most_threads(tmp_path, 8, lambda most: asked.append(most) or most) == 3
    assert asked == [3]


@pytest.mark.parametrize("said", ["", "many", "16"])
def test_omp_num_threads_that_says_no_smaller_number_changes_nothing(tmp_path, monkeypatch, said):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert most_threads(tmp_path, 8, lambda most: most) == 8


def test_one_core_or_one_thread_asked_for_needs_no_measuring(tmp_path, monkeypatch):
    assert most_threads(tmp_path / "", 1, never) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / CHOSEN).unlink()
    assert most_threads(tmp_path, 8, never) == 1


def test_a_run_alone_leaves_the_cores_that_others_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (5.0, 0.0, 0.0))
    assert most_threads(tmp_path, 8, lambda most: most) == 3


def test_under_full_load_one_thread_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (40.0, 0.0, 0.0))
    assert most_threads(tmp_path, 8, never) == 1


def test_a_system_that_says_no_load_is_taken_as_idle(tmp_path, monkeypatch):
    def fails() -> tuple[float, float, float]:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", fails)
    assert most_threads(tmp_path, 8, lambda most: most) == 8


def test_steps_that_fail_choose_nothing(tmp_path):
    assert most_threads(tmp_path, 8, lambda most: None) == 1
    assert not (tmp_path / CHOSEN).exists()


@pytest.mark.parametrize("content", ["", "[]", '{"threads": "4"}', '{"threads": 0}', '{"threads": true}', "{}"])
def test_a_damaged_choice_is_made_again(tmp_path: Path, content: str):
    (tmp_path / CHOSEN).write_text(content)
    assert most_threads(tmp_path, 8, lambda most: 2) == 2
    assert threads.read(tmp_path) == 2


def test_threads_are_doubled_only_while_it_pays():
    def speed(few: int, many: int) -> float:
        return {2: 1.9, 4: 1.3, 8: 1.2}[many]

    assert thread_timing.doubled(speed, 8) == 4
    assert thread_timing.doubled(lambda few, many: 0.4, 8) == 1  # a small network


def test_neighbouring_samples_are_compared_and_the_typical_ratio_counts(monkeypatch):
    now = []
    clock = iter([0.0, *[0.0] * 20])
    took = {1: iter([4.0, 4.0, 8.0, 4.0, 4.0]), 2: iter([2.0, 40.0, 4.0, 2.0, 2.0])}  # 8 and 4 in one moment of load; 40 by bad luck
    monkeypatch.setattr(thread_timing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(thread_timing, "sample", lambda way, at_a_time, data, clock: (next(took[now[-1]]), 1))
    assert thread_timing.gain(lambda steps: None, None, 1, 2, now.append) == 2.0
    assert now == [1, 2] * 5


def chosen_by(pool: Pool, folder: Path) -> int:
    pool.execute([(identify(RUN), RUN)], folder)
    pool.close()
    record = records.read(folder / f"{identify(RUN)}.jsonl")
    return record.environment["threads"]


def test_a_worker_measures_for_a_directory_once(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "available_cores", lambda: 2)
    made = chosen_by(Pool("cpu", None, None), tmp_path)
    assert made in (1, 2)
    assert threads.read(tmp_path) == made


def test_runs_of_a_directory_take_what_was_chosen_for_it_and_no_more_than_their_share(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "available_cores", lambda: 4)
    (tmp_path / CHOSEN).write_text('{"threads": 3}')
    assert chosen_by(Pool("cpu", None, None), tmp_path) == 3
    (tmp_path / f"{identify(RUN)}.jsonl").unlink()
    (tmp_path / CHOSEN).write_text('{"threads": 4}')
    assert chosen_by(Pool("cpu", 2, None), tmp_path) == 4  # alone: nothing else was asked for
    pool = Pool("cpu", 2, None)
    (tmp_path / f"{identify(RUN)}.jsonl").unlink()
    pool.execute([(identify(RUN), RUN)], tmp_path, asked_at_once=2)
    pool.close()
    assert records.read(tmp_path / f"{identify(RUN)}.jsonl").environment["threads"] == 2


def test_the_configs_own_number_wins_and_nothing_is_measured(tmp_path):
    (tmp_path / CHOSEN).write_text('{"threads": 2}')
    assert chosen_by(Pool("cpu", 1, 1), tmp_path) == 1
