"""hpcheck's answer for a training of the user's own, beside a grid in that training's own loop: for `scripts` and `tasks`.

The grid has 5 learning rates (a decade to each side of the training's own, by half decades), 3 weight decays (a decade to each side) and
two seeds; five fresh seeds at its best cell say what a seed does. What is in the records already is not run again.
"""

import importlib
import json
import os
import re
import resource
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rounds import conditions
from hpcheck.recommendation import recommended
from hpcheck.runs import records

LRS, DECAYS = (0.1, 10**-0.5, 1.0, 10**0.5, 10.0), (0.1, 1.0, 10.0)
SEEDS, FRESH = (0, 1), (10, 11, 12, 13, 14)
HEAD = (
    "{what}",
    "lines",
    "batch",
    "lr",
    "weight decay",
    "metric, five seeds",
    "best cell: lr, weight decay",
    "its metric, five fresh seeds",
    "lr to the nearest good cell",
    "metric within a deviation",
    "hpcheck says",
    "runs",
    "processor time in trainings",
)
RESULT = re.compile(r"validation loss (\S+), \w+ (\S+)")
MARK, TASK = re.compile(r"  # \d$", re.MULTILINE), "# for hpcheck:\n"  # lines of hpcheck's in a script; before a task
NAMES = {"hpcheck": "", "torchrun": ", two processes", "before": ", before"}  # of arms; before: what the page says of it


@dataclass(frozen=True)
class Training:
    """A training of the user's own: a script with `--lr`, `--weight-decay` and `--seed`."""

    path: Path
    lr: float  # its own
    weight_decay: float
    less: bool = False  # whether less of its metric is better
    lr_of_group: float = 1.0  # the largest group's lr, which hpcheck tells, in units of the script's --lr
    packages: tuple[str, ...] = ("sklearn.datasets",)  # imported once, before its trainings are forked

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def sign(self) -> float:
        return -1.0 if self.less else 1.0

    def cells(self) -> Iterator[tuple[float, float, int]]:
        for share in LRS:
            for part in DECAYS:
                for seed in SEEDS:
                    yield float(f"{self.lr * share:.3g}"), float(f"{self.weight_decay * part:.3g}"), seed

    def lines(self) -> int:
        """Lines that are there for hpcheck: marked ones, a task after its mark, and a config."""
        text, config = self.path.read_text(encoding="utf-8"), self.path.with_suffix(".yaml")
        more = text.partition(TASK)[2] + (config.read_text(encoding="utf-8") if config.exists() else "")
        return len(MARK.findall(text)) + sum(1 for line in more.splitlines() if line.strip())


