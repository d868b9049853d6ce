"""Thousands of short runs through the driver, with an engine that computes nothing: what planning, committing and reading back cost.

    python benchmarks/driver.py 1000 3000 10000

Everything but the training is the real thing: replays, identities, records with their checksums and fsyncs, progress, report. Each size is
a process of its own. The runs come in 10 rounds, as a step that refines its grid asks for them.
"""

import argparse
import contextlib
import io
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hpcheck.checklist import run as pipeline
from hpcheck.config import parse
from hpcheck.engine.pool.pool import POLL_SECONDS, Ahead, Job, nothing
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.schedules import constant
from hpcheck.steps.build_runs import run
from hpcheck.steps.order import STEPS
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked, Steps
from hpcheck.terminal.progress import Progress

ROUNDS = 10
CONFIG = "name: driver\ndata: {name: digits, val_fraction: 0.25}\nmodel: mlp\n"
ENVIRONMENT = {"hpcheck": "", "torch": "", "python": "", "device": "cpu", "device_name": "none", "threads": 1}


class Fake:
    """Writes the record that a run would leave: 26 rows of a falling loss."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        started = polled = time.perf_counter()
        for run_id, spec in jobs:
            record = RecordWriter(directory / f"{run_id}.jsonl", run_id, spec, ENVIRONMENT)
            random = np.random.default_rng(spec.seed)
            for step in spec.evaluate_after:
                loss = 0.3 + 2 * math.exp(-step / 50) + random.normal(0, 0.01)
                row = {"lr": 0.1, "momentum": 0.9, "train_loss": loss, "val_loss": loss, "metric": 1 - loss / 3, "seconds": 0.001 * step}
                record.row(step=step, **row)
            record.finish("finished", {"train_seconds": 0.2, "eval_seconds": 0.0, "first_loss": 2.3})
            if time.perf_counter() - polled > POLL_SECONDS:
                before = time.perf_counter()
                on_poll()
                polled = time.perf_counter()
                started += polled - before  # progress is the driver's
        self.seconds += time.perf_counter() - started

    def close(self) -> None: ...


def grid_of(count: int) -> Callable[[Asked, Settings], Steps]:
    """A step that asks for so many runs, a tenth at a time."""

    def decide(asked: Asked, settings: Settings) -> Steps:
        for number in range(ROUNDS):
            seeds = range(count * number // ROUNDS, count * (number + 1) // ROUNDS)
            specs = [run(asked, settings, constant(0.1), constant(0.9), 200, f"run {seed}") for seed in seeds]
            yield [spec.__class__(**{**vars(spec), "seed": seed}) for seed, spec in zip(seeds, specs, strict=True)]
        return Reading("grid", settings, ())

    return decide


def measured(count: int) -> dict[str, float]:
    """Seconds and peak memory of `count` runs in an empty folder, then of the same command again, which finds them all."""
    STEPS["grid"] = grid_of(count)
    config = parse(CONFIG, "driver")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stderr(io.StringIO()):
        engine, started, computed = Fake(), time.perf_counter(), time.process_time()
        with pipeline.Checklist(config, Progress()) as checklist:
            checklist.pool = engine
            checklist.run_step("grid")
        computed = time.process_time() - computed
        seconds, started = time.perf_counter() - started, time.perf_counter()
        with pipeline.Checklist(config, Progress()) as checklist:
            checklist.run_step("grid")
        again = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.jsonl"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "runs": count,
        "commit": engine.seconds,
        "plan": seconds - engine.seconds,
        "again": again,
        "processor": computed,
        "peak_mb": peak,
        "disk_mb": size / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="*", default=[1000, 3000, 10000])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.counts[0])))
        return
    print("runs    commit s  plan and read s  again s  processor s  processor ms a run  peak MB  records MB")
    for count in arguments.counts:
        told = subprocess.run([sys.executable, __file__, str(count), "--one"], capture_output=True, text=True, check=True).stdout
        one = json.loads(told)
        each = 1000 * one["processor"] / count
        seconds = f"{one['commit']:8.1f}  {one['plan']:15.1f}  {one['again']:7.1f}  {one['processor']:11.1f}  {each:18.2f}"
        print(f"{count:<8}{seconds}  {one['peak_mb']:7.0f}  {one['disk_mb']:10.0f}")


if __name__ == "__main__":
    main()
