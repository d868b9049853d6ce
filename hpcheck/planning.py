"""What a checklist will cost, before anything runs: the runs known now, and bounds for those that depend on them."""

from typing import Any

from hpcheck.config import Config
from hpcheck.pipeline import facts
from hpcheck.rundir import RunDirectory
from hpcheck.settings import Reading
from hpcheck.spec import RunSpec, Spec
from hpcheck.steps.checklist import STEPS, lr_may_have_moved, settings_before, start_settings
from hpcheck.steps.replay import Asked, replay
from hpcheck.steps.runs import SHARE_OF_TRAINING, full_steps, short_steps
from hpcheck.steps.train import compared_with

# Ours: the fewest and the most runs a step makes, counted in runs of its short length (an lr sweep is half a run; extensions,
# replicates, bisections and lengthened runs make the difference).
RUNS_OF_STEP = {"lr_range": (9.0, 24.0), "batch": (4.0, 8.0), "momentum": (7.0, 12.0), "wd_grid": (3.0, 12.0)}


def planned(config: Config) -> dict[str, Any]:
    """The missing runs of the first step that is not complete, and each step's bounds in iterations at the start's batch size."""
    asked, runs = Asked(config, facts(config)), RunDirectory.of(config)
    start = start_settings(config)
    bounds = {
        step.replace("_", "-"): [round(count * short_steps(asked, step, start)) for count in RUNS_OF_STEP[step]]
        for step in SHARE_OF_TRAINING
    }
    arms = 1 + len(compared_with(asked))
    bounds["train"] = [arms * config.train.repeats * full_steps(asked, start)] * 2
    return {
        "known": [describe(step, spec) for step, spec in known_now(asked, runs)],
        "iterations_of_a_full_training": full_steps(asked, start),
        "iterations": bounds,
    }


def known_now(asked: Asked, runs: RunDirectory) -> list[tuple[str, Spec]]:
    """The runs that the first incomplete step asks for next; none where all is done."""
    for step, decide in STEPS.items():
        if step == "lr-reprobe" and not lr_may_have_moved(asked, runs.find):
            continue
        outcome = replay(decide, asked, settings_before(step, asked, runs.find), runs.find)
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
    bounds = [
        f"  {step}: {fewest} iterations" if fewest == most else f"  {step}: {fewest} to {most} iterations"
        for step, (fewest, most) in found["iterations"].items()
    ]
    return [
        "Known now:",
        *(known or ["  nothing: every run is done"]),
        "In all, from an empty run directory (at the start's batch size):",
        *bounds,
        f"One full training is {found['iterations_of_a_full_training']} iterations.",
    ]
