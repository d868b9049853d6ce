"""Real training curves with their own continuation: what a reader sees, and what happens when training goes on at that lr.

    python -m benchmarks.reading.real_curves OUT.jsonl [--half test] [--only lenet]

Every setting is drawn from wide ranges: lr from far too small to far too large, constant, rising, 1cycle or stepped, weight decay down
to 0, few examples. It is trained with three seeds, half as long again as the reader sees, at the lr that the seen part ended with. A
setting that is already in OUT.jsonl is not trained again. The halves share no pair of network and data set.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reading.real import Bench, Subject
from hpcheck.runs.schedules import Knots, constant, one_cycle, ramp, values
from hpcheck.runs.spec import evenly
from hpcheck.steps.build_runs import run
from hpcheck.steps.start import start_settings

SEEDS = 3
GOES_ON = 0.5  # of the seen length
POLICIES = ("constant", "constant", "constant", "ramp", "cycle", "step")
LEVELS = ((0.01, 0.1), (0.3, 1.5), (0.3, 1.5), (2.0, 8.0), (10.0, 100.0))  # of a usual lr: too small, usual twice, large, too large
COLUMNS = ("step", "lr", "val_loss", "metric", "train_loss")


@dataclass(frozen=True)
class Pair:
    """A network on a data set: how many settings are drawn, its usual constant lr at momentum 0.9, and the range of seen lengths."""

    half: str
    name: str
    data: str
    models: tuple[str, ...]
    limits: tuple[int | None, ...]
    count: int
    usual: float
    lengths: tuple[int, int]
    eval_size: int


MLPS = ("{name: mlp, hidden: [32]}", "{name: mlp, hidden: [64, 64]}", "{name: mlp, hidden: [128, 128, 128]}")
CIFAR = "{name: cifar10"
PAIRS = (
    Pair("development", "mlp on digits", "{name: digits", MLPS, (None, 300), 60, 0.03, (100, 1200), 360),
    Pair("development", "mlp on CIFAR-10", CIFAR, ("{name: mlp, hidden: [100]}",), (1500,), 30, 0.01, (100, 800), 500),
    Pair("test", "mlp on MNIST", "{name: mnist", MLPS[1:], (400, 1500), 60, 0.02, (100, 1200), 500),
    Pair("test", "shallow3 on digits", "{name: digits", ("shallow3",), (None, 400), 26, 0.02, (80, 500), 360),
    Pair("test", "lenet on MNIST", "{name: mnist", ("lenet",), (400, 1500), 18, 0.01, (80, 400), 300),
)


@dataclass(frozen=True)
class Setting:
    """One draw; `seen` iterations are shown to the reader, with `evals` evaluations."""

    pair: Pair
    number: int
    model: str
    limit: int | None
    batch: int
    weight_decay: float
    momentum: float
    policy: str
    lr: float
    seen: int
    evals: int

    @property
    def name(self) -> str:
        few = f" ({self.limit})" if self.limit else ""
        drawn = f"{self.policy}, lr {self.lr:.2g}, batch {self.batch}, wd {self.weight_decay:g}, {self.seen}"
        return f"{self.pair.name}{few} #{self.number}: {drawn}"

    def subject(self) -> Subject:
        few = f", limit: {self.limit}" if self.limit else ""
        text = (
            f"data: {self.pair.data}, val_fraction: 0.25{few}}}\nmodel: {self.model}\nbudget: {{eval_size: {self.pair.eval_size}}}\n"
            f"start: {{total_batch_size: {self.batch}, weight_decay: {self.weight_decay}, momentum: {self.momentum}}}\n"
        )
        return Subject(self.pair.half, self.name, text)

    def knots(self) -> Knots:
        """The lr of the seen part; after it the lr stays what it ended with."""
        if self.policy == "constant":
            return constant(self.lr)
        if self.policy == "ramp":
            return ramp(self.lr / 50, self.lr * 2, self.seen)
        if self.policy == "cycle":
            return one_cycle(self.lr * 2, self.lr / 5, int(self.seen * 0.45), self.seen)
        drop = round(self.seen * 0.6)
        return Knots(((0, self.lr), (drop, self.lr), (drop, self.lr / 10)))


def settings(half: str | None = None) -> Iterator[Setting]:
    """Every setting of a half, the same ones each time."""
    for place, pair in enumerate(PAIRS):
        for number in range(pair.count if half in (None, pair.half) else 0):
            rng = np.random.default_rng([20, place, number])
            momentum = float(rng.choice([0.0, 0.9, 0.9, 0.95]))
            level = LEVELS[rng.integers(len(LEVELS))]
            lr = pair.usual * (1 - momentum) / 0.1 * float(np.exp(rng.uniform(*np.log(level))))
            yield Setting(
                pair,
                number,
                model=str(rng.choice(pair.models)),
                limit=pair.limits[rng.integers(len(pair.limits))],
                batch=int(rng.choice([16, 32, 64])),
                weight_decay=float(rng.choice([0.0, 0.0, 1e-4, 1e-3, 1e-2])),
                momentum=momentum,
                policy=str(rng.choice(POLICIES)),
                lr=float(f"{lr:.2g}"),
                seen=int(np.exp(rng.uniform(*np.log(pair.lengths)))),
                evals=int(rng.choice([12, 20, 25, 40])),
            )


def trained(one: Setting, directory: Path) -> dict[str, Any]:
    """Three seeds of it, seen part and continuation in one; raw columns to four figures, which is what they mean."""
    bench = Bench(one.subject(), directory)
    until = one.seen + round(one.seen * GOES_ON)
    start = start_settings(bench.asked.config)
    after = (0, *evenly(one.seen, one.evals), *evenly(until, round(one.evals * GOES_ON), first=one.seen))
    spec = run(bench.asked, start, one.knots(), constant(one.momentum), until, one.name)
    runs = []
    for seed in range(SEEDS):
        found = bench.record(replace(spec, evaluate_after=after, seed=seed))
        columns = {name: [float(f"{value:.4g}") for value in found.column(name)] for name in COLUMNS}
        runs.append({**columns, "diverged": found.diverged})
    last = float(values(one.knots(), one.seen)[-1])
    return {"half": one.pair.half, "pair": one.pair.name, "name": one.name, "seen": one.seen, "last_lr": last, "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", choices=["development", "test"])
    parser.add_argument("--only", default="", help="pairs whose name has this in it")
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--records", type=Path, default=Path("runs/real-curves"))
    given = parser.parse_args()
    done = {json.loads(line)["name"] for line in given.out.read_text().splitlines()} if given.out.exists() else set()
    left = [one for one in settings(given.half) if one.name not in done and given.only in one.pair.name]
    for one in left[: given.most]:
        with given.out.open("a") as file:
            file.write(json.dumps(trained(one, given.records)) + "\n")
        print(one.name, flush=True)


if __name__ == "__main__":
    main()
