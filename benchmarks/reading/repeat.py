"""The same lr-range step under many seeds: how far the recommended max_lr, and the lr_limit, lie apart.

    python -m benchmarks.reading.repeat OUT.jsonl [--only lenet] [--seeds 0 20]
    python -m benchmarks.reading.repeat OUT.jsonl --table

A seed decides initial weights, data order and what dropout draws; the data and the held-out part stay. Seeds that are already in OUT.jsonl
are not run again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reading.real import Bench, Subject

START = "start: {total_batch_size: %d, weight_decay: 5.0e-4, momentum: {max: 0.95, min: 0.85}}\n"
CIFAR = "data: {name: cifar10, limit: 5000, normalize: mean-image}\nmodel: shallow3\n"
SUBJECTS = {
    "MNIST LeNet": "data: {name: mnist, limit: 2500}\nmodel: lenet\nbudget: {evals: 20, eval_size: 250, epochs: 12}\n" + START % 32,
    "CIFAR-10 shallow3": CIFAR + "budget: {evals: 16, eval_size: 250, epochs: 8}\n" + START % 16,
    "digits mlp": "data: {name: digits, val_fraction: 0.25}\nmodel: {name: mlp, hidden: [64, 64]}\n" + START % 64,
}


def measured(name: str, seed: int, directory: Path) -> dict[str, Any]:
    """What the step says under one seed, and how many iterations its runs took."""
    bench = Bench(Subject("", name, SUBJECTS[name] + f"seed: {seed}\n"), directory)
    before = {path.name for path in bench.runs.records.iterdir()}
    reading = bench.chosen()
    items = {item.setting: item for item in reading.evidence}
    limit = items["lr_limit"].value if "lr_limit" in items else None
    runs = len({path.name for path in bench.runs.records.iterdir()} - before)
    rate = items["learning_rate"]
    return {
        "subject": name,
        "seed": seed,
        "max_lr": reading.settings.max_lr,
        "lr_limit": limit,
        "interval": rate.interval,
        "confidence": rate.confidence,
        "reason": rate.reason,
        "runs": runs,
    }


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Median, extremes and their ratio for each subject; the share of seeds whose interval holds the median."""
    lines = [
        "| subject | seeds | value | median | smallest | largest | largest / smallest | sd (factor) | intervals that hold the median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["subject"] for row in rows):
        mine = [row for row in rows if row["subject"] == name]
        for key in ("max_lr", "lr_limit"):
            found = np.array([row[key] for row in mine if row[key] is not None])
            middle, spread = float(np.median(found)), float(found.max() / found.min())
            held = [row["interval"][0] <= middle <= row["interval"][1] for row in mine if row["interval"]] if key == "max_lr" else []
            share = f"{sum(held)} of {len(held)}" if held else ""
            deviation = float(np.exp(np.std(np.log(found), ddof=1)))
            lines.append(
                f"| {name} | {len(found)} of {len(mine)} | {key} | {middle:.3g} | {found.min():.3g} | {found.max():.3g} "
                f"| {spread:.2f} | {deviation:.2f} | {share} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 20), metavar=("FIRST", "UNTIL"))
    parser.add_argument("--records", type=Path, default=Path("runs/reading-repeat"))
    parser.add_argument("--table", action="store_true", help="only print what is in OUT.jsonl")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    if given.table:
        print("\n".join(table(rows)))
        return
    done = {(row["subject"], row["seed"]) for row in rows}
    for name in (name for name in SUBJECTS if given.only.lower() in name.lower()):
        for seed in range(*given.seeds):
            if (name, seed) not in done:
                found = measured(name, seed, given.records)
                with given.out.open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(name, seed, found["max_lr"], found["lr_limit"], found["runs"], flush=True)


if __name__ == "__main__":
    main()
