"""What grows with the length of a training, with its evaluations, with members and with data: processor seconds and memory, no wall clock.

    python -m benchmarks growth [steps | run | members | data] [--gib 2] [--iterations 20000]

Each line is of a process of its own: its processor seconds and the most memory that it had, that of its children included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly, freeze

SAMPLED_SECONDS = 0.1
MLP = PartSpec("mlp", freeze({"hidden": [64, 64]}))
CONFIG = "data: {{name: digits, val_fraction: 0.25}}\nmodel: mlp\nbudget: {{epochs: {epochs}}}\nstart: {{total_batch_size: 32}}\n"
T = TypeVar("T")
LOADER = """
import numpy as np
def load(*, rows):
    x = np.memmap("x.dat", dtype={dtype!r}, mode="r", shape=(rows, {shape}))
    y = np.arange(rows) % 10
    return (x, y), (np.array(x[:500]), y[:500])
"""


def of_process(*command: str, folder: Path) -> tuple[float, float]:
    """(processor seconds, MiB at the most) of a command and of the children that it waited for."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1, 6):
        raise SystemExit(f"{' '.join(command)}: {said}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def hpcheck(*arguments: str, folder: Path) -> tuple[float, float]:
    return of_process(sys.executable, "-m", "hpcheck", *arguments, folder=folder)


def here(*arguments: str, folder: Path) -> tuple[float, float]:
    """One of the functions below, in a process of its own."""
    environment = f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); from benchmarks import growth; growth.inside(*sys.argv[1:])"
    return of_process(sys.executable, "-c", environment, *arguments, folder=folder)


def inside(what: str, *numbers: str) -> None:
    functions: dict[str, Callable[..., None]] = {"run": run_inside, "members": members_inside, "data": data_inside}
    functions[what](*map(int, numbers))


def small(steps: int, evaluations: int) -> RunSpec:
    return RunSpec(
        data=DataSpec("digits", val_fraction=0.25),
        model=MLP,
        optimizer=PartSpec("sgd"),
        total_batch_size=32,
        steps=steps,
        lr=constant(0.01),
        momentum=constant(0.9),
        weight_decay=1e-4,
        evaluate_after=(0, *evenly(steps, evaluations)),
    )


def resident(kind: str = "VmRSS") -> float:
    """MiB of this process now: VmRSS of all, RssAnon of its own, RssFile of mapped files."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields[kind].split()[0]) / 1024


@contextmanager
def sampled(sample: Callable[[], T]) -> Iterator[list[T]]:
    """What `sample` says again and again while the body runs."""
    samples, ended = list[T](), threading.Event()

    def take() -> None:
        while not ended.wait(SAMPLED_SECONDS):
            samples.append(sample())

    sampler = threading.Thread(target=take)
    sampler.start()
    try:
        yield samples
    finally:
        ended.set()
        sampler.join()


def run_inside(steps: int, evaluations: int) -> None:
    """One run in this process; writes memory at shares of its steps to memory.json."""
    from hpcheck.engine.pool import worker
    from hpcheck.runs.identity import identify
    from hpcheck.runs.records import standing

    spec = small(steps, evaluations)
    run_id = identify(spec)
    with sampled(lambda: (standing(Path(f"{run_id}.jsonl")).row.get("step", 0.0) / steps, resident())) as samples:
        worker.work(spec, run_id, Path(), "cpu", 1)
    at = {share: max((mib for done, mib in samples if done <= share), default=0.0) for share in (0.1, 0.25, 0.5, 1.0)}
    Path("memory.json").write_text(json.dumps(at))


def members_inside(count: int) -> None:
    """Short runs that differ in their seed, by two workers."""
    from hpcheck.engine.pool.pool import Pool
    from hpcheck.runs.identity import identify

    specs = [replace(small(100, 5), seed=seed) for seed in range(count)]
    pool = Pool("cpu", 2, 1)
    pool.execute([(identify(spec), spec) for spec in specs], Path("records"))
    pool._workers()._pool.shutdown()  # workers that end by themselves are counted


def data_inside(rows: int, steps: int) -> None:
    """A few steps on a user's mapped file, in this process; writes what of its memory is its own to memory.json."""
    from hpcheck.engine.pool import worker
    from hpcheck.runs.identity import identify

    spec = replace(small(steps, 1), data=DataSpec("mapped:load", options=freeze({"rows": rows})))
    with sampled(lambda: (resident("RssAnon"), resident("RssFile"))) as samples:
        before, begun = resident("RssAnon"), time.process_time()
        worker.on_device(spec.data, "cpu")
        loaded = time.process_time() - begun
        worker.work(spec, identify(spec), Path(), "cpu", 1)
    own, of_files = (max(column) for column in zip(*samples, strict=True))
    Path("memory.json").write_text(json.dumps({"own": own - before, "files": of_files, "seconds": loaded}))


