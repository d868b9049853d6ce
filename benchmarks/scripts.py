"""`hpcheck run -- COMMAND` on the scripts of examples/script, beside a grid in each script's own loop with its own 1cycle.

python -m benchmarks scripts docs/results/records/scripts head    # one script; without a name all of them
python -m benchmarks scripts docs/results/records/scripts --table

The grid has 5 learning rates (a decade to each side of the script's own, by half decades), 3 weight decays (a decade to each side) and two
seeds; five fresh seeds at its best cell say what a seed does. What is in the records already is not run again.
"""

import argparse
import json
import os
import re
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.rounds import conditions
from hpcheck.recommendation import recommended
from hpcheck.runs import records

SCRIPTS = Path(__file__).parents[1] / "examples" / "script"
STARTS = {  # each script's own lr and weight decay, and whether less of its metric is better
    "train": (0.2, 5e-4, False),
    "gpt": (3e-3, 0.1, True),
    "ranks": (0.03, 1e-3, False),
    "with_accelerate": (1e-3, 0.01, False),
    "stream": (0.1, 1e-3, False),
    "head": (0.01, 1e-3, False),
    "scaler": (0.05, 1e-3, False),
}
TORCHRUN = {"ranks": ["torchrun", "--nproc_per_node=2", "--master_port=29533"]}  # with --torchrun; else as one process
NAMES = {"hpcheck": "", "torchrun": ", two processes", "before": ", before"}  # of arms; before: momenta of a OneCycleLR not yet read
LR_OF_GROUP = {"head": 10.0}  # the script's --lr is that of the body; hpcheck tells that of the largest group
LRS, DECAYS = (0.1, 10**-0.5, 1.0, 10**0.5, 10.0), (0.1, 1.0, 10.0)
SEEDS, FRESH = (0, 1), (10, 11, 12, 13, 14)
HEAD = (
    "script",
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
MARK = re.compile(r"  # \d$", re.MULTILINE)


def trained(name: str, lr: float, weight_decay: float, seed: int) -> dict[str, Any]:
    """One training in the script's own loop, in a fork of this process, which has imported what it imports."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(theirs, 1)
        os.chdir(tempfile.mkdtemp())
        sys.argv = [f"{name}.py", f"--lr={lr}", f"--weight-decay={weight_decay}", f"--seed={seed}"]
        code = 1
        try:
            runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        said = pipe.read()
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{name} at lr {lr:g} failed")
    found = RESULT.search(said)
    assert found is not None
    figures = {"loss": float(found[1]), "metric": float(found[2])}
    return {"lr": lr, "weight_decay": weight_decay, "seed": seed, **figures, "cpu_seconds": round(used.ru_utime + used.ru_stime, 2)}


def searched(name: str, torchrun: bool) -> dict[str, Any]:
    """`hpcheck run` on the script, and its recommendation trained with five seeds."""
    script = str(SCRIPTS / f"{name}.py")
    words = TORCHRUN.get(name) if torchrun else None
    launcher = [sys.executable] if words is None else [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for step, more in (("run", []), ("train", ["-s", "train.repeats=5"])):
            options = ["-q", "-s", f"name={name}", "-s", "run.jobs=1", "-s", "run.threads=1", *more]
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            command = [sys.executable, "-m", "hpcheck", step, *options, "--", *launcher, script]
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


def cells(name: str) -> Iterator[tuple[float, float, int]]:
    lr, decay, _ = STARTS[name]
    for share in LRS:
        for part in DECAYS:
            for seed in SEEDS:
                yield float(f"{lr * share:.3g}"), float(f"{decay * part:.3g}"), seed


class Kept:
    """The lines of one script's records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def add(self, arm: str, content: dict[str, Any]) -> None:
        self.lines.append({"arm": arm, **content})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.lines[-1]) + "\n")

    def of(self, arm: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["arm"] == arm]

    def has(self, arm: str, *key: float) -> bool:
        return any((line["lr"], line["weight_decay"], line["seed"]) == key for line in self.of(arm))


def by_cell(kept: Kept) -> dict[tuple[float, float], float]:
    """The mean metric of each cell, negated where less is better."""
    sign = -1.0 if STARTS[kept.path.stem][2] else 1.0
    found: dict[tuple[float, float], list[float]] = {}
    for line in kept.of("grid"):
        found.setdefault((line["lr"], line["weight_decay"]), []).append(sign * line["metric"])
    return {cell: statistics.mean(values) for cell, values in found.items()}


def measure(name: str, folder: Path, torchrun: bool) -> None:
    """All of one script that its records lack."""
    kept, arm = Kept(folder / f"{name}.jsonl"), "torchrun" if torchrun and name in TORCHRUN else "hpcheck"
    if not kept.lines:
        kept.add("conditions", conditions())
    if not kept.of(arm):
        kept.add(arm, {"conditions": conditions(), **searched(name, torchrun)})
    for cell in cells(name):
        if not kept.has("grid", *cell):
            kept.add("grid", trained(name, *cell))
    means = by_cell(kept)
    best = max(means, key=lambda cell: means[cell])
    for seed in FRESH:
        if not kept.has("best", *best, seed):
            kept.add("best", trained(name, *best, seed))


def row(kept: Kept, arm: str) -> str:
    """One script's line of the table, for one arm's search."""
    name = kept.path.stem
    sign = -1.0 if STARTS[name][2] else 1.0
    means, fresh = by_cell(kept), [sign * line["metric"] for line in kept.of("best")]
    best = max(means, key=lambda cell: means[cell])
    spread, found = statistics.stdev(fresh), kept.of(arm)[0]
    near = [cell for cell, mean in means.items() if mean >= means[best] - spread]
    lr = found["settings"]["learning_rate"]["max"] / LR_OF_GROUP.get(name, 1.0)
    factor = min(max(lr / cell[0], cell[0] / lr) for cell in near)
    ours = statistics.mean(sign * one for one in found["finals"])
    lines = len(MARK.findall((SCRIPTS / f"{name}.py").read_text(encoding="utf-8")))
    training = statistics.median(line["cpu_seconds"] for line in kept.of("grid"))
    held = "yes" if ours >= statistics.mean(fresh) - spread else "**no**"
    return (
        f"| `{name}.py`{NAMES[arm]} | {lines} | {found['settings']['total_batch_size']} | {lr:.2g} | "
        f"{found['settings']['weight_decay']:g} | "
        f"{abs(ours):.4f} | {best[0]:.2g}, {best[1]:g} | {abs(statistics.mean(fresh)):.4f} +- {spread:.4f} | "
        f"{factor:.1f}{'' if factor <= 2 else ' (**no**)'} | {held} | {found['verdict']['says']} | {found['runs']} | "
        f"{'not measured' if found['cpu_and_wall_seconds'] is None else round(found['cpu_and_wall_seconds'][0] / training)} |"
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks scripts", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STARTS))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--torchrun", action="store_true", help="launch ranks.py as two processes: ten processor seconds a launch")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.table:
        print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    else:
        import sklearn.datasets  # noqa: F401  each training is a fork that need not import it
        import torch

        torch.set_num_threads(1)
    for name in given.names or STARTS:
        if given.table and (kept := Kept(given.folder / f"{name}.jsonl")).of("best"):
            print("\n".join(row(kept, arm) for arm in NAMES if kept.of(arm)))
        elif given.table:
            print(f"{name}: not measured to its end", file=sys.stderr)
        else:
            measure(name, given.folder, given.torchrun)
