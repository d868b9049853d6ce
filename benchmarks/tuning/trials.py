"""Record the trials of a sampler, one full training each, as JSON lines: pruners are replayed on them later, so that none runs twice.

python -m benchmarks trials --config benchmarks/tuning/mnist-mlp-small.yaml --sampler tpe --seed 0 --count 60 OUT.jsonl
"""

import argparse
import json
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from hpcheck import config as configs
from hpcheck.checklist.data_facts import facts
from hpcheck.runs import records
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import cycle, full_steps
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

CONFIG = Path(__file__).with_name("mnist-lenet-small.yaml")  # by default
MOMENTUM_DEPTH = 0.1  # momentum falls by so much where the lr is largest: the paper's 0.95-0.85
MIN_LR_DIVISOR = 10
BATCHES = (0.5, 1, 2, 4)  # batch sizes, as multiples of the config's start
Trial = dict[str, Any]


def space(question: Asked) -> dict[str, Any]:
    """What a trial may be: ranges wide enough that no arm begins with the answer."""
    start = question.config.start.total_batch_size
    return {
        "lr": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "momentum": optuna.distributions.FloatDistribution(0.8, 0.99),
        "weight_decay": optuna.distributions.FloatDistribution(1e-6, 1e-2, log=True),
        "batch": optuna.distributions.CategoricalDistribution([int(start * factor) for factor in BATCHES]),
    }


def asked(path: Path) -> Asked:
    config = configs.load(path)
    return Asked(config, facts(config))


def full_run(question: Asked, params: dict[str, Any], seed: int = 0) -> RunSpec:
    """One full 1cycle training with a trial's settings; whole validation and test split at its end."""
    max_lr, momentum, epochs = params["lr"], params["momentum"], question.config.budget.epochs
    lowest = momentum - MOMENTUM_DEPTH
    settings = Settings(params["batch"], max_lr, max_lr / MIN_LR_DIVISOR, momentum, lowest, params["weight_decay"], epochs)
    spec = cycle(question, settings, full_steps(question, settings), f"trial {params}")
    return replace(spec, finally_on=("val", "test"), seed=seed)


def trained(spec: RunSpec) -> records.RunRecord:
    """The record of `spec`, computed here by one thread, as a worker would."""
    from hpcheck.engine.pool import worker
    from hpcheck.engine.pool.malloc import keep_freed_memory
    from hpcheck.runs.identity import identify

    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        run_id = identify(spec)
        worker.work(spec, run_id, Path(folder), "cpu", 1)
        record = records.read(Path(folder) / f"{run_id}.jsonl")
    assert record is not None
    return record


def trial(params: dict[str, Any], record: records.RunRecord) -> Trial:
    """What is kept of a trial. `value`: accuracy on the whole validation split, 0 where it diverged; `test` is not the sampler's to see."""
    spec, result = record.run, record.result
    return {
        "params": params,
        "value": 0.0 if record.diverged else result["val"]["metric"],
        "test": None if record.diverged else result["test"]["metric"],
        "steps": record.column("step").astype(int).tolist(),
        "metric": record.column("metric").tolist(),
        "seconds": record.column("seconds").tolist(),
        "batch": spec.total_batch_size,
        "eval_size": spec.eval_size,
        "full_steps": spec.steps,
        "train_seconds": result["train_seconds"],
        "eval_seconds": result["eval_seconds"],
    }


def study_of(sampler: str, seed: int, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = optuna.samplers.TPESampler(seed=seed) if sampler == "tpe" else optuna.samplers.RandomSampler(seed=seed)
    return optuna.create_study(direction="maximize", sampler=chosen, pruner=pruner or optuna.pruners.NopPruner())


def told(study: optuna.Study, found: list[Trial], choices: dict[str, Any]) -> None:
    """Tell a study of the trials that are recorded; the sampler is asked for each, so that its random state moves on as it did."""
    for one in found:
        asked_for = study.ask(choices)
        same = all(np.isclose(asked_for.params[key], value) for key, value in one["params"].items())
        if not same:
            raise ValueError(f"trial {asked_for.number}: recorded with {one['params']}, but this sampler asks for {asked_for.params}")
        study.tell(asked_for, one["value"])


def read(path: Path) -> list[Trial]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks trials", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--sampler", choices=["tpe", "random"], required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=60)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    question, study, found = asked(given.config), study_of(given.sampler, given.seed), read(given.out)
    choices = space(question)
    told(study, found, choices)
    for _ in range(len(found), given.count):
        asked_for = study.ask(choices)
        one = trial(asked_for.params, trained(full_run(question, asked_for.params)))
        study.tell(asked_for, one["value"])
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")
        seconds = one["train_seconds"] + one["eval_seconds"]
        print(f"{asked_for.number:3} {one['value']:.4f} test {one['test']} {seconds:.1f} s {asked_for.params}", flush=True)