def steps_table(folder: Path) -> Iterator[str]:
    yield "| iterations of a training | `plan`: CPU s, MiB | with `confirm.trainings=8` |"
    for iterations in (1_000, 100_000, 1_000_000):
        (folder / "c.yaml").write_text(CONFIG.format(epochs=round(iterations * 32 / 1078)))
        plain, confirmed = hpcheck("plan", "c.yaml", folder=folder), hpcheck("plan", "c.yaml", "-s", "confirm.trainings=8", folder=folder)
        yield f"| {iterations:,} | {plain[0]:.2f}, {plain[1]:.0f} | {confirmed[0]:.2f}, {confirmed[1]:.0f} |"


def run_table(folder: Path, iterations: int) -> Iterator[str]:
    yield "| iterations, evaluations | CPU s | MiB up to 10, 25, 50, 100% of the run |"
    for steps, evaluations in ((iterations, 40), (iterations, 400), (iterations, 2)):
        at = folder / f"{steps}-{evaluations}"
        at.mkdir()
        seconds, _ = here("run", str(steps), str(evaluations), folder=at)
        found = json.loads((at / "memory.json").read_text())
        yield f"| {steps:,}, {evaluations} | {seconds:.1f} | {', '.join(f'{mib:.1f}' for mib in found.values())} |"


def members_table(folder: Path) -> Iterator[str]:
    yield "| runs of 100 steps by two workers | CPU s | MiB of the largest process |"
    for count in (2, 16, 64):
        at = folder / f"members-{count}"
        at.mkdir()
        seconds, mib = here("members", str(count), folder=at)
        yield f"| {count} | {seconds:.1f} | {mib:.0f} |"


def data_table(folder: Path, gib: float) -> Iterator[str]:
    yield "| mapped file | CPU s to load | at the most MiB of its own more than before, MiB of mapped files |"
    for dtype, shape, bytes_a_row in (("uint8", "32, 32, 3", 3072), ("float32", "1024", 4096)):
        for size in (gib / 8, gib):
            rows = int(size * 2**30 / bytes_a_row)
            at = folder / f"{dtype}-{size}"
            at.mkdir()
            (at / "mapped.py").write_text(LOADER.format(dtype=dtype, shape=shape))
            values = np.memmap(at / "x.dat", dtype=dtype, mode="w+", shape=(rows, bytes_a_row // np.dtype(dtype).itemsize))
            values[:1024] = np.random.default_rng(0).integers(0, 255, values[:1024].shape)
            here("data", str(rows), "20", folder=at)
            found = json.loads((at / "memory.json").read_text())
            yield f"| {dtype}, {size:g} GiB | {found['seconds']:.1f} | {found['own']:.0f}, {found['files']:.0f} |"
            (at / "x.dat").unlink()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks growth", description=__doc__)
    parser.add_argument("what", nargs="*", default=["steps", "run", "members", "data"])
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--iterations", type=int, default=20_000)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = {
            "steps": lambda: steps_table(folder),
            "run": lambda: run_table(folder, given.iterations),
            "members": lambda: members_table(folder),
            "data": lambda: data_table(folder, given.gib),
        }
        for what in given.what:
            for line in tables[what]():
                print(line, flush=True)
