"""What a person waits for: `hpcheck run` of one config in fresh directories, quiet and under busy loops in turn, then once more recorded.

    python -m benchmarks waits --config configs/quickstart.yaml --repeats 10 --busy 2 --out waits.jsonl

One line a repeat: wall seconds to the first line and to the end, device-seconds, the list of runs, threads, the training's iterations.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from hpcheck.runs import records
from hpcheck.runs.spec import RunSpec

BUSY_LOOP = "while True: pass"


class Repeat(TypedDict):
    busy: int
    first_line: float
    wall: float
    again: float
    again_cpu: float
    device_seconds: float
    threads: int
    iterations: int
    runs: list[str]


def timed_command(command: list[str], directory: Path) -> tuple[float, float, float]:
    """(seconds to the first line on either stream, seconds to the end, processor seconds of its own)."""
    before = os.times()
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    first = time.perf_counter() - begun
    process.stdout.read()
    if process.wait() not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return first, time.perf_counter() - begun, spent


def repeat(config: Path, busy: int) -> Repeat:
    """One fresh run beside `busy` loops that never rest, and the same command again."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(busy)]
    command = [sys.executable, "-m", "hpcheck", "run", str(config.resolve())]
    try:
        with tempfile.TemporaryDirectory() as name:
            first, wall, _ = timed_command(command, Path(name))
            _, again, again_cpu = timed_command(command, Path(name))
            directory = next(Path(name).glob("runs/*/records"))
            kept = [record for path in sorted(directory.glob("*.jsonl")) if (record := records.read(path)) is not None]
            threads = json.loads((directory / "threads.json").read_text())["threads"]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    trained = [record for record in kept if isinstance(record.spec, RunSpec)]
    return {
        "busy": busy,
        "first_line": first,
        "wall": wall,
        "again": again,
        "again_cpu": again_cpu,
        "device_seconds": sum(map(records.seconds_spent, kept)),
        "threads": threads,
        "iterations": max(record.run.steps for record in trained),
        "runs": sorted(record.run_id for record in trained),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/quickstart.yaml"))
    parser.add_argument("--repeats", type=int, default=10, help="pairs of a quiet and a busy run")
    parser.add_argument("--busy", type=int, default=2, help="loops that never rest")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    found: list[Repeat] = []
    for _ in range(asked.repeats):
        for busy in (0, asked.busy):
            found.append(repeat(asked.config, busy))
            print(json.dumps({key: value for key, value in found[-1].items() if key != "runs"}), flush=True)
            if asked.out:
                with asked.out.open("a") as file:
                    file.write(json.dumps(found[-1]) + "\n")
    told(found)


def told(found: list[Repeat]) -> None:
    quiet = [one["wall"] for one in found if not one["busy"]]
    loaded = [one["wall"] for one in found if one["busy"]]
    print(f"wall: quiet {statistics.median(quiet):.1f} s, busy {statistics.median(loaded):.1f} s")
    ratios = [b / a for a, b in zip(quiet, loaded, strict=True)]
    print(f"busy over quiet: {min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}")
    for key in ("threads", "iterations", "runs"):
        kinds = {json.dumps(one[key]) for one in found}
        print(f"{key}: {len(kinds)} kinds in {len(found)} runs")


if __name__ == "__main__":
    main()
