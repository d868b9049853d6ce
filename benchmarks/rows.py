"""Trainings of several of the paper's rows on a GPU, as many as fit together in one CUDA graph; `hpcheck reproduce` finds their records.

python -m benchmarks rows table1-row3 table1-row4 --repeats 2
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

from hpcheck.checklist import run as pipeline
from hpcheck.engine.graphs import grouping
from hpcheck.engine.graphs.grouping import Job
from hpcheck.engine.graphs.worker import work_together
from hpcheck.engine.pool.pool import Ahead, nothing
from hpcheck.reproduce.experiments import chosen, runs
from hpcheck.runs import records
from hpcheck.terminal.progress import Progress


class AskedError(Exception):
    """What a step would have run, and where."""

    def __init__(self, jobs: Sequence[Job], directory: Path) -> None:
        super().__init__(f"{len(jobs)} runs")
        self.jobs, self.directory = list(jobs), directory


class Asking:
    """An engine that computes nothing."""

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        raise AskedError(jobs, directory)

    def close(self) -> None: ...


def wanted(name: str, overrides: Sequence[str]) -> list[tuple[Job, Path]]:
    """What the experiment's trainings still lack, each with the folder of its record."""
    found: list[tuple[Job, Path]] = []
    for experiment in chosen([name]):
        for run in runs(experiment, overrides):
            with (
                mock.patch.object(pipeline, "engine_of", return_value=Asking()),
                pipeline.Checklist(run.config, Progress(True)) as checklist,
            ):
                try:
                    checklist.run_step(run.step)
                except AskedError as asked:
                    found += [(job, asked.directory) for job in asked.jobs]
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks rows", description=__doc__)
    parser.add_argument("names", nargs="+", help="experiments; NAME,key=value,... for one with overrides of its own")
    parser.add_argument("-s", action="append", default=[], dest="overrides")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--members", type=int, default=8, help="runs in a graph, at most")
    parser.add_argument("--mode", default="branches")
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args(arguments)
    repeats = [] if given.repeats is None else [f"train.repeats={given.repeats}"]
    places: dict[str, Path] = {}
    jobs: list[Job] = []
    for name, *own in (one.split(",") for one in given.names):
        for job, directory in wanted(name, [*given.overrides, *repeats, *own]):
            if job[0] not in places:
                places[job[0]] = directory
                jobs.append(job)
    with mock.patch.object(grouping, "MOST_TOGETHER", given.members):
        grouped = grouping.groups(jobs)
    for group in grouped:
        before = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            work_together(group, Path(folder), given.device, 1, given.mode)
            for run_id, _ in group:
                places[run_id].mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(folder) / f"{run_id}.jsonl", places[run_id])
        print(f"{time.monotonic() - before:6.1f} s: {len(group)} runs", flush=True)
        for run_id, _ in group:
            record = records.read(places[run_id] / f"{run_id}.jsonl")
            assert record is not None
            print(f"  {places[run_id].parent.name:24} {run_id} {record.status} {record.result.get('test')}", flush=True)
