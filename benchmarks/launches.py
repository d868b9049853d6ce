"""A search of a script's launches, beside the same runs in hpcheck's own workers: the quickstart's digits, network, lrs and lengths.

python -m benchmarks launches
"""

import argparse
import ctypes
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from benchmarks.rounds import conditions
from hpcheck.engine.pool.pool import Pool
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.schedules import constant, one_cycle
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly
from hpcheck.script.description import described
from hpcheck.script.engine import Launches
from hpcheck.script.launch import Launcher

SCRIPT = '''"""The quickstart's training in a loop of one's own."""
import torch
from sklearn.datasets import load_digits
from torch import nn
import hpcheck

torch.manual_seed(hpcheck.seed(0))
x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
x = (x / 16).float()
train_x, train_y, val_x, val_y = x[:1348], y[:1348], x[1348:], y[1348:]
size = hpcheck.total_batch_size(32)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

def validate():
    outputs = model(val_x)
    return nn.functional.cross_entropy(outputs, val_y), (outputs.argmax(1) == val_y).float().mean()

hp = hpcheck.follow(optimizer, validate, model=model, train_examples=1348, val_examples=449, metric="accuracy")
for epoch in hp.epochs(30):
    for rows in torch.randperm(1348).split(size):
        loss = nn.functional.cross_entropy(model(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        hp.loss(loss)
        optimizer.step()
'''
CONFIG = """name: own
data: {name: digits, val_fraction: 0.25}
model: {name: mlp, hidden: [64, 64]}
budget: {epochs: 30}
start: {total_batch_size: 32}
"""
LRS = (0.01, 0.02, 0.05, 0.1, 0.2)


def specs(count: int, steps: int) -> list[RunSpec]:
    """Short 1cycles at several maxima and seeds, as a search makes them."""
    return [
        RunSpec(
            DataSpec("digits", val_fraction=0.25),
            PartSpec("mlp", (("hidden", (64, 64)),)),
            PartSpec("sgd"),
            total_batch_size=32,
            steps=steps,
            lr=one_cycle(LRS[number % len(LRS)], LRS[number % len(LRS)] / 10, round(0.45 * steps), steps),
            momentum=constant(0.9),
            weight_decay=1e-4,
            evaluate_after=(0, *evenly(steps, 25)),
            seed=number // len(LRS),
        )
        for number in range(count)
    ]


def own(made: list[RunSpec], folder: Path) -> None:
    pool = Pool("cpu", 1, 1)
    try:
        pool.execute([(identify(spec), spec) for spec in made], folder)
    finally:
        pool.close()


def launched(made: list[RunSpec], folder: Path) -> None:
    command = [sys.executable, "train.py"]
    launcher = Launcher(command)
    found = described(command, 0, None, [], "", 600.0, launcher)
    engine = Launches(command, found, 1, 1, 600.0, lambda _: None, launcher)
    try:
        engine.execute([(identify(spec), replace(spec, data=DataSpec("script"))) for spec in made], folder)
    finally:
        engine.close()


def search(arm: str, count: int, steps: int) -> tuple[float, float]:
    """Processor and wall seconds of a process that makes all runs, and of all that it starts: what it leaves behind is waited for here."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "benchmarks", "launches", "--arm", arm, "--count", str(count), "--steps", str(steps)]
    subprocess.run(command, check=True)
    wall = time.perf_counter() - started
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def make(arm: str, count: int, steps: int) -> None:
    """All runs by one arm, in this process."""
    made = specs(count, steps)
    os.chdir(tempfile.mkdtemp())
    Path("train.py").write_text(SCRIPT, encoding="utf-8")
    ARMS[arm](made, Path("records"))
    assert all(records.read(Path("records", f"{identify(spec)}.jsonl")) is not None for spec in made)


ARMS: dict[str, Callable[[list[RunSpec], Path], None]] = {"own": own, "launched": launched}
NAMES = {"own": "hpcheck's own workers", "launched": "a script's launches"}
SET_SUBREAPER = 36  # Linux's prctl


def first_step(arm: str) -> tuple[float, float]:
    """Processor and wall seconds from a command until its first run has begun, of all its processes; the command is then ended."""
    command, name = (["own.yaml"], "own") if arm == "own" else (["--", sys.executable, "train.py"], "train")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(SCRIPT, encoding="utf-8")
        Path(folder, "own.yaml").write_text(CONFIG, encoding="utf-8")
        started = time.perf_counter()
        whole = [sys.executable, "-m", "hpcheck", "lr-range", *command]
        process = subprocess.Popen(whole, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not any(path.stat().st_size > 0 for path in Path(folder, "runs", name, "records").glob("*.jsonl")):
            time.sleep(0.005)
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(whole)} ended with {process.returncode} before its first run")
        taken = spent(process.pid), time.perf_counter() - started
        process.terminate()
        process.wait()
    return taken


def spent(pid: int) -> float:
    """Processor seconds of a process and of all that came of it, ended or not, up to now."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            stats[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))  # parent; ticks, of ended children too
    found, waiting = 0, [pid]
    while waiting:
        at = waiting.pop()
        found += stats[at][1]
        waiting += [child for child, (parent, _) in stats.items() if parent == at]
    return found / os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks launches", description=__doc__)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--first-only", action="store_true", help="only the seconds to the first step")
    parser.add_argument("--arm", choices=list(ARMS), help="make this arm's runs, and nothing else")
    given = parser.parse_args(arguments)
    if given.arm:
        return make(given.arm, given.count, given.steps)
    ctypes.CDLL(None).prctl(SET_SUBREAPER, 1, 0, 0, 0)
    there = conditions()
    print(f"\nlaunches, {there['date']}, {there['processor']} x{there['cores']}, load {there['load_before']:.1f}")
    print(f"{given.count} runs of {given.steps} updates\n")
    found: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    firsts: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    for _ in range(given.rounds):
        for arm in ARMS:
            found[arm].append((math.nan, math.nan) if given.first_only else search(arm, given.count, given.steps))
            firsts[arm].append(first_step(arm))
            print(arm, firsts[arm][-1], file=sys.stderr, flush=True)
    print("| arm | processor s | wall s | processor s a run | to the first step: processor s | wall s |\n|---|---|---|---|---|---|")
    for arm, both in found.items():
        cpu, wall, cpu_first, wall_first = (statistics.median(one[at] for one in of) for of in (both, firsts[arm]) for at in (0, 1))
        print(f"| {NAMES[arm]} | {cpu:.1f} | {wall:.1f} | {cpu / given.count:.2f} | {cpu_first:.2f} | {wall_first:.1f} |")
    return None
