"""`python -m benchmarks NAME [options]`; without a name, what there is."""

import importlib
import sys

NAMES = {
    "single": "benchmarks.single",
    "grid": "benchmarks.grid",
    "lr-range": "benchmarks.lr_range",
    "gpu": "benchmarks.gpu",
    "overheads": "benchmarks.overheads",
    "scaling": "benchmarks.scaling",
    "evaluation": "benchmarks.evaluation",
    "precision": "benchmarks.precision",
    "trials": "benchmarks.tuning.trials",
    "recommend": "benchmarks.tuning.recommend",
    "tuning": "benchmarks.tuning.compare",
    "task": "benchmarks.task",
    "tasks": "benchmarks.tasks",
    "starts": "benchmarks.starts",
    "rows": "benchmarks.rows",
    "waits": "benchmarks.waits",
    "checks": "benchmarks.checks",
    "contest": "benchmarks.contest.main",
    "halves": "benchmarks.halves",
    "following": "benchmarks.following",
    "scripts": "benchmarks.scripts",
    "launches": "benchmarks.launches",
    "idle": "benchmarks.idle",
    "growth": "benchmarks.growth",
}


def main() -> None:
    name, *arguments = sys.argv[1:] or [""]
    if name not in NAMES:
        print("usage: python -m benchmarks NAME [--help]; names:\n  " + "\n  ".join(NAMES), file=sys.stderr)
        raise SystemExit(2)
    importlib.import_module(NAMES[name]).main(arguments)


if __name__ == "__main__":
    main()
