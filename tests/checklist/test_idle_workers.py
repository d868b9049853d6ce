"""The whole checklist with workers that end in any order: the same runs and the same answer, and no measurement that is of no use."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import hpcheck
from hpcheck.engine.pool.pool import Ahead, Job, nothing
from hpcheck.runs import records
from hpcheck.runs.spec import TimingSpec
from tests.support.simulated import World
from tests.support.simulated_engine import SimulatedEngine, simulate

SEARCH = {
    "data": {"name": "digits", "val_fraction": 0.25},
    "model": {"name": "mlp", "hidden": [64, 64]},
    "budget": {"epochs": 30},
    "start": {"total_batch_size": 32},
}


class Workers(SimulatedEngine):
    """So many of them; which run ends next is drawn. What was begun early goes on beside the next round."""

    def __init__(self, world: World, count: int, seed: int) -> None:
        super().__init__(world)
        self.count, self.order = count, random.Random(seed)
        self.running: dict[str, Job] = {}
        self.early: list[str] = []

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        waiting = [job for job in jobs if job[0] not in self.running]
        awaited = {run_id for run_id, _ in jobs}
        while waiting or awaited & self.running.keys():
            while waiting and len(self.running) < self.count:
                self.begin(waiting.pop())
            for job in ahead() if len(self.running) < self.count else ():
                if job[0] not in self.running and len(self.running) < self.count:
                    self.early.append(job[0])
                    self.begin(job)
            ended = self.running.pop(self.order.choice(sorted(self.running)))
            super().execute([ended], directory, on_poll)

    def begin(self, job: Job) -> None:
        self.running[job[0]] = job


def searched(folder: Path, monkeypatch: pytest.MonkeyPatch, engine: SimulatedEngine, config: dict[str, Any]) -> tuple[list[str], Any]:
    """The names of the records of a fresh search, and its recommendation."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    simulate(monkeypatch)
    monkeypatch.setattr("hpcheck.checklist.run.engine", lambda config, say=None: engine)
    answer = hpcheck.run({**config, "name": "search"}, quiet=True)
    found = yaml.safe_load((answer.directory / "recommended.yaml").read_text(encoding="utf-8"))
    return sorted(path.name for path in (answer.directory / "records").glob("*.jsonl")), found


@pytest.mark.parametrize("more", [{}, {"confirm": {"sure": True}}], ids=["plain", "sure"])
def test_the_same_runs_and_the_same_answer_with_one_worker_two_and_four(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    plain = searched(tmp_path / "plain", monkeypatch, SimulatedEngine(World(best_weight_decay=1e-3)), SEARCH | more)
    begun_early = 0
    for count, seed in ((1, 0), (2, 1), (4, 2)):
        engine = Workers(World(best_weight_decay=1e-3), count, seed)
        assert searched(tmp_path / f"{count}", monkeypatch, engine, SEARCH | more) == plain
        assert not engine.running  # nothing was begun that nobody asked for
        begun_early += len(engine.early)
        assert count > 1 or not engine.early
    assert begun_early


def measured(folder: Path) -> list[str]:
    kept = [record for path in folder.rglob("*.jsonl") if (record := records.read(path)) is not None]
    return [record.run_id for record in kept if isinstance(record.spec, TimingSpec)]


def test_steps_are_not_timed_where_the_share_of_the_search_is_used_up_anyway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costly = SEARCH | {"lr_range": {"steps": 400}}
    _, found = searched(tmp_path / "short", monkeypatch, SimulatedEngine(World()), costly)
    assert measured(tmp_path / "short") == []
    assert found["settings"]["total_batch_size"] == 32
    longer = {**SEARCH, "budget": {"epochs": 120}}
    searched(tmp_path / "long", monkeypatch, SimulatedEngine(World()), longer)
    assert len(measured(tmp_path / "long")) == 1


def test_steps_are_not_timed_after_an_lr_that_full_trainings_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {**SEARCH, "budget": {"epochs": 22}, "start": {"total_batch_size": 32, "max_lr": 0.1}}
    searched(tmp_path / "short", monkeypatch, SimulatedEngine(World()), short)
    assert measured(tmp_path / "short") == []