def trained(training: Training, lr: float, weight_decay: float, seed: int) -> dict[str, Any]:
    """One training in its own loop, in a fork of this process, which has imported what it imports."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(theirs, 1)
        os.chdir(tempfile.mkdtemp())
        sys.argv = [training.path.name, f"--lr={lr}", f"--weight-decay={weight_decay}", f"--seed={seed}"]
        sys.path.insert(0, str(training.path.parent))
        code = 1
        try:
            runpy.run_path(str(training.path), run_name="__main__")
            sys.stdout.flush()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        said = pipe.read()
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{training.name} at lr {lr:g} failed")
    found = RESULT.search(said)
    assert found is not None
    figures = {"loss": float(found[1]), "metric": float(found[2])}
    return {"lr": lr, "weight_decay": weight_decay, "seed": seed, **figures, "cpu_seconds": round(used.ru_utime + used.ru_stime, 2)}


def searched(training: Training, words: Sequence[str]) -> dict[str, Any]:
    """`hpcheck run` on a copy of its folder, and its recommendation trained with five seeds. `words`: a config, or `--` and a command."""
    name = training.name
    with tempfile.TemporaryDirectory() as parent:
        folder = shutil.copytree(training.path.parent, Path(parent, "copy"), ignore=shutil.ignore_patterns("runs", "__pycache__"))
        seconds = []
        for step, more in (("run", []), ("train", ["-s", "train.repeats=5"])):
            options = ["-q", "-s", f"name={name}", "-s", "run.jobs=1", "-s", "run.threads=1", *more]
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            command = [sys.executable, "-m", "hpcheck", step, *options, *words]
            code = subprocess.run(command, cwd=folder, check=False, stderr=subprocess.DEVNULL).returncode
            if code not in (0, 6):
                raise RuntimeError(f"{' '.join(command)} ended with {code}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(
                [round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1), round(time.monotonic() - started, 1)]
            )
            if step == "run":
                first = recommended.read(Path(folder, "runs", name, "recommended.yaml"), whole=True)
                made = [records.read(path) for path in Path(folder, "runs", name, "records").glob("*.jsonl")]
        last = recommended.read(Path(folder, "runs", name, "recommended.yaml"), whole=True)
    return {
        "settings": first["settings"],
        "verdict": first["verdict"],
        "cost": first.get("cost"),
        "runs": len(made),
        "cpu_and_wall_seconds": seconds[0],
        "finals": last["results"]["train"]["recommended"]["val"]["each"],
    }


class Kept:
    """The lines of one training's records."""

    def __init__(self, folder: Path, training: Training) -> None:
        self.path, self.training = folder / f"{training.name}.jsonl", training
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def add(self, arm: str, content: Mapping[str, Any]) -> None:
        self.lines.append({"arm": arm, **content})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.lines[-1]) + "\n")

    def of(self, arm: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["arm"] == arm]

    def has(self, arm: str, *key: float) -> bool:
        return any((line["lr"], line["weight_decay"], line["seed"]) == key for line in self.of(arm))

    def search(self, arm: str, words: Sequence[str]) -> None:
        """hpcheck's answer, unless it is known."""
        if not self.of(arm):
            self.add(arm, {"conditions": conditions(), **searched(self.training, words)})

    def grid(self) -> None:
        """What the grid, and its best cell, lack."""
        import torch

        torch.set_num_threads(1)
        for package in self.training.packages:
            importlib.import_module(package)
        if not self.of("conditions"):
            self.add("conditions", conditions())
        for cell in self.training.cells():
            if not self.has("grid", *cell):
                self.add("grid", trained(self.training, *cell))
        means = self.by_cell()
        best = max(means, key=lambda cell: means[cell])
        for seed in FRESH:
            if not self.has("best", *best, seed):
                self.add("best", trained(self.training, *best, seed))

    def by_cell(self) -> dict[tuple[float, float], float]:
        """The mean metric of each cell, negated where less is better."""
        found: dict[tuple[float, float], list[float]] = {}
        for line in self.of("grid"):
            found.setdefault((line["lr"], line["weight_decay"]), []).append(self.training.sign * line["metric"])
        return {cell: statistics.mean(values) for cell, values in found.items()}

    def rows(self) -> list[str]:
        """Its lines of the table, one for each arm; none where the grid or the searches are not measured to their end."""
        return [self._row(arm) for arm in NAMES if self.of(arm)] if self.of("best") else []

    def _row(self, arm: str) -> str:
        training, means = self.training, self.by_cell()
        fresh = [training.sign * line["metric"] for line in self.of("best")]
        best = max(means, key=lambda cell: means[cell])
        spread, found = statistics.stdev(fresh), self.of(arm)[0]
        near = [cell for cell, mean in means.items() if mean >= means[best] - spread]
        lr = found["settings"]["learning_rate"]["max"] / training.lr_of_group
        factor = min(max(lr / cell[0], cell[0] / lr) for cell in near)
        ours = statistics.mean(training.sign * one for one in found["finals"])
        seconds = statistics.median(line["cpu_seconds"] for line in self.of("grid"))
        held = "yes" if ours >= statistics.mean(fresh) - spread else "**no**"
        return (
            f"| `{training.path.name}`{NAMES[arm]} | {training.lines()} | {found['settings']['total_batch_size']} | {lr:.2g} | "
            f"{found['settings']['weight_decay']:g} | "
            f"{abs(ours):.4f} | {best[0]:.2g}, {best[1]:g} | {abs(statistics.mean(fresh)):.4f} +- {spread:.4f} | "
            f"{factor:.1f}{'' if factor <= 2 else ' (**no**)'} | {held} | {found['verdict']['says']} | {found['runs']} | "
            f"{'not measured' if found['cpu_and_wall_seconds'] is None else round(found['cpu_and_wall_seconds'][0] / seconds)} |"
        )


def table(what: str, folder: Path, trainings: Sequence[Training]) -> None:
    """Print what the records say."""
    print("| " + " | ".join(HEAD).format(what=what) + " |\n|" + "---|" * len(HEAD))
    for training in trainings:
        rows = Kept(folder, training).rows()
        print("\n".join(rows) if rows else f"{training.name}: not measured to its end", file=sys.stdout if rows else sys.stderr)
