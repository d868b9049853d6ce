"""What following costs: a loop of a user's own with and without `hpcheck.follow`, in blocks of steps by turns, in processor time.

python -m benchmarks following --milliseconds 1
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks

import hpcheck
from benchmarks.rounds import conditions
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, to_dict
from hpcheck.script import api
from hpcheck.script.inside.follower import Follower
from hpcheck.script.job import JOB, Job

WARM_UP = 3  # blocks of each arm that are not counted


class Nothing(torch.optim.SGD):
    """An optimizer whose step computes nothing: what is left is the loop, the hooks and the follower."""

    def step(self, closure: Any = None) -> Any:
        """Nothing."""


def driven(steps: int, folder: Path) -> None:
    """Have this process launched for one run of so many steps, evaluated at its end."""
    spec = RunSpec(
        DataSpec("script"),
        PartSpec("script"),
        PartSpec("sgd"),
        total_batch_size=64,
        steps=steps,
        lr=ramp(1e-4, 1e-3, steps),
        momentum=constant(0.9),
        weight_decay=1e-4,
        evaluate_after=(steps,),
    )
    Job("run", seed=0, total_batch_size=64, run_id="a" * 16, records=str(folder), spec=to_dict(spec)).write(folder)
    os.environ[JOB] = str(folder)
    api._driven.cache_clear()


def blocks(optimizer: Any, block: int, update: Any, hp: Any) -> Iterator[None]:
    """A training loop that pauses after each block of steps."""
    for number in hp.steps(1 << 30):
        loss = update()
        hp.loss(loss)
        optimizer.step()
        optimizer.zero_grad()
        if number % block == block - 1:
            yield


def block_of(arm: Iterator[None], alone: bool) -> float:
    """Processor seconds of the next block; that of the loop alone without the follower's hook for all optimizers of the process."""
    hooks = dict(_global_optimizer_post_hooks)
    if alone:
        _global_optimizer_post_hooks.clear()
    before = time.process_time()
    next(arm)
    taken = time.process_time() - before
    _global_optimizer_post_hooks.update(hooks)
    return taken


def made(width: int, groups: int, cheap: bool) -> tuple[Any, Any, Any]:
    """An optimizer, what computes an update, and what follows it, as a script makes them."""
    torch.manual_seed(hpcheck.seed(0))
    size = hpcheck.total_batch_size(64)
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    parts = [list(model.parameters())[at::groups] for at in range(groups)]
    kind = Nothing if cheap else torch.optim.SGD
    optimizer = kind([{"params": part} for part in parts], lr=1e-3, momentum=0.9, weight_decay=1e-4)
    x, y = torch.randn(size, 64), torch.randint(0, 10, (size,))
    held = torch.tensor(1.0)

    def update() -> torch.Tensor:
        if cheap:
            return held
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss

    return optimizer, update, hpcheck.follow(optimizer, lambda: (1.0, 0.5), train_examples=6400, val_examples=100)


def pair(width: int, block: int, rounds: int, groups: int, cheap: bool) -> dict[str, list[float]]:
    """Processor seconds of a step in each block, of the loop alone and followed."""
    arms: dict[str, Iterator[None]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("alone", "followed"):
            nobody_drives()
            if name == "followed":
                driven(block * (rounds + WARM_UP) + 1, Path(folder))
            optimizer, update, hp = made(width, groups, cheap)
            assert hp.active == (name == "followed")
            arms[name] = blocks(optimizer, block, update, hp)
        seconds: dict[str, list[float]] = {name: [] for name in arms}
        for number in range(rounds + WARM_UP):
            for name in sorted(arms, reverse=bool(number % 2)):
                taken = block_of(arms[name], alone=name == "alone")
                if number >= WARM_UP:
                    seconds[name].append(taken)
    nobody_drives()
    return {name: [one / block for one in found] for name, found in seconds.items()}


def nobody_drives() -> None:
    """Have no job any more."""
    os.environ.pop(JOB, None)
    api._driven.cache_clear()
    _global_optimizer_post_hooks.clear()


def inside(width: int, groups: int, steps: int) -> tuple[float, float, float]:
    """Median microseconds of a step; of these in what follows it, the median step's, and the mean without the slowest 2%: a look at the
    losses every ten updates is in it. So is the clock's own time."""
    spent: dict[str, list[int]] = {name: [] for name in ("loss", "_before", "_after", "_another")}
    originals = {name: getattr(Follower, name) for name in spent}

    def timed(name: str) -> Any:
        def call(*given: Any) -> Any:
            before = time.perf_counter_ns()
            found = originals[name](*given)
            spent[name].append(time.perf_counter_ns() - before)
            return found

        return call

    whole = []
    with tempfile.TemporaryDirectory() as folder:
        driven(steps + 100, Path(folder))
        for name in spent:
            setattr(Follower, name, timed(name))
        optimizer, update, hp = made(width, groups, cheap=False)
        for number in hp.steps(steps):
            before = time.perf_counter_ns()
            hp.loss(update())
            optimizer.step()
            optimizer.zero_grad()
            whole.append(time.perf_counter_ns() - before)
            if number == steps:
                break
    for name, original in originals.items():
        setattr(Follower, name, original)
    nobody_drives()
    usual = [statistics.mean(sorted(times)[: int(0.98 * len(times))]) for times in spent.values()]
    return statistics.median(whole) / 1000, sum(map(statistics.median, spent.values())) / 1000, sum(usual) / 1000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks following", description=__doc__)
    parser.add_argument("--width", type=int, default=300, help="of the network; its step takes about a millisecond of one core so")
    parser.add_argument("--block", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    there = conditions()
    print(f"\nfollowing, {there['date']}, {there['processor']} x{there['cores']}, load {there['load_before']:.1f}, processor time\n")
    print("| step | groups | alone, us | followed, us | more, us | ratio (median of the rounds) |\n|---|---|---|---|---|---|")
    for cheap, groups in ((True, 1), (True, 3), (False, 1), (False, 3)):
        found = pair(given.width, given.block * (10 if cheap else 1), given.rounds, groups, cheap)
        alone, followed = (1e6 * statistics.median(found[name]) for name in ("alone", "followed"))
        differences = [1e6 * (other - one) for one, other in zip(found["alone"], found["followed"], strict=True)]
        ratio = statistics.median(other / one for one, other in zip(found["alone"], found["followed"], strict=True))
        what = "nothing is computed" if cheap else f"perceptron of width {given.width}"
        print(f"| {what} | {groups} | {alone:.1f} | {followed:.1f} | {statistics.median(differences):.1f} | {ratio:.3f} |", flush=True)
    print("\n| step, us | groups | of it in the follower, us: median, mean | share: median, mean |\n|---|---|---|---|")
    for groups in (1, 3):
        step, median, mean = inside(given.width, groups, 2000)
        print(f"| {step:.0f} | {groups} | {median:.1f}, {mean:.1f} | {median / step:.1%}, {mean / step:.1%} |", flush=True)
