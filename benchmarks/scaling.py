"""How the cost of a grid grows with members, examples in a batch, evaluations and the size of the network.

    python -m benchmarks scaling

One thing is varied at a time around 4 members of LeNet, 40 steps at batch 32, 5 evaluations of 500 examples.
"""

import argparse
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import loops
from benchmarks.grid import members_of, side_by_side
from benchmarks.rounds import conditions
from hpcheck.engine.pool.pool import Pool
from hpcheck.runs.spec import PartSpec, RunSpec, evenly, freeze

MEMBERS, STEPS, BATCH = 4, 40, 32


def variants(base: RunSpec) -> dict[str, list[tuple[str, list[RunSpec]]]]:
    """What is varied -> the grids to time, the smallest first."""
    return {
        "members": [(str(count), members_of(base, count)) for count in (1, 2, 4, 8, 16)],
        "batch size": [(str(size), members_of(replace(base, total_batch_size=size), MEMBERS)) for size in (8, 16, 32, 64, 128)],
        "steps": [
            (str(steps), members_of(replace(base, steps=steps, evaluate_after=evenly(steps, 5)), MEMBERS)) for steps in (20, 40, 80, 160)
        ],
        "evaluations": [(str(count), members_of(replace(base, evaluate_after=evenly(STEPS, count)), MEMBERS)) for count in (1, 5, 20, 40)],
        "hidden units of an mlp": [
            (str(width), members_of(replace(base, model=PartSpec("mlp", freeze({"hidden": [width, width]}))), MEMBERS))
            for width in (64, 256, 1024, 2048)
        ],
        "training examples": [
            (str(count), members_of(replace(base, data=replace(base.data, limit=count)), MEMBERS)) for count in (2000, 20_000, 60_000)
        ],
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    given = parser.parse_args(arguments)
    base = loops.spec_of(loops.subject("lenet", given.data), STEPS, BATCH)
    there = conditions()
    pool = Pool("cpu", None, None)
    print(
        f"\nscaling, {there['date']}, {there['processor']} x{there['cores']}, load {there['load_before']:.1f}, medians of {given.rounds}\n"
    )
    print("| varied | value | seconds | ms a member and step | x the one before |\n|---|---|---|---|---|")
    try:
        for varied, grids in variants(base).items():
            before = float("nan")
            for value, specs in grids:
                side_by_side(pool, [replace(spec, steps=1, evaluate_after=(1,)) for spec in specs])  # the data are in the workers
                samples = []
                for _ in range(given.rounds):
                    start = time.perf_counter()
                    side_by_side(pool, specs)
                    samples.append(time.perf_counter() - start)
                middle = statistics.median(samples)
                each = 1e3 * middle / (len(specs) * specs[0].steps)
                print(f"| {varied} | {value} | {middle:.2f} | {each:.2f} | {middle / before:.2f} |", flush=True)
                before = middle
    finally:
        pool.close()
