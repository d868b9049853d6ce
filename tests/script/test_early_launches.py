"""Launches that begin before they are asked for, by launches that end when the test says so."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpcheck.runs.records import RecordWriter
from hpcheck.script import engine as engines
from hpcheck.script.engine import Job, Launches
from tests.support.engine_runs import RUN

A, B, EARLY = ((name * 16, replace(RUN, seed=seed)) for seed, name in enumerate("abe"))
DESCRIPTION = SimpleNamespace(
    device="cpu", processes=1, seeded=True, fingerprint="", told={}, refuse_changed=lambda: None, environment=lambda _: {}
)


class Launcher:
    """Launches in order; each is a process that is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.begun = folder, dict[str, SimpleNamespace]()

    def launch(self, job: Any, threads: int, limit: float) -> SimpleNamespace:
        made = SimpleNamespace(job=job, folder=self.folder, code=None, output=lambda: "", is_silent=lambda: False)
        made.poll, made.end, made.let_go = lambda: made.code, lambda: None, lambda: None
        job.write(self.folder)
        self.begun[job.run_id] = made
        return made

    def ends(self, *jobs: Job) -> None:
        for run_id, spec in jobs:
            writer = RecordWriter(self.folder / f"{run_id}.jsonl", run_id, spec, {"device": "cpu"})
            for step in RUN.evaluate_after:
                writer.row(step=step, lr=0.1, momentum=0.9, train_loss=1.0, val_loss=1.0, metric=0.5, seconds=0.1)
            writer.finish("finished", {"train_seconds": 0.1, "eval_seconds": 0.1, "first_loss": 2.0})
            self.begun[run_id].code = 0

    def close(self) -> None: ...


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    for name in ("LOOK_SECONDS", "POLL_SECONDS"):
        monkeypatch.setattr(engines, name, 0.001)
    return Launcher(tmp_path)


def launches(launcher: Launcher, jobs: int, threads: int | None = 1) -> Launches:
    return Launches([sys.executable, "train.py"], DESCRIPTION, jobs, threads, 60.0, print, launcher)  # type: ignore[arg-type]


def round_of(engine: Launches, launcher: Launcher, jobs: list[Job], early: list[Job], *ends: list[Job]) -> str:
    left = list(ends)

    def on_poll() -> None:
        if left:
            launcher.ends(*left.pop(0))

    engine.execute(jobs, launcher.folder, on_poll, ahead=lambda: early)
    return "".join(run_id[0] for run_id in launcher.begun)


def test_a_free_place_launches_early_and_the_launch_is_waited_for_once_asked_for(launcher: Launcher) -> None:
    engine = launches(launcher, 2)
    assert round_of(engine, launcher, [A], [EARLY], [], [A]) == "ae"
    assert launcher.begun[EARLY[0]].code is None
    assert round_of(engine, launcher, [EARLY, B], [], [], [B], [], [EARLY]) == "aeb"  # it was not launched again
    assert launcher.begun[EARLY[0]].code == 0


def test_one_launch_at_a_time_launches_nothing_early(launcher: Launcher) -> None:
    assert round_of(launches(launcher, 1), launcher, [A], [EARLY], [], [A]) == "a"


def test_nothing_is_launched_early_where_its_threads_would_depend_on_when(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "most_threads", lambda *_: 2)
    assert round_of(launches(launcher, 2, threads=None), launcher, [A], [EARLY], [], [A]) == "a"
