"""What hpcheck recommends on the comparison's data, and what it cost, as JSON lines.

python -m benchmarks recommend --seeds 3 OUT.jsonl
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import check_reruns
from benchmarks.tuning.trials import CONFIG, read
from hpcheck import config as configs
from hpcheck.checklist.data_facts import facts
from hpcheck.recommendation.cost import records_of
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.records import RunRecord, examples_processed, seconds_spent
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import FORWARD_SHARE
from hpcheck.steps.order import Replays
from hpcheck.steps.step import Asked


def cost_in_examples(record: RunRecord) -> float:
    """Training examples processed, and `FORWARD_SHARE` of an example for each one evaluated."""
    spec = record.spec
    evaluated = len(record.rows) * (spec.eval_size or 0) if isinstance(spec, RunSpec) else 0
    return examples_processed(record) + FORWARD_SHARE * evaluated


def recommendation(path: Path, seed: int, runs: str) -> dict[str, Any]:
    """The checklist from nothing to its recommendation, the final training left out."""
    config = configs.load(path, [f"seed={seed}", f"name={path.stem}-{seed}", f"run.dir={runs}"])
    settings = check_reruns.recommendation(config)["settings"]
    runs_made = RunDirectory.of(config)
    readings = Replays(Asked(config, facts(config)), runs_made.find).readings()
    found = records_of(runs_made, [reading for reading in readings if reading.step != "train"])  # not what an earlier rule left there
    return {
        "seed": seed,
        "params": {
            "lr": settings["learning_rate"]["max"],
            "min_lr": settings["learning_rate"]["min"],
            "momentum": settings["momentum"]["max"],
            "min_momentum": settings["momentum"]["min"],
            "weight_decay": settings["weight_decay"],
            "batch": settings["total_batch_size"],
        },
        "runs": len(found),
        "examples": sum(map(cost_in_examples, found)),
        "seconds": sum(map(seconds_spent, found)),
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommend", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--runs", default="runs/tuning", help="folder of the run directories")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    for seed in range(len(read(given.out)), given.seeds):
        found = recommendation(given.config, seed, given.runs)
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        print(found, flush=True)
