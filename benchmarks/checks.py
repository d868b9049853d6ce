"""Whether `hpcheck check` flaps and what it catches: reruns in fresh directories, some beside busy loops, and seven edits.

    python -m benchmarks checks --reruns 30 --busy-reruns 10 --out docs/results/checks/reruns.jsonl

The config and the recommendation that it is checked against lie in docs/results/checks/. One line a check: what was edited, busy loops,
exit code, what had drifted, what else had changed, seconds, and the load of the machine. An edit is caught where check exits with 1, or
names what has changed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from benchmarks.waits import BUSY_LOOP
from hpcheck import config as configs
from hpcheck.cli.check import check
from hpcheck.config import yaml12

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "results" / "checks"
FLIPPED = 0.3  # share of the training labels that `flipped_digits` draws anew
# What is edited in the committed recommendation: the setting, and the factor on it (of momentum on 1 - m).
SETTINGS = {"max_lr": 8.0, "batch size": 4.0, "momentum": 4.0, "weight decay": 100.0}
OVERRIDES = {
    "the data": ["data.name=benchmarks.checks:flipped_digits"],
    "the model": ["model.hidden=[4]"],
    "the config's start": ["start.total_batch_size=128", "start.weight_decay=0.01"],
}


class Check(TypedDict):
    edit: str
    busy: int
    exit_code: int
    drifted: list[str]
    changed: list[str]
    wall: float
    load: float


def flipped_digits() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The digits with some training labels drawn anew: data that somebody has spoilt."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    rng = np.random.default_rng(0)
    train = rng.permutation(len(x))
    held_out, train = train[:360], train[360:]
    drawn = rng.random(len(train)) < FLIPPED
    labels = np.where(drawn, rng.integers(0, 10, len(train)), y[train])
    return (x[train], labels), (x[held_out], y[held_out])


def edited(content: dict[str, Any], what: str) -> str:
    """A recommendation with one setting changed by hand."""
    settings, factor = content["settings"], SETTINGS[what]
    if what == "max_lr":
        settings["learning_rate"]["max"] *= factor
    elif what == "batch size":
        settings["total_batch_size"] = round(settings["total_batch_size"] * factor)
    elif what == "momentum":
        settings["momentum"]["max"] = 1 - factor * (1 - settings["momentum"]["max"])
        settings["momentum"]["min"] = min(settings["momentum"]["min"], settings["momentum"]["max"])
    else:
        settings["weight_decay"] *= factor
    return yaml12.write(content)


def checked(folder: Path, baseline: Path, edit: str = "", busy: int = 0, overrides: Sequence[str] = ()) -> Check:
    """One check in `folder`, beside loops that never rest. It is made in this process, which has imported PyTorch once."""
    os.chdir(folder)
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(busy)]
    begun = time.perf_counter()
    try:
        found = check(configs.load(FOLDER / "config.yaml", list(overrides)), baseline, update=False, quiet=True)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
        os.chdir(ROOT)
    return {
        "edit": edit,
        "busy": busy,
        "exit_code": found.exit_code,
        "drifted": [one.setting for one in found.verdicts if one.status == "drifted"],
        "changed": list(found.changed),
        "wall": round(time.perf_counter() - begun, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def edits(folder: Path, baseline: Path) -> Iterator[Check]:
    """Each edit against the recommendation; those of the recommendation itself ask for the same runs, which are made once."""
    for what in SETTINGS:
        file = folder / "edited.yaml"
        file.write_text(edited(yaml12.read(baseline.read_text(encoding="utf-8")).value, what), encoding="utf-8")
        yield checked(folder, file, what)
    for what, given in OVERRIDES.items():
        yield checked(folder, baseline, what, overrides=given)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", type=Path, default=FOLDER / "recommended.yaml")
    parser.add_argument("--reruns", type=int, default=30)
    parser.add_argument("--busy-reruns", type=int, default=10, help="so many of them beside busy loops")
    parser.add_argument("--busy", type=int, default=2, help="loops that never rest")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    found: list[Check] = []

    def keep(one: Check) -> None:
        found.append(one)
        print(json.dumps(one), flush=True)
        if asked.out:
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(one) + "\n")

    with tempfile.TemporaryDirectory() as name:
        for one in edits(Path(name), asked.baseline.resolve()):
            keep(one)
    for number in reversed(range(asked.reruns)):
        with tempfile.TemporaryDirectory() as name:
            keep(checked(Path(name), asked.baseline.resolve(), busy=asked.busy * (number < asked.busy_reruns)))
    told(found)


def told(found: Sequence[Check]) -> None:
    reruns, edits_made = ([one for one in found if bool(one["edit"]) == made] for made in (False, True))
    flapped = [one for one in reruns if one["exit_code"] or one["changed"]]
    print(f"{len(flapped)} of {len(reruns)} reruns flapped, {sum(one['busy'] > 0 for one in reruns)} of them beside busy loops")
    caught = [one["edit"] for one in edits_made if one["exit_code"] == 1 or one["changed"]]
    print(f"{len(caught)} of {len(edits_made)} edits caught: {', '.join(caught)}")


if __name__ == "__main__":
    main()
