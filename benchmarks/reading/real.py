"""Real range tests with the truth beside them: hpcheck's max lr and the peers' against every 1cycle maximum, trained in full.

    python -m benchmarks.reading.real OUT.jsonl [--half test] [--most N]
    python -m benchmarks.reading.real OUT.jsonl --again      # what OUT.jsonl holds, with hpcheck's answers by the present rule

Each subject is a network, a data set and settings. hpcheck's step chooses a maximum; the peers read their own default sweep (100
iterations, 1e-7 to 10, training loss of each); then 1cycle is trained to its end at every maximum of a grid, with three seeds. A subject
that is already in OUT.jsonl is not run again.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reading.peers import RULES, answer
from hpcheck import config as configs
from hpcheck.checklist.data_facts import facts
from hpcheck.engine.pool import worker
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.identity import identify
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import RunSpec
from hpcheck.steps import lr_range
from hpcheck.steps.build_runs import cycle, full_steps, run
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, replay

GRID = [2.0**power for power in range(-12, 4)]  # 2.4e-4 to 8: the maxima that are trained in full
SEEDS = 3
LARGE = 1e3  # stands for the loss of a diverged run when a value lies between two maxima
PEER_SWEEP = (1e-7, 10.0, 100)  # torch-lr-finder's default end and iterations, fastai's start: log-spaced
NEAR, SEEDED, GIVEN_UP = 1.5, 1.3, 0.02  # near the best: neighbours are trained too; three seeds: up to these times the best, and this


@dataclass(frozen=True)
class Subject:
    half: str
    name: str
    text: str


def subjects() -> Iterator[Subject]:
    """Multilayer perceptrons on digits to develop on; convolutional networks, and MNIST, to test on."""
    cyclical = "{max: 0.95, min: 0.85}"
    for hidden in ("[32]", "[64, 64]", "[128, 128, 128]"):
        for batch, decay, momentum in ((16, 0.0, 0.9), (32, 1e-3, cyclical), (64, 1e-4, cyclical)):
            yield subject("development", "digits", f"mlp {hidden}", f"{{name: mlp, hidden: {hidden}}}", batch, decay, momentum, 700)
    for hidden in ("[50]", "[100]", "[100, 100]", "[200, 200, 200]"):
        for batch, decay, momentum in ((16, 1e-4, cyclical), (64, 1e-3, 0.9)):
            yield subject("test", "mnist", f"mlp {hidden}", f"{{name: mlp, hidden: {hidden}}}", batch, decay, momentum, 700)
    conv = (("digits", "shallow3"), ("mnist", "lenet"))
    for data, net in conv:
        for batch, decay, momentum in ((16, 1e-4, cyclical), (32, 0.0, 0.9), (48, 1e-3, cyclical)):
            yield subject("test", data, net, net, batch, decay, momentum, 400)
    yield subject("test", "digits", "resnet8", "{name: resnet_cifar, depth: 8, variant: he}", 32, 1e-4, cyclical, 400)


TRAINED_ON = {"digits": 1078, "mnist": 1500}  # examples, once a quarter is held out and MNIST is cut to 2,000


def subject(half: str, data: str, label: str, model: str, batch: int, decay: float, momentum: object, steps: int) -> Subject:
    """A full training of about `steps` iterations."""
    few = ", limit: 2000" if data == "mnist" else ""
    epochs = max(1, round(steps * batch / TRAINED_ON[data]))
    text = (
        f"data: {{name: {data}, val_fraction: 0.25{few}}}\nmodel: {model}\nbudget: {{epochs: {epochs}}}\n"
        f"start: {{total_batch_size: {batch}, weight_decay: {decay}, momentum: {momentum}}}\n"
    )
    return Subject(half, f"{data}, {label}, batch {batch}, wd {decay:g}, momentum {momentum}", text)


class Bench:
    """Runs specs one after another in this process, on one thread."""

    def __init__(self, one: Subject, directory: Path) -> None:
        self.asked = Asked(configs.parse(one.text, one.name), facts(configs.parse(one.text, one.name)))
        self.runs = RunDirectory(directory)
        self.runs.records.mkdir(parents=True, exist_ok=True)

    def record(self, spec: RunSpec) -> Any:
        if self.runs.find(spec) is None:
            worker.work(spec, identify(spec), self.runs.records, "cpu", 1)
        return self.runs.find(spec)

    def chosen(self) -> Reading:
        """What hpcheck's lr-range step recommends."""
        while True:
            outcome = replay(lr_range.decide, self.asked, start_settings(self.asked.config), self.runs.find)
            if isinstance(outcome, Reading):
                return outcome
            for spec in outcome.specs:
                self.record(spec)

    def peers(self) -> dict[str, float | None]:
        """What each peer's rule answers on its own sweep."""
        low, high, steps = PEER_SWEEP
        settings = start_settings(self.asked.config)
        sweep = run(self.asked, settings, ramp(low, high, steps, log=True), constant(settings.max_momentum), steps, "peers' sweep")
        found = self.record(replace(sweep, evaluate_after=tuple(range(1, steps + 1)), eval_size=50))
        lr, loss = found.column("lr"), found.column("train_loss")
        return {name: answer(name, lr, loss) for name in RULES}

    def truth(self) -> dict[str, list[float]]:
        """Final validation loss of a full 1cycle at each maximum, a value a seed; inf where it diverged.

        Every second maximum first; those between where the loss is near the best; three seeds where it is nearer.
        """
        first = {lr: self.final(lr, 0) for lr in GRID[::2]}
        near = [lr for lr, loss in first.items() if loss <= NEAR * min(first.values()) + GIVEN_UP]
        for at, lr in enumerate(GRID):
            if at % 2 == 1 and {GRID[at - 1], *GRID[at + 1 : at + 2]} & set(near):
                first[lr] = self.final(lr, 0)
        best = min(first.values())
        found = {lr: [loss] for lr, loss in sorted(first.items())}
        for lr, loss in first.items():
            if loss <= SEEDED * best + GIVEN_UP:
                found[lr] += [self.final(lr, seed) for seed in range(1, SEEDS)]
        return {f"{lr:g}": losses for lr, losses in found.items()}

    def final(self, max_lr: float, seed: int) -> float:
        settings: Settings = lr_range.with_lr(self.asked, start_settings(self.asked.config), max_lr)
        steps = full_steps(self.asked, settings)
        spec = replace(cycle(self.asked, settings, steps, "truth"), seed=100 + seed, evaluate_after=(steps,), finally_on=("val",))
        found = self.record(spec)
        loss = found.result["val"]["loss"] if "val" in found.result else math.inf
        return loss if math.isfinite(loss) else math.inf


