"""hpcheck's recommendations beside what Optuna and random search find, from recorded trials.

    python -m benchmarks tuning --trials tpe-*.jsonl [--random random-0.jsonl] --recommended hpcheck.jsonl --finals finals.jsonl

Pruners are replayed on the recorded trials: each is reported row by row, and what the pruner would have cut is not paid for. That
favours the pruner a little: TPE went on from all trials at their full length. Every winner is trained again in full, with seeds that
no search has seen, and judged on the test split. Costs are examples: trained ones, and `FORWARD_SHARE` for each one evaluated (the whole
validation split, too, at the end of a trial that was not pruned).
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks.tuning.trials import CONFIG, Trial, asked, full_run, read, space, trained
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import FORWARD_SHARE
from hpcheck.steps.step import Asked

FINAL_SEEDS = (100, 101, 102, 103)
RESAMPLES = 4000
STARTUP = 10  # Optuna's default: TPE draws so many trials at random before it models anything
Pruner = Callable[[], optuna.pruners.BasePruner]


def replayed(trials: Sequence[Trial], pruner: optuna.pruners.BasePruner, question: Asked) -> list[tuple[float, float]]:
    """(cost in examples, value) of each trial under a pruner; the value of a pruned one is -1."""
    whole, choices = question.facts.val_examples, space(question)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", pruner=pruner, sampler=optuna.samplers.RandomSampler(0), study_name="replay")
    found = []
    for one in trials:
        study.enqueue_trial(one["params"])
        asked_for = study.ask(choices)
        pruned_at = None
        for index, (step, metric) in enumerate(zip(one["steps"], one["metric"], strict=True)):
            if step == 0:
                continue
            asked_for.report(metric, index)  # rungs are counted in evaluations: the same share of training whatever the batch size
            if asked_for.should_prune():
                pruned_at = index
                break
        rows = len(one["steps"]) if pruned_at is None else pruned_at + 1
        examples = one["batch"] * one["steps"][rows - 1] + FORWARD_SHARE * rows * (one["eval_size"] or whole)
        if pruned_at is None:
            study.tell(asked_for, one["value"])
            found.append((examples + FORWARD_SHARE * whole, one["value"]))
        else:
            study.tell(asked_for, state=optuna.trial.TrialState.PRUNED)
            found.append((examples, -1.0))
    return found


def hyperband() -> optuna.pruners.BasePruner:
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=25, reduction_factor=3)  # Optuna's default factor


def at_cost(trials: Sequence[Trial], costs: Sequence[tuple[float, float]], budget: float) -> tuple[Trial, float, int]:
    """The best of the first trials that a budget pays for (the first one at least), what they cost, and how many they are."""
    spent, count = costs[0][0], 1
    while count < len(costs) and spent + costs[count][0] <= budget:
        spent += costs[count][0]
        count += 1
    best = max(range(count), key=lambda index: costs[index][1])
    return trials[best], spent, count


def final_spec(question: Asked, params: dict[str, Any], seed: int) -> RunSpec:
    """A full training at a winner's settings; hpcheck's own name the smallest lr and momentum too."""
    spec = full_run(question, params, seed)
    if "min_momentum" not in params:
        return spec
    from hpcheck.steps.build_runs import cycle, full_steps
    from hpcheck.steps.reading import Settings

    momenta = params["momentum"], params["min_momentum"]
    settings = Settings(params["batch"], params["lr"], params["min_lr"], *momenta, params["weight_decay"], question.config.budget.epochs)
    theirs = cycle(question, settings, full_steps(question, settings), "final")
    return replace(theirs, finally_on=("val", "test"), seed=seed)


def finals(question: Asked, params: dict[str, Any], kept: Path) -> list[float]:
    """Test accuracies of full trainings at these settings with `FINAL_SEEDS`; recorded ones are not run again. 0: it diverged."""
    known = {(json.dumps(one["params"], sort_keys=True), one["seed"]): one["test"] for one in read(kept)}
    found = []
    for seed in FINAL_SEEDS:
        key = (json.dumps(params, sort_keys=True), seed)
        if key not in known:
            record = trained(final_spec(question, params, seed))
            known[key] = 0.0 if record.diverged else record.result["test"]["metric"]
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"params": params, "seed": seed, "test": known[key]}) + "\n")
        found.append(known[key])
    return found


def difference(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean test accuracy of ours less theirs, in points, and its 95% interval: searches resampled, and final seeds within each."""
    random = np.random.default_rng(0)

    def drawn(found: Sequence[Sequence[float]]) -> float:
        return float(
            np.mean([random.choice(found[index], len(found[index])).mean() for index in random.integers(0, len(found), len(found))])
        )

    low, high = np.quantile([drawn(ours) - drawn(theirs) for _ in range(RESAMPLES)], [0.025, 0.975])
    middle = np.mean([np.mean(each) for each in ours]) - np.mean([np.mean(each) for each in theirs])
    return 100 * float(middle), 100 * float(low), 100 * float(high)


