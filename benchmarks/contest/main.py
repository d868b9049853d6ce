"""Run the contest's arms, and print its table from the records.

    python -m benchmarks contest train --half development --before ../hpcheck-before
    python -m benchmarks contest table --half development

`--before`: a checkout of the code of before (`git worktree add --detach ../hpcheck-before 937967b`). It goes on where it stopped. The test
half is trained and looked at once, with the commit named, and so are the eight tasks of "third"; "later" has been looked at.
"""

import argparse
from pathlib import Path

from benchmarks.contest import arms, table
from benchmarks.contest.tasks import TASKS, Task

FOLDER = Path("docs/results/contest")
SEARCHES_BEFORE = 2
ARMS = ("hpcheck", "random", "tpe", "before", "grid", "fresh", "tuning-free")
TUNING_FREE_ON = ("noisy-mnist", "kin8nm")  # settled beforehand


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks contest", description=__doc__)
    parser.add_argument("what", choices=["train", "table"])
    parser.add_argument("--half", choices=["development", "test", "later", "third"], required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--tasks", nargs="+", default=[task.name for task in TASKS])
    parser.add_argument("--before", type=Path, help="a checkout of the code of before")
    parser.add_argument("--code", type=Path, default=Path(), help="the checkout that hpcheck's arm runs; default: this one")
    parser.add_argument("--records", type=Path, default=FOLDER)
    parser.add_argument("--runs", type=Path, default=Path("runs/contest"), help="folder of the searches' run directories")
    given = parser.parse_args(arguments)
    chosen = [task for task in TASKS if task.half == given.half and task.name in given.tasks]
    if given.what == "table":
        print(table.of({task: arms.Book(given.records, task) for task in chosen}))
        return
    for arm in given.arms:
        for task in chosen:
            train(arm, task, arms.Book(given.records, task), given)
            print(f"{arm}: {task.name}", flush=True)


def train(arm: str, task: Task, book: arms.Book, given: argparse.Namespace) -> None:
    if arm in ("hpcheck", "before"):
        code = given.code if arm == "hpcheck" else given.before
        if code is None:
            print(f"{arm}: left out, no --before")
            return
        for seed in range(task.searches if arm == "hpcheck" else SEARCHES_BEFORE):
            arms.search(task, book, arm, seed, code, given.runs)
    elif arm == "tuning-free":
        if task.name in TUNING_FREE_ON:
            arms.tuning_free(task, book)
    else:
        {"random": arms.random_pool, "tpe": arms.tpe, "grid": arms.grid, "fresh": arms.fresh}[arm](task, book)
