"""Does the answer depend on where a person starts? One search from each of several starts, most of them wrong in one setting.

    python -m benchmarks starts docs/results/contest/starts.jsonl --tasks digits concrete

The usual start is the config's, at the learning rate that a first search found. The others multiply one of its settings. The last is the
first search's whole recommendation, so that nothing better is to be found. Each final training is repeated with four seeds and scored on
the test split. Every search is one line of the file, and none is made twice.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hpcheck.config import yaml12

TASKS = Path(__file__).with_name("contest") / "tasks"
FINALS = 4
Line = dict[str, Any]


def starts(usual: Line, best: Line) -> dict[str, dict[str, float]]:
    """Overrides of each start, by its name. `usual` and `best` are settings as `settings_of` has them."""
    own = {"start.max_lr": best["lr"], "start.weight_decay": usual["weight_decay"], "start.total_batch_size": usual["batch"]}
    both = {"start.momentum.max": best["momentum"], "start.momentum.min": best["min_momentum"]}
    return {
        "as usual": own,
        "lr x10": own | {"start.max_lr": 10 * best["lr"]},
        "lr /10": own | {"start.max_lr": best["lr"] / 10},
        "weight decay x10": own | {"start.weight_decay": 10 * usual["weight_decay"]},
        "weight decay /10": own | {"start.weight_decay": usual["weight_decay"] / 10},
        "momentum 0.5": own | {"start.momentum.max": 0.5, "start.momentum.min": 0.5},
        "batch x8": own | {"start.total_batch_size": 8 * usual["batch"]},
        "batch /8": own | {"start.total_batch_size": usual["batch"] // 8},
        "the best already": own | both | {"start.weight_decay": best["weight_decay"], "start.total_batch_size": best["batch"]},
    }


def settings_of(settings: Any) -> Line:
    lr, momentum = settings["learning_rate"], settings["momentum"]
    outer, inner = (momentum["max"], momentum["min"]) if isinstance(momentum, dict) else (momentum, momentum)
    return {
        "lr": lr["max"],
        "momentum": outer,
        "min_momentum": inner,
        "weight_decay": settings["weight_decay"],
        "batch": settings["total_batch_size"],
        "epochs": lr["epochs"],
    }


def search(task: str, overrides: dict[str, float]) -> Line:
    """`hpcheck run` from this start: its exit code, verdict, settings, cost, and the test scores of its final trainings."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"name": task, "run.dir": folder, "run.device": "cpu", "train.repeats": FINALS} | overrides
        words = [word for key, value in given.items() for word in ("-s", f"{key}={value}")]
        command = [sys.executable, "-m", "hpcheck", "run", "-q", str(TASKS / f"{task}.yaml"), *words]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        if done.returncode not in (0, 1, 6):
            raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        found: Any = yaml12.read((Path(folder) / task / "recommended.yaml").read_text(encoding="utf-8")).value
    ends = found["results"]["train"]["recommended"]
    return {
        "exit": done.returncode,
        "says": found["verdict"]["says"],
        "words": found["verdict"]["words"],
        "settings": settings_of(found["settings"]),
        "trainings": found["cost"]["trainings"],
        "test": ends["test"]["each"],
        "diverged": ends["diverged"],
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks starts", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", nargs="+", default=["digits", "concrete"])
    given = parser.parse_args(arguments)
    made = [json.loads(line) for line in given.out.read_text(encoding="utf-8").splitlines()] if given.out.exists() else []

    def once(task: str, name: str, overrides: dict[str, float]) -> Line:
        for line in made:
            if (line["task"], line["start"]) == (task, name):
                return dict(line)
        line = {"task": task, "start": name, "overrides": overrides, **search(task, overrides)}
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(row(line), flush=True)
        return line

    for task in given.tasks:
        first = once(task, "no lr given", {})
        config: Any = yaml12.read((TASKS / f"{task}.yaml").read_text(encoding="utf-8")).value
        usual = {"weight_decay": config["start"].get("weight_decay", 1e-4), "batch": config["start"]["total_batch_size"]}
        for name, overrides in starts(usual, first["settings"]).items():
            once(task, name, overrides)


def row(line: Line) -> str:
    """A row of the table: the start, the verdict, the settings, the cost and the mean test score with its range."""
    now, test = line["settings"], line["test"]
    settings = f"{now['lr']:.2g}, {now['momentum']:g} to {now['min_momentum']:g}, {now['weight_decay']:.2g}, {now['batch']}"
    scores = f"{sum(test) / len(test):.4f} ({min(test):.4f} to {max(test):.4f})" if test else "all diverged"
    return f"| {line['task']} | {line['start']} | {line['says']} | {settings} | {line['trainings']:.1f} | {scores} |"
