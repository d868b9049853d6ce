"""What a checklist will cost, before anything runs: the runs known now, and bounds for those that depend on them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpcheck.checklist.data_facts import facts
from hpcheck.config import Config
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.batch import candidate_sizes
from hpcheck.steps.build_runs import full_steps, short_steps
from hpcheck.steps.momentum import SHAPES, momenta
from hpcheck.steps.order import STEPS, Replays, start_settings
from hpcheck.steps.policies import policy_of
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked
from hpcheck.steps.train import all_arms

# Ours: the fewest runs that a step makes and the most that it usually does, in runs of its short length. Fewest: nothing is lengthened
# or extended, nothing but max_lr replicated or bisected. Most: a ramp made again at twice the length and extended once, three maxima
# added, the leading two replicated, three rounds of bisecting. Lengthening what cannot be read goes beyond it. A weight decay that goes on
# from the snapshot makes half a run.
RUNS_OF_STEP = {
    "lr-range": ("lr_range", 7.0, 24.0),  # sweep 1/2, ramp, faster ramp 1/2, three maxima (one cut short), two bisected, a second seed
    "batch": ("batch", 4.0, 10.0),  # three sizes, the largest at two lrs; a fourth at two more, replicates, halvings
    "momentum": ("momentum", 7.0, 13.0),  # four values, three shapes; so many more or fewer as the config has of them
    "wd-grid": ("wd_grid", 2.0, 5.5),
    "lr-reprobe": ("lr_range", 0.0, 14.0),  # none where nothing moved
}
AFTER_BATCH = ("momentum", "wd-grid", "lr-reprobe")
WHOLE_GRID = ("wd_grid", 3.0, 10.0)  # without a snapshot
RANGE_TESTS = ("lr_range", 2.0, 7.0)  # without 1cycles: sweep 1/2, ramp, faster ramp 1/2; made again at twice the length, extended once
LEAST_BUDGET, TRAININGS = 4000, 2.5  # ours, a goal: a recommendation costs at most the larger of 4,000 iterations and 2.5 full trainings


def planned(config: Config) -> dict[str, Any]:
    """The missing runs of the first step that is not complete; each step's bounds in iterations and epochs: at the start's batch size,
    but for the least of what comes after the batch step, which may have taken the largest of its sizes."""
    asked, runs = Asked(config, facts(config)), RunDirectory.of(config)
    start = start_settings(config)
    full = full_steps(asked, start)
    runs_of_step = {**RUNS_OF_STEP, "lr-range": _lr_runs(asked), "momentum": _momentum_runs(asked)}
    if not config.wd_grid.from_snapshot:
        runs_of_step["wd-grid"] = WHOLE_GRID
    largest = replace(start, total_batch_size=max(candidate_sizes(asked, start), default=start.total_batch_size))
    bounds = {
        step: [
            round(fewest * short_steps(asked, length, largest if step in AFTER_BATCH else start)),
            round(most * short_steps(asked, length, start)),
        ]
        for step, (length, fewest, most) in runs_of_step.items()
    }
    search = [sum(ends) for ends in zip(*bounds.values(), strict=True)]
    bounds["train"] = [trainings(asked, start)] * 2
    an_epoch = asked.facts.train_examples / start.total_batch_size
    return {
        "known": [describe(step, spec) for step, spec in known_now(asked, runs)],
        "iterations_of_a_full_training": full,
        "iterations": bounds,
        "epochs": {step: [round(end / an_epoch, 1) for end in ends] for step, ends in bounds.items()},
        "search": {"iterations": search, "full_trainings": [round(end / full, 1) for end in search]},
        "goal": round(max(LEAST_BUDGET, TRAININGS * full)),
    }


def _lr_runs(asked: Asked) -> tuple[str, float, float]:
    """The bounds of the lr-range step, with the ramps at other weight decays."""
    options = asked.config.lr_range
    length, fewest, most = RUNS_OF_STEP["lr-range"] if options.cycles else RANGE_TESTS
    return length, fewest + len(options.weight_decays), most + 2 * len(options.weight_decays)


def _momentum_runs(asked: Asked) -> tuple[str, float, float]:
    """The bounds of the momentum step: a single value is not run, and shapes are compared only where the momentum goes with the lr."""
    length, fewest, most = RUNS_OF_STEP["momentum"]
    values = len(momenta(asked))
    shaped = asked.config.momentum.cyclical and policy_of(asked) != "constant"
    runs = (values if values > 1 else 0) + (len(SHAPES) if shaped else 0)
    return length, runs, runs + most - fewest if runs else 0.0


def trainings(asked: Asked, start: Settings) -> int:
    """Iterations of the final runs with what they are compared with, at the start's settings."""
    known = start if start.max_lr is not None else replace(start, max_lr=1.0, min_lr=0.1)  # an lr changes no length
    return sum(spec.steps for specs in all_arms(asked, known).values() for spec in specs)


def known_now(asked: Asked, runs: RunDirectory) -> list[tuple[str, Spec]]:
    """The runs that the first incomplete step asks for next; none where all is done."""
    replays = Replays(asked, runs.find)
    for step, decide in STEPS.items():
        if not replays.is_due(step):
            continue
        outcome = replays.outcome(decide, replays.settings_before(step))
        if not isinstance(outcome, Reading):
            return [(step, spec) for spec in outcome.specs]
    return []


def describe(step: str, spec: Spec) -> dict[str, Any]:
    """A run in a few words and numbers."""
    if isinstance(spec, RunSpec):
        return {"step": step, "run": spec.label, "iterations": spec.steps - spec.at_step, "total_batch_size": spec.total_batch_size}
    return {"step": step, "run": spec.label, "batch_sizes": list(spec.batch_sizes)}


def plan_lines(found: dict[str, Any]) -> list[str]:
    """The plan for people."""
    known = [
        f"  {run['step']}: {run['run']}" + (f", {run['iterations']} iterations" if "iterations" in run else "") for run in found["known"]
    ]
    bounds = [f"  {step}: {_span(ends)} iterations, {_span(found['epochs'][step])} epochs" for step, ends in found["iterations"].items()]
    return [
        "Known now:",
        *(known or ["  nothing: every run is done"]),
        "In all, from an empty run directory (at the start's batch size; the least at the largest that may be taken):",
        *bounds,
        f"The search, all before train: {_span(found['search']['iterations'])} iterations, {_span(found['search']['full_trainings'])} "
        f"full trainings; its goal is {found['goal']} iterations at most.",
        f"One full training is {found['iterations_of_a_full_training']} iterations.",
    ]


def _span(ends: Sequence[float]) -> str:
    """
    >>> _span([200, 200]), _span([1.5, 4.0])
    ('200', '1.5 to 4')
    """
    return " to ".join(dict.fromkeys(f"{end:g}" if end < 1e6 else f"{end:.0f}" for end in ends))