def judge(value: float | None, truth: dict[str, list[float]]) -> dict[str, float] | None:
    """How far `value` is from the maxima tied with the best (a factor, 1 inside), and what it loses against the best, in seed deviations.

    A maximum is tied with the best when its mean loss is within one between-seed standard deviation of the best's.
    """
    if value is None:
        return None
    means = {float(lr): float(np.mean(losses)) for lr, losses in truth.items()}
    deviations = [np.std(losses, ddof=1) for losses in truth.values() if len(losses) > 1 and np.isfinite(losses).all()]
    deviation = float(np.median(deviations))
    best = min(means.values())
    tied = [lr for lr, mean in means.items() if mean <= best + deviation]
    distance = max(min(tied) / value, value / max(tied), 1.0)
    lrs = sorted(means)
    at = float(np.interp(np.log(value), np.log(lrs), [min(means[lr], LARGE) for lr in lrs]))
    return {"factor": distance, "regret_in_sd": (at - best) / deviation}


def measured(one: Subject, directory: Path) -> dict[str, Any]:
    bench = Bench(one, directory)
    return _row(one, bench.chosen(), bench.peers(), bench.truth())


def answered_again(row: dict[str, Any], directory: Path) -> dict[str, Any]:
    """A row of OUT.jsonl with hpcheck's answer by the present rule; the peers' answers and the truth depend on no rule of ours."""
    one = next(each for each in subjects() if each.name == row["subject"])
    peers = {name: value for name, value in row["answers"].items() if name != "hpcheck"}
    return _row(one, Bench(one, directory).chosen(), peers, row["truth"])


def _row(one: Subject, reading: Reading, peers: dict[str, float | None], truth: dict[str, list[float]]) -> dict[str, Any]:
    answers = {"hpcheck": reading.settings.max_lr, **peers}
    return {
        "half": one.half,
        "subject": one.name,
        "answers": answers,
        "judged": {name: judge(value, truth) for name, value in answers.items()},
        "truth": truth,
        "reason": "; ".join(item.reason for item in reading.evidence),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", choices=["development", "test"])
    parser.add_argument("--only", default="", help="subjects whose name has this in it")
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--again", action="store_true", help="read what OUT.jsonl holds again, by the present rule")
    parser.add_argument("--truth", action="store_true", help="only train what does not depend on hpcheck's rule")
    parser.add_argument("--records", type=Path, default=Path("runs/reading-real"))
    options = parser.parse_args()
    if options.again:
        rows = [answered_again(json.loads(line), options.records) for line in options.out.read_text().splitlines()]
        options.out.write_text("".join(json.dumps(row, allow_nan=True) + "\n" for row in rows))
        for row in rows:
            print(row["subject"], row["answers"]["hpcheck"], row["judged"]["hpcheck"], flush=True)
        return
    done = {json.loads(line)["subject"] for line in options.out.read_text().splitlines()} if options.out.exists() else set()
    left = [one for one in subjects() if one.name not in done and options.half in (None, one.half) and options.only in one.name]
    for one in left[: options.most]:
        if options.truth:
            bench = Bench(one, options.records)
            print(one.name, bench.peers(), bench.truth(), flush=True)
            continue
        found = measured(one, options.records)
        with options.out.open("a") as file:
            file.write(json.dumps(found, allow_nan=True) + "\n")
        print(one.name, found["answers"]["hpcheck"], found["judged"]["hpcheck"], flush=True)


if __name__ == "__main__":
    main()
