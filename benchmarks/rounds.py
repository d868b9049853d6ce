"""Interleaved timing: every arm once a round, ratios within a round, medians with an interval, and what the machine was like meanwhile."""

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("torch", "torchvision", "numpy", "optuna", "torch-lr-finder", "fastai", "lightning")
RESAMPLES = 2000
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass
class Timed:
    """Seconds of each arm in each round, and what the arms computed in the last."""

    seconds: dict[str, list[float]]
    results: dict[str, Any]
    conditions: dict[str, Any] = field(default_factory=dict)


def interleaved(arms: Mapping[str, Callable[[], Any]], rounds: int, warm_up: bool = True, clock: str = "wall") -> Timed:
    """Call every arm once a round, in turn, each round beginning with another; a first round warms up and is not counted.

    On a machine that others use, the "cpu" clock counts what this process computes; it is for arms of one thread.
    """
    now = CLOCKS[clock]
    timed = Timed({name: [] for name in arms}, {}, {**conditions(), "clock": clock})
    names = list(arms)
    for number in range(-1 if warm_up else 0, rounds):
        shift = max(number, 0) % len(names)
        for name in names[shift:] + names[:shift]:
            before = now()
            timed.results[name] = arms[name]()
            seconds = now() - before
            if number >= 0:
                timed.seconds[name].append(seconds)
    timed.conditions["load_after"] = os.getloadavg()[0]
    return timed


def ratio(of: Sequence[float], to: Sequence[float]) -> tuple[float, float, float]:
    """Median over the rounds of one arm's time over another's in the same round, and its 95% bootstrap interval."""
    quotients = np.array(of) / np.array(to)
    draws = np.random.default_rng(0).choice(quotients, (RESAMPLES, len(quotients)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(np.median(quotients)), float(low), float(high)


def table(timed: Timed, against: str) -> list[str]:
    """Markdown: the median seconds of each arm, and its ratio to the arm `against`."""
    lines = [f"| arm | median s | x {against} | 95% |", "|---|---|---|---|"]
    for name, seconds in timed.seconds.items():
        middle, low, high = ratio(seconds, timed.seconds[against])
        lines.append(f"| {name} | {statistics.median(seconds):.3f} | {middle:.3f} | {low:.3f}-{high:.3f} |")
    return lines


def conditions() -> dict[str, Any]:
    """Date, machine, cores, load and versions, as they are now."""
    return {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := installed(name))},
    }


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    )
    return names[0] if names else platform.processor()


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def shown(title: str, timed: Timed, against: str, out: Path | None, **more: Any) -> None:
    """Print the table under its title, and append the raw figures to `out` as one JSON line."""
    there = timed.conditions
    versions = ", ".join(f"{name} {version}" for name, version in there["versions"].items())
    rounds = len(next(iter(timed.seconds.values())))
    print(f"\n{title}\n\n{there['date']}, {there['processor']} x{there['cores']}, load {there['load_before']:.1f} to "
          f"{there['load_after']:.1f}, {rounds} interleaved rounds, {there['clock']} clock, {versions}\n")  # fmt: skip
    print("\n".join(table(timed, against)), flush=True)
    for key, value in more.items():
        print(f"{key}: {value}")
    if out is not None:
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"title": title, "seconds": timed.seconds, "conditions": there, **more}, default=str) + "\n")
