"""What each arm of the contest trains. Every training and every search is one line of the task's file, and none is made twice."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks.contest.tasks import Params, Task
from benchmarks.tuning.trials import trained
from hpcheck.config import yaml12
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.start import start_settings
from hpcheck.steps.train import TUNING_FREE, comparison

TPE_TRIALS = 60
DRAWN_WITH = 20261130
FRESH_SEEDS = (1001, 1002, 1003, 1004)
GRID_LRS, GRID_DECAYS, GRID_SEEDS = 7, 5, (0, 1)
Line = dict[str, Any]


class Book:
    """The lines of one task, by arm."""

    def __init__(self, folder: Path, task: Task) -> None:
        self.path = folder / f"{task.name}.jsonl"
        self.lines: list[Line] = []
        if self.path.exists():
            self.lines = [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def of(self, arm: str) -> list[Line]:
        return [line for line in self.lines if line["arm"] == arm]

    def add(self, line: Line) -> Line:
        self.lines.append(line)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return line


def training(task: Task, book: Book, arm: str, params: Params, seed: int) -> Line:
    """The full training with `params`: metric and loss on both splits, None where it diverged."""
    return kept(book, arm, params, seed, task.full_run(params, seed))


def kept(book: Book, arm: str, params: Params, seed: int, spec: RunSpec) -> Line:
    """The line of a run, trained unless it is there."""
    for line in book.of(arm):
        if line["params"] == params and line["seed"] == seed:
            return line
    record = trained(spec)
    ends = {} if record.diverged else {split: record.result[split] for split in ("val", "test")}
    figures = {f"{split}_{what}": ends[split][what] if ends else None for split in ("val", "test") for what in ("metric", "loss")}
    return book.add({"arm": arm, "params": params, "seed": seed, **figures, "seconds": record.result["train_seconds"]})


def random_pool(task: Task, book: Book) -> None:
    """Full trainings, lr and weight decay log-uniform; batch size, momentum and length are the user's."""
    random = np.random.default_rng(DRAWN_WITH)
    for _ in range(task.pool):
        lr, decay = (float(np.exp(random.uniform(*np.log(ends)))) for ends in (task.lr, task.weight_decay))
        training(task, book, "random", {"lr": lr, "weight_decay": decay}, 0)


