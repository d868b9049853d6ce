"""What evaluation takes of a run's time at default settings: unit costs measured, then the runs that the checklist makes by default.

python -m benchmarks evaluation configs/mnist-lenet.yaml
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.rounds import conditions
from hpcheck import config as configs
from hpcheck.checklist.data_facts import facts
from hpcheck.engine.loop import prepare
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.malloc import keep_freed_memory
from hpcheck.optimizers.groups import set_hyper
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import SHARE_OF_TRAINING, cycle, short_steps
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked
from hpcheck.steps.train import final_run

ROUNDS, STEPS_A_ROUND = 7, 5


def unit_costs(spec: RunSpec) -> tuple[float, float]:
    """Processor seconds of a training step and of an evaluation of this run, taken in turn."""
    data = worker.on_device(spec.data, "cpu")[0]
    training = prepare(spec, data, Path(tempfile.gettempdir()))
    steps, evaluations = [], []
    set_hyper(training.optimizer, 1e-4, 0.9, 0.0)
    for number in range(ROUNDS + 1):
        before = time.process_time()
        for step in range(STEPS_A_ROUND):
            training.update(number * STEPS_A_ROUND + step)
        between = time.process_time()
        training.evaluate(number)
        if number > 0:
            steps.append((between - before) / STEPS_A_ROUND)
            evaluations.append(time.process_time() - between)
    return statistics.mean(steps), statistics.mean(evaluations)


def default_runs(config: Path, overrides: list[str]) -> dict[str, RunSpec]:
    """One run of each step as the checklist makes it by default, and the full training."""
    loaded = configs.load(config, overrides)
    asked = Asked(loaded, facts(loaded))
    start = loaded.start
    settings = Settings(start.total_batch_size, 0.01, 0.001, 0.95, 0.85, start.weight_decay, loaded.budget.epochs)
    runs = {step: cycle(asked, settings, short_steps(asked, step, settings), step) for step in SHARE_OF_TRAINING}
    return runs | {"full training": final_run(asked, settings, "full training")}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks evaluation", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("-s", "--set", action="append", default=[], help="key=value, as the commands take it")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(1)
    print(f"\nevaluation's share of a run's time: {given.config}{''.join(f' -s {one}' for one in given.set)}, one thread\n")
    print("| run | steps | evaluations | examples each | a step (ms) | an evaluation (ms) | share |\n|---|---|---|---|---|---|---|")
    rows = []
    for name, spec in default_runs(given.config, given.set).items():
        step, evaluation = unit_costs(spec)
        count = len(spec.evaluate_after)
        share = count * evaluation / (count * evaluation + spec.steps * step)
        print(
            f"| {name} | {spec.steps} | {count} | {spec.eval_size} | {step * 1e3:.1f} | {evaluation * 1e3:.1f} | {share:.1%} |", flush=True
        )
        rows.append({"run": name, "steps": spec.steps, "eval_size": spec.eval_size, "step": step, "evaluation": evaluation, "share": share})
    if given.out is not None:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"title": f"evaluation: {given.config}", "rows": rows, "conditions": conditions()}) + "\n")
