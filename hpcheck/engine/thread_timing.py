"""How many threads pay for the steps of one model: each number is timed in alternation with half of it, in a worker."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from hpcheck.engine.loop import Data
from hpcheck.engine.timing import Way, bare, eager, sample
from hpcheck.runs.spec import RunSpec, Spec

PAYS = 1.25  # ours: twice the threads must be so many times as fast. A smaller gain is lost as soon as another program wants a core
ROUNDS = 5  # ours: samples of each number in a comparison ...
ENOUGH_SECONDS = 1.0  # ... and fewer, but one at the least, where they have taken so long: a step of that length is hardly noisy
Threads = Callable[[int], None]


def threads_that_pay(spec: Spec, data: Data, snapshots: Path, most: int, set_threads: Threads = torch.set_num_threads) -> int:
    """The number of threads, at most `most`, from which on twice as many are hardly faster."""
    size = spec.total_batch_size if isinstance(spec, RunSpec) else min(spec.batch_sizes)
    way = eager(bare(spec, size, data, snapshots))
    return doubled(lambda few, many: gain(way, data, few, many, set_threads), most)


def doubled(gain_of: Callable[[int, int], float], most: int) -> int:
    """Twice as many threads, again and again, as long as it pays.

    >>> doubled(lambda few, many: 1.8 if many <= 4 else 1.1, most=16), doubled(lambda few, many: 1.9, most=6)
    (4, 6)
    """
    threads = 1
    while threads < most:
        more = min(2 * threads, most)
        if gain_of(threads, more) < 1 + (PAYS - 1) * (more / threads - 1):  # a smaller step up must gain in proportion
            break
        threads = more
    return threads


def gain(way: Way, data: Data, few: int, many: int, set_threads: Threads) -> float:
    """How many times as fast steps are with `many` threads as with `few`: the median of ratios of neighbouring samples. It is what a run
    would see; the quickest sample is one that nothing disturbed, and a team of threads is disturbed most."""
    ratios: list[float] = []
    started = time.perf_counter()
    while len(ratios) < ROUNDS and not (ratios and time.perf_counter() - started > ENOUGH_SECONDS):
        took = []
        for threads in (few, many):
            set_threads(threads)
            way(1)  # threads are started in it
            seconds, made = sample(way, 1, data, time.perf_counter)
            took.append(seconds / made)
        ratios.append(took[0] / took[1])
    return statistics.median(ratios)
