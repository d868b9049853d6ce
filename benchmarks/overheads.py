"""What is paid beside training: process start, imports, workers, plots, the record of a run.

python -m benchmarks overheads
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import loops
from benchmarks.grid import members_of, side_by_side
from benchmarks.rounds import conditions
from hpcheck.engine.pool.pool import Pool

COMMANDS = {
    "python, nothing imported": [sys.executable, "-c", "pass"],
    "hpcheck --help": [sys.executable, "-m", "hpcheck", "--help"],
    "hpcheck validate configs/quickstart.yaml": [sys.executable, "-m", "hpcheck", "validate", "configs/quickstart.yaml"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def seconds(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median and least seconds over the rounds."""
    samples = []
    for _ in range(rounds):
        before = time.perf_counter()
        work()
        samples.append(time.perf_counter() - before)
    return statistics.median(samples), min(samples)


def draw() -> None:
    """The pictures of one reading, as a step draws them."""
    from hpcheck.drawing import png
    from hpcheck.drawing.panels import Panel, Series
    from hpcheck.steps.reading import Reading, Settings

    line = tuple(float(index) for index in range(26))
    panels = tuple(
        Panel(f"panel {index}", "iteration", "loss", (Series("a", line, line, line), Series("b", line, line, line))) for index in range(2)
    )
    reading = Reading("momentum", Settings(128, 0.1, 0.01, 0.95, 0.85, 1e-4, 1.0), (), panels)
    with tempfile.TemporaryDirectory() as folder:
        png.draw(reading.step, reading.panels, Path(folder))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks overheads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    given = parser.parse_args(arguments)
    there = conditions()
    print(f"\noverheads, {there['date']}, {there['processor']} x{there['cores']}, load {there['load_before']:.1f}\n")
    print("| what | median s | least s |\n|---|---|---|")

    def row(name: str, work: Callable[[], object], rounds: int = given.rounds) -> None:
        middle, least = seconds(work, rounds)
        print(f"| {name} | {middle:.3f} | {least:.3f} |", flush=True)

    for name, command in COMMANDS.items():
        row(name, lambda command=command: subprocess.run(command, check=True, capture_output=True))  # type: ignore[misc]
    specs = members_of(loops.spec_of(loops.subject("lenet", given.data), 1, 1, 1, 1), 2)
    pool = Pool("cpu", None, None)
    try:
        row("first round of a command: workers start, data load, 2 runs of 1 step", lambda: side_by_side(pool, specs), 1)
        row("later rounds: 2 runs of 1 step", lambda: side_by_side(pool, specs))
    finally:
        pool.close()
    draw()
    row("pictures of one step, matplotlib imported", draw)
