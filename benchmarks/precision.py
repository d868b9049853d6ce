"""Whether bf16 trains as fp32 does: validation curves of one run in both, beside the spread between seeds.

python -m benchmarks precision --subject lenet --steps 400 --seeds 2
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import loops
from benchmarks.rounds import conditions
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.malloc import keep_freed_memory
from hpcheck.runs.schedules import one_cycle


def losses(rows: loops.Rows) -> np.ndarray:
    return np.array([row[1] for row in rows])  # (E,)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks precision", description=__doc__)
    parser.add_argument("--subject", choices=["lenet", "shallow3"], default="lenet")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    what = loops.subject(given.subject, given.data)
    lr = one_cycle(what.lr * 2, what.lr / 5, int(given.steps * 0.45), given.steps)
    spec = loops.spec_of(what, given.steps, given.batch, evals=10, eval_size=2000, lr=lr)
    data = worker.on_device(spec.data, "cpu")[0]
    found = {}
    for precision in ("fp32", "bf16"):
        found[precision] = [
            loops.hpchecks(replace(spec, seed=seed, precision=precision), data) for seed in range(given.seeds)
        ]  # fmt: skip
    full, half = (np.array([losses(rows) for rows in found[precision]]) for precision in ("fp32", "bf16"))  # (S, E) each
    there = conditions()
    print(f"\nbf16 beside fp32: {given.subject}, 1cycle of {given.steps} steps at batch {given.batch}, {given.seeds} seeds, "
          f"2,000 validation examples; {there['date']}, torch {there['versions']['torch']}\n")  # fmt: skip
    print("| | mean validation loss | last loss | last accuracy |\n|---|---|---|---|")
    for precision, curves in (("fp32", full), ("bf16", half)):
        accuracy = np.mean([rows[-1][2] for rows in found[precision]])
        print(f"| {precision} | {curves.mean():.4f} | {curves[:, -1].mean():.4f} | {accuracy:.4f} |")
    between = np.abs(full[1:] - full[:1]).mean() if given.seeds > 1 else np.nan
    print(f"\nmean |bf16 - fp32| of one seed: {np.abs(half - full).mean():.4f}; mean |one seed - another| in fp32: {between:.4f}; "
          f"mean signed difference {np.mean(half - full):+.4f}")  # fmt: skip
    if given.out is not None:
        with given.out.open("a", encoding="utf-8") as file:
            title = f"precision: {given.subject}, {given.steps} steps at batch {given.batch}"
            file.write(json.dumps({"title": title, "rows": found, "conditions": there}) + "\n")
