"""One run: hpcheck's loop beside the naive loop and the best bare loop (issue: at most 1.02 times the bare one).

python -m benchmarks single --subject lenet --precision fp32
"""

import argparse
import os
from pathlib import Path

import torch

from benchmarks import loops
from benchmarks.rounds import CLOCKS, interleaved, shown
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.malloc import keep_freed_memory


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks single", description=__doc__)
    parser.add_argument("--subject", choices=["lenet", "shallow3"], default="lenet")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--without-naive", action="store_true", help="only the two that the claim of overhead is about")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu, with --threads 1, on a machine that others use")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    what = loops.subject(given.subject, given.data)
    spec = loops.spec_of(what, given.steps, precision=given.precision)
    data = worker.on_device(spec.data, "cpu")[0]
    arms = {"hpcheck": lambda: loops.hpchecks(spec, data), "bare": lambda: loops.bare(spec, data)}
    if not given.without_naive:
        arms["naive"] = lambda: loops.naive(spec, data)
    timed = interleaved(arms, given.rounds, clock=given.clock)
    gap = loops.largest_gap(timed.results["hpcheck"], timed.results["bare"])
    title = f"single run: {given.subject}, {given.precision}, batch 128, {given.steps} steps, {given.threads} threads"
    shown(title, timed, "bare", given.out, gap_between_validation_losses=f"{gap:.2g}")