def tpe(task: Task, book: Book) -> None:
    """Optuna's TPE with its defaults, in the same space, by the validation metric."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    space = {
        key: optuna.distributions.FloatDistribution(*ends, log=True) for key, ends in (("lr", task.lr), ("weight_decay", task.weight_decay))
    }
    for _ in range(TPE_TRIALS):
        asked_for = study.ask(space)
        value = training(task, book, "tpe", dict(asked_for.params), 0)["val_metric"]
        study.tell(asked_for, -1.0 if value is None else max(-1.0, value))


def grid(task: Task, book: Book) -> None:
    lrs, decays = np.geomspace(*task.lr, GRID_LRS), np.geomspace(*task.weight_decay, GRID_DECAYS)
    for seed in GRID_SEEDS:
        for lr in lrs:
            for decay in decays:
                training(task, book, "grid", {"lr": float(lr), "weight_decay": float(decay)}, seed)


def search(task: Task, book: Book, arm: str, seed: int, code: Path, runs: Path) -> Line:
    """`hpcheck run` as a person types it, by the code in `code`, and what it recommends."""
    for line in book.of(arm):
        if line["seed"] == seed:
            return line
    name = f"{task.name}-{arm}-{seed}"
    given = {"seed": seed, "name": name, "run.dir": runs.resolve(), "run.device": "cpu"} | ({"train.repeats": 1} if arm == "before" else {})
    command = [
        sys.executable,
        "-m",
        "hpcheck",
        "run",
        str(task.config),
        *(word for key, value in given.items() for word in ("-s", f"{key}={value}")),
    ]
    alone = runs.resolve() / f"code-of-{arm}"  # the package alone: a checkout has benchmarks of its own, and these name ours
    alone.mkdir(parents=True, exist_ok=True)
    (alone / "hpcheck").unlink(missing_ok=True)  # of an earlier call, whose code may have been another
    (alone / "hpcheck").symlink_to(code.resolve() / "hpcheck")
    paths = os.pathsep.join((str(alone), str(Path.cwd())))
    done = subprocess.run(command, cwd=alone, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    if done.returncode not in (0, 1, 6):  # 6: a reading abstained
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    found: Any = yaml12.read((runs / name / "recommended.yaml").read_text(encoding="utf-8")).value
    if "learning_rate" not in found["settings"]:
        return book.add({"arm": arm, "seed": seed, "params": None, "says": "no answer", "cost": found["provenance"].get("cost")})
    cost = found.get("cost") or found["provenance"].get("cost")
    confidence = {key: found["evidence"][key]["confidence"] for key in ("learning_rate", "weight_decay") if key in found["evidence"]}
    return book.add(
        {
            "arm": arm,
            "seed": seed,
            "params": params_of(found["settings"]),
            "says": (found.get("verdict") or {}).get("says"),
            "cost": cost,
            "confidence": confidence,
            "start": start_of(task, found),
        }
    )


def params_of(settings: Any) -> Params:
    lr, momentum = settings["learning_rate"], settings["momentum"]
    return {
        "lr": lr["max"],
        "min_lr": lr["min"],
        "momentum": momentum["max"],
        "min_momentum": momentum["min"],
        "weight_decay": settings["weight_decay"],
        "batch": settings["total_batch_size"],
        "epochs": lr["epochs"],
    }


def start_of(task: Task, found: Any) -> Params:
    """What the search compared its answer with: the user's settings, at the lr that it found where the user gave none."""
    start = task.asked.config.start
    candidates = found.get("results", {}).get("confirm", {}).get("considered", [])
    lr = next((one["max_lr"] for one in candidates if one["start"]), found["settings"]["learning_rate"]["max"])
    return {"lr": lr, "weight_decay": start.weight_decay}


def tuning_free(task: Task, book: Book) -> None:
    """Schedule-free AdamW and Prodigy at their packages' own settings, with the fresh seeds."""
    settings = replace(start_settings(task.asked.config), max_lr=1.0, min_lr=0.1)
    for name in TUNING_FREE:
        spec = comparison(task.asked, settings, name)[0]
        for seed in FRESH_SEEDS:
            kept(book, name, {}, seed, replace(spec, seed=seed, finally_on=("val", "test"), keep=""))


def winners(task: Task, book: Book) -> Iterator[Params]:
    """Every setting that some arm would give: hpcheck's answers and starts, the best of TPE, the best few of the pool."""
    for line in (line for arm in ("hpcheck", "before") for line in book.of(arm) if line["params"]):
        yield line["params"]
        yield line["start"]
    ranked = sorted(book.of("random"), key=by_validation, reverse=True)
    yield from (line["params"] for line in ranked[: task.counted])
    if book.of("tpe"):
        yield max(book.of("tpe"), key=by_validation)["params"]
    yield from (line for line in [best_cell(book)] if line is not None)


def best_cell(book: Book) -> Params | None:
    """The grid's best cell, by the validation metric over its seeds."""
    cells: dict[str, list[float]] = {}
    for line in book.of("grid"):
        cells.setdefault(json.dumps(line["params"]), []).append(by_validation(line)[0])
    return json.loads(max(cells, key=lambda cell: float(np.mean(cells[cell])))) if cells else None


def by_validation(line: Line) -> tuple[float, float]:
    """Larger is better: the metric, then the loss; a training that diverged is last."""
    return (-np.inf, -np.inf) if line["val_metric"] is None else (line["val_metric"], -line["val_loss"])


def fresh(task: Task, book: Book) -> None:
    """Every winner, trained anew with four seeds that no arm has seen."""
    for params in winners(task, book):
        for seed in FRESH_SEEDS:
            training(task, book, "fresh", params, seed)
