"""What a checklist will cost, before anything runs: the runs known now, and bounds for those that depend on them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpcheck.checklist.data_facts import facts
from hpcheck.config import Config
from hpcheck.recommendation.cost import in_trainings
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
LEAST_BUDGET, TRAININGS = 4000, 2.5  # DESIGN 5: a recommendation within the larger of 4,000 iterations and 2.5 full trainings


def planned(config: Config) -> dict[str, Any]:
    """The missing runs of the first step that is not complete, and each step's bounds in trainings of the user's and in iterations.

    Trainings are bounded for every batch size that may be taken. Iterations are at the start's, but for the least of what comes after the
    batch step, which may have taken the largest of its sizes."""
    runs = RunDirectory.of(config)
    asked = Asked(config, facts(config, runs.fingerprints))
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
    bounds["train"] = [sum(spec.steps for spec in final_runs(asked, start))] * 2
    examples = {step: examples_of(asked, start, step, *of_step) for step, of_step in runs_of_step.items()}
    searched = [sum(ends) for ends in zip(*examples.values(), strict=True)]
    examples["train"] = examples_of_training(asked, start)
    return {
        "known": [describe(step, spec) for step, spec in known_now(asked, runs)],
        "iterations_of_a_full_training": full,
        "epochs_of_a_full_training": config.budget.epochs,
        "total_batch_size": start.total_batch_size,
        "iterations": bounds,
        "trainings": {step: [_rounded(in_trainings(asked, end)) for end in ends] for step, ends in examples.items()},
        "search": {"iterations": search, "trainings": [_rounded(in_trainings(asked, end)) for end in searched]},
        "goal": round(max(LEAST_BUDGET, TRAININGS * full)),
    }


def may_be_taken(asked: Asked, start: Settings) -> list[Settings]:
    """The start's settings at each batch size that the batch step may take. Where `budget.hold` is time, a larger size also with the epochs
    of an update that takes no longer than the start's: the most that equal time allows."""
    found = []
    for size in candidate_sizes(asked, start):
        growth = size / start.total_batch_size
        found.append(replace(start, total_batch_size=size))
        if asked.config.budget.hold == "time" and growth > 1:
            found.append(replace(start, total_batch_size=size, epochs=start.epochs * growth))
    return found or [start]


def examples_of(asked: Asked, start: Settings, step: str, length: str, fewest: float, most: float) -> list[float]:
    """The fewest and the most training examples of a step: `fewest` to `most` short runs, at any batch size that may be taken by then."""
    if step == "batch":
        return _examples_of_sizes(asked, start, fewest, most)
    settings = may_be_taken(asked, start) if step in AFTER_BATCH else [start]
    a_run = [short_steps(asked, length, one) * one.total_batch_size for one in settings]
    return [fewest * min(a_run), most * max(a_run)]


def _examples_of_sizes(asked: Asked, start: Settings, fewest: float, most: float) -> list[float]:
    """The same of the batch step, whose runs take equal time: at the most as many iterations at a larger size as at the start's (an update
    takes no less time), at the least as many examples; a smaller size the other way round. A larger size is tried at two lrs."""
    growths = [size / start.total_batch_size for size in candidate_sizes(asked, start)] or [1.0]
    lrs = [2 if growth > 1 else 1 for growth in growths]
    average = sum(count * max(1.0, growth) for count, growth in zip(lrs, growths, strict=True)) / sum(lrs)
    a_run = short_steps(asked, "batch", start) * start.total_batch_size
    return [fewest * a_run * min(1.0, *growths), most * a_run * average]


def examples_of_training(asked: Asked, start: Settings) -> list[float]:
    """The fewest and the most training examples of the final runs and what they are compared with."""
    ends = [sum(spec.steps * spec.total_batch_size for spec in final_runs(asked, one)) for one in may_be_taken(asked, start)]
    return [min(ends), max(ends)]


def _rounded(trainings: float) -> float:
    return float(f"{trainings:.2g}") if trainings < 10 else float(round(trainings))


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


def final_runs(asked: Asked, settings: Settings) -> list[RunSpec]:
    """The final runs at these settings and what they are compared with."""
    known = settings if settings.max_lr is not None else replace(settings, max_lr=1.0, min_lr=0.1)  # an lr changes no length
    return [spec for specs in all_arms(asked, known).values() for spec in specs]


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


def plan_lines(found: Mapping[str, Any]) -> list[str]:
    """The plan for people."""
    known = [
        f"  {run['step']}: {run['run']}" + (f", {run['iterations']} iterations" if "iterations" in run else "") for run in found["known"]
    ]
    bounds = [
        f"  {step}: {_span(found['trainings'][step])} trainings, {_span(ends)} iterations" for step, ends in found["iterations"].items()
    ]
    search = found["search"]
    return [
        "Known now:",
        *(known or ["  nothing: every run is done"]),
        f"One training of yours: {found['epochs_of_a_full_training']:g} epochs, {found['iterations_of_a_full_training']} iterations of "
        f"{found['total_batch_size']}. In such trainings, counted in examples, from an empty run directory:",
        *bounds,
        f"The search, all before train: {_span(search['trainings'])} trainings, {_span(search['iterations'])} iterations; "
        f"its goal is {found['goal']} iterations at most.",
        "Iterations are at the batch size you start from, the least at the largest that may be taken. A larger batch has more examples.",
    ]


def _span(ends: Sequence[float]) -> str:
    """
    >>> _span([200, 200]), _span([1.5, 4.0])
    ('200', '1.5 to 4')
    """
    return " to ".join(dict.fromkeys(f"{end:g}" if end < 1e6 else f"{end:.0f}" for end in ends))