def by_chance(trials: Sequence[Trial], costs: Sequence[tuple[float, float]], budget: float) -> tuple[float, float, float]:
    """Test accuracy in percent that random search reaches at a budget: mean and 95% range over orders of the recorded trials."""
    random, reached = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        order = random.permutation(len(trials))
        winner, _, _ = at_cost([trials[index] for index in order], [costs[index] for index in order], budget)
        reached.append(winner["test"] or 0.0)
    low, high = np.quantile(reached, [0.025, 0.975])
    return 100 * float(np.mean(reached)), 100 * float(low), 100 * float(high)


def winners(searches: Sequence[list[Trial]], pruner: Pruner, budget: float, question: Asked) -> list[tuple[Trial, float, int]]:
    """Each search's best within a budget, what it cost and in how many trials."""
    return [at_cost(trials, replayed(trials, pruner(), question), budget) for trials in searches]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tuning", description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--trials", type=Path, nargs="+", required=True, help="TPE's, one file a seed")
    parser.add_argument("--random", type=Path, help="random search's, where there are any")
    for name in ("recommended", "finals"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args(arguments)
    tpe, random, ours = [read(path) for path in given.trials], read(given.random) if given.random else [], read(given.recommended)
    question = asked(given.config)
    whole = question.facts.val_examples
    whole_run = tpe[0][0]
    evaluated = whole_run["eval_size"] or whole
    full = whole_run["batch"] * whole_run["full_steps"] + FORWARD_SHARE * (len(whole_run["steps"]) * evaluated + whole)
    budget = float(np.mean([one["examples"] for one in ours]))
    nop = optuna.pruners.NopPruner
    arms = {
        "TPE, all trials": winners(tpe, nop, np.inf, question),
        "TPE + Hyperband, all trials": winners(tpe, hyperband, np.inf, question),
        **({"random, all trials": winners([random], nop, np.inf, question)} if random else {}),
        "TPE at hpcheck's cost": winners(tpe, nop, budget, question),
        "TPE + Hyperband at hpcheck's cost": winners(tpe, hyperband, budget, question),
    }
    reached = [finals(question, one["params"], given.finals) for one in ours]
    print(f"hpcheck, {len(ours)} seeds: cost {budget / full:.2f} full trainings ({[round(one['examples'] / full, 2) for one in ours]}), "
          f"{[one['runs'] for one in ours]} runs; test {100 * np.mean(reached):.2f}% "
          f"{[round(100 * float(np.mean(each)), 2) for each in reached]}")  # fmt: skip
    for one in ours:
        print(f"  seed {one['seed']}: {one['params']}")
    print("\n| arm | searches x trials | cost, full trainings | hpcheck's cost / its | test % | hpcheck - it, points | 95% |")
    print("|---|---|---|---|---|---|---|")
    for name, found in arms.items():
        theirs = [finals(question, winner["params"], given.finals) for winner, _, _ in found]
        spent, counts = np.mean([cost for _, cost, _ in found]), [count for _, _, count in found]
        middle, low, high = difference(reached, theirs)
        print(f"| {name} | {len(found)} x {counts} | {spent / full:.1f} | {budget / spent:.3f} | {100 * np.mean(theirs):.2f} | "
              f"{middle:+.2f} | {low:+.2f} to {high:+.2f} |", flush=True)  # fmt: skip
    drawn = {"random": random} if random else {}
    drawn |= {f"TPE's first {STARTUP}, drawn at random": [one for search in tpe for one in search[:STARTUP]]}
    for trials_of, trials in drawn.items():
        for name, pruner in ((trials_of, nop), (f"{trials_of}, + Hyperband", hyperband)):
            middle, low, high = by_chance(trials, replayed(trials, pruner(), question), budget)
            print(f"| {name}, at hpcheck's cost, over orders | | {budget / full:.1f} | 1 | {middle:.2f} ({low:.2f} to {high:.2f}) | | |")
    for name, found in arms.items():
        for winner, _, _ in found:
            print(f"  {name}: {winner['params']}, validation {winner['value']:.4f}")
