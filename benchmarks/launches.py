"""A search of a script's launches, beside the same runs in hpcheck's own workers: the quickstart's digits, network, lrs and lengths.

python -m benchmarks launches
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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


def used() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


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


def search(arm: Callable[[list[RunSpec], Path], None], made: list[RunSpec]) -> tuple[float, float]:
    """Processor and wall seconds of all runs, workers or server and the first look included."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = used(), time.perf_counter()
        arm(made, Path(folder))
        assert all(records.read(Path(folder, f"{identify(spec)}.jsonl")) is not None for spec in made)
        return used() - cpu, time.perf_counter() - wall


def first_step(command: list[str], name: str) -> float:
    """Seconds from a command until its first run has begun; the command is then ended."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(SCRIPT, encoding="utf-8")
        Path(folder, "own.yaml").write_text(CONFIG, encoding="utf-8")
        started = time.perf_counter()
        whole = [sys.executable, "-m", "hpcheck", *command]
        process = subprocess.Popen(whole, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not any(path.stat().st_size > 0 for path in Path(folder, "runs", name, "records").glob("*.jsonl")):
            time.sleep(0.005)
        taken = time.perf_counter() - started
        process.terminate()
        process.wait()
    return taken


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks launches", description=__doc__)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args(arguments)
    os.chdir(tempfile.mkdtemp())
    Path("train.py").write_text(SCRIPT, encoding="utf-8")
    made, there = specs(given.count, given.steps), conditions()
    print(f"\nlaunches, {there['date']}, {there['processor']} x{there['cores']}, load {there['load_before']:.1f}")
    print(f"{given.count} runs of {given.steps} updates\n")
    arms = {"hpcheck's own workers": own, "a script's launches": launched}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    firsts: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(given.rounds):
        for name, arm in arms.items():
            found[name].append(search(arm, made))
            command = ["lr-range", "own.yaml"] if arm is own else ["lr-range", "--", sys.executable, "train.py"]
            firsts[name].append(first_step(command, "own" if arm is own else "train"))
    print("| arm | processor s | wall s | processor s a run | command to first step, wall s |\n|---|---|---|---|---|")
    for name, both in found.items():
        cpu, wall = (statistics.median(one[at] for one in both) for at in (0, 1))
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {cpu / given.count:.2f} | {statistics.median(firsts[name]):.1f} |")
