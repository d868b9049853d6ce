"""What a checklist will cost, before anything runs: the runs known now, and bounds for those that depend on them."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.checklist import costs, forecast_confirm
from hpcheck.checklist.data_facts import facts
from hpcheck.config import Config
from hpcheck.recommendation.cost import in_trainings
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.build_runs import full_steps
from hpcheck.steps.order import CONFIRM, STEPS, Replays, steps_of_run
from hpcheck.steps.reading import Reading
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked
from hpcheck.text import epochs

LEAST_BUDGET, TRAININGS = 4000, 2.5  # ours: the goal is a recommendation within the larger of 4,000 iterations and 2.5 full trainings


def planned(config: Config) -> dict[str, Any]:
    """The missing runs of the first step that is not complete, and each step's bounds in trainings of the user's and in iterations.

    The bounds are of the steps replayed on simulated networks, easy and hard to search, of which the smallest or the largest batch size is
    taken: what has fewer iterations may have more examples."""
    runs = RunDirectory.of(config)
    asked = Asked(config, facts(config, runs.fingerprints))
    start = start_settings(config)
    full, bounds = full_steps(asked, start), costs.bounds(asked)
    searched = [one for step, one in bounds.items() if step not in (CONFIRM, "train")]
    return {
        "data": asked.facts.found,
        "known": [describe(step, spec) for step, spec in known_now(asked, runs)],
        "iterations_of_a_full_training": full,
        "epochs_of_a_full_training": config.budget.epochs,
        "total_batch_size": start.total_batch_size,
        "iterations": {step: list(one.iterations) for step, one in bounds.items()},
        "trainings": {step: _trainings(asked, one.examples) for step, one in bounds.items()},
        "search": {
            "iterations": [sum(ends) for ends in zip(*(one.iterations for one in searched), strict=True)],
            "trainings": _trainings(asked, [sum(ends) for ends in zip(*(one.examples for one in searched), strict=True)]),
        },
        "goal": round(max(LEAST_BUDGET, TRAININGS * full)),
        "confirm": forecast_confirm.confirmation(asked, start),
    }


def _trainings(asked: Asked, examples: Sequence[int]) -> list[float]:
    """Examples as trainings of the user's, to two figures."""
    each = [in_trainings(asked, end) for end in examples]
    return [float(f"{one:.2g}") if one < 10 else float(round(one)) for one in each]


def known_now(asked: Asked, runs: RunDirectory) -> list[tuple[str, Spec]]:
    """The runs that the first incomplete step asks for next; none where all is done."""
    replays = Replays(asked, runs.find)
    for step in steps_of_run(asked):
        if not replays.is_due(step) or replays.left_out(step) is not None:
            continue
        outcome = replays.outcome(STEPS[step], replays.settings_before(step))
        if not isinstance(outcome, Reading):
            return [(step, spec) for spec in outcome.specs]
    return []


def describe(step: str, spec: Spec) -> dict[str, Any]:
    """A run in a few words and numbers."""
    if isinstance(spec, RunSpec):
        return {"step": step, "run": spec.label, "iterations": spec.steps - spec.at_step, "total_batch_size": spec.total_batch_size}
    return {"step": step, "run": spec.label, "batch_sizes": list(spec.batch_sizes)}


def plan_lines(found: Mapping[str, Any]) -> list[str]:
    """The plan for people."""
    known = [
        f"  {run['step']}: {run['run']}" + (f", {run['iterations']:,} iterations" if "iterations" in run else "") for run in found["known"]
    ]
    wide = max(map(len, found["iterations"]))
    bounds = [
        f"  {step + ':':<{wide + 1}} {_span(found['trainings'][step])} trainings, {_span(ends)} iterations"
        for step, ends in found["iterations"].items()
    ]
    search = found["search"]
    return [
        f"Data: {found['data']}",
        f"One training of yours: {epochs(found['epochs_of_a_full_training'])}, {found['iterations_of_a_full_training']:,} iterations at "
        f"batch size {found['total_batch_size']}.",
        "What each step may cost, counted in such trainings, from an empty run directory:",
        *bounds,
        f"The search, which is all before full trainings: {_span(search['trainings'])} trainings, {_span(search['iterations'])} iterations."
        + ("" if found["confirm"]["trainings"] else f" Its goal is {found['goal']:,} iterations at most."),
        *forecast_confirm.words(found["confirm"]),
        "The bounds come from simulated networks, easy and hard to search. Trainings are counted in examples: "
        "at a larger batch size fewer iterations may cost as much.",
        "Runs that come next:",
        *(known or ["  none: every run is done"]),
    ]


def _span(ends: Sequence[float]) -> str:
    """
    >>> _span([200, 200]), _span([1.5, 4.0]), _span([0, 12500])
    ('200', '1.5 to 4', '0 to 12,500')
    """
    return " to ".join(dict.fromkeys(f"{end:,.0f}" if end >= 1000 else f"{end:g}" for end in ends))
