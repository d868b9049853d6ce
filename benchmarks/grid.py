"""A grid of members side by side in hpcheck's workers, beside as many naive loops one after another.

python -m benchmarks grid --subject lenet --members 4 --steps 60
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import loops
from benchmarks.rounds import interleaved, shown
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.spec import RunSpec

WEIGHT_DECAYS = (1e-3, 1e-4, 1e-5, 0.0)


def members_of(spec: RunSpec, count: int) -> list[RunSpec]:
    """The same run at several weight decays, and with other seeds beyond the first four."""
    return [
        replace(spec, weight_decay=WEIGHT_DECAYS[index % 4], seed=index // 4, label=f"member {index}") for index in range(count)
    ]  # fmt: skip


def side_by_side(pool: Pool, specs: Sequence[RunSpec]) -> list[loops.Rows]:
    """The members as a step of the checklist has them run: by the pool, each with a record."""
    jobs = [(identify(spec), spec) for spec in specs]
    with tempfile.TemporaryDirectory() as folder:
        pool.execute(jobs, Path(folder))
        return [loops.rows_of(records.read(Path(folder) / f"{run_id}.jsonl")) for run_id, _ in jobs]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks grid", description=__doc__)
    parser.add_argument("--subject", choices=["lenet", "shallow3"], default="lenet")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the naive loops")
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"], help="fp32 is always timed")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    what = loops.subject(given.subject, given.data)
    specs = members_of(loops.spec_of(what, given.steps, eval_size=500), given.members)
    data = worker.on_device(specs[0].data, "cpu")[0]
    pool = Pool("cpu", None, None)
    half = [replace(spec, precision="bf16") for spec in specs]
    arms = {
        "naive, one after another": lambda: [loops.naive(spec, data) for spec in specs],
        "hpcheck fp32": lambda: side_by_side(pool, specs),
    }
    if "bf16" in given.precisions:
        arms["hpcheck bf16"] = lambda: side_by_side(pool, half)
    side_by_side(pool, [replace(spec, steps=2, evaluate_after=(2,)) for spec in specs])  # workers load the data once a command
    try:
        timed = interleaved(arms, given.rounds, warm_up=False)
    finally:
        pool.close()
    gaps = {
        name: max(map(loops.largest_gap, timed.results[name], timed.results["naive, one after another"]))
        for name in arms
        if "hpcheck" in name
    }
    title = f"grid: {given.subject}, {given.members} members of {given.steps} steps at batch 128, evaluated 5 times on 500"
    shown(title, timed, "naive, one after another", given.out, gap_to_naive={name: f"{gap:.2g}" for name, gap in gaps.items()})
