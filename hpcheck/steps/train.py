"""The last step: train with 1cycle, its tail and cyclical momentum, several times, beside what the user had (Smith 2018, 5 and A.1)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpcheck.analysis.clues import find_clues
from hpcheck.config.recommended import Schedule
from hpcheck.drawing.panels import Panel
from hpcheck.plugins import find
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import Knots, constant, cosine, inv, multistep
from hpcheck.runs.spec import PartSpec, RunSpec, evenly
from hpcheck.steps import overfits
from hpcheck.steps.build_runs import IN_FULL, curve, cycle, data_spec, eval_size, full_steps
from hpcheck.steps.confirm_plan import repeats_of, trainings_of
from hpcheck.steps.confirm_words import metric_name
from hpcheck.steps.early_ranking import Agreement, early_ranking
from hpcheck.steps.evidence import boxes, describe, repeated
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.momentum import shape_knots
from hpcheck.steps.policies import stepsize_of
from hpcheck.steps.reading import Finding, Reading, Settings, nothing_run
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, Steps

STEP_GAMMA = 0.316  # the author's "step" policy on CIFAR: half a decade at 1/2, 3/4, 7/8 and 15/16 of training
STEP_MILESTONES = (1 / 2, 3 / 4, 7 / 8, 15 / 16)
EXP_GAMMA, EXP_EVERY_EPOCHS = 0.94, 2  # what Fig. 16 compares with: x0.94 every two epochs (5.5, after Szegedy et al. 2017)
INITS = ("xavier", "msra")  # A.1: the four runs alternate between these
KEPT = ("recommended", "start")  # arms whose first run leaves its weights: either may be the other's run
TUNING_FREE = {"schedule-free": "schedule_free", "prodigy": "prodigy"}  # what to compare with: the optimizer's file
EVALUATIONS = 40  # of a full training: enough to see whether its tail has flattened


def decide(asked: Asked, settings: Settings) -> Steps:
    """Train with the settings, and with what they are to be compared with."""
    if settings.max_lr is None:
        return nothing_run("train", settings, "no learning rate is known; read one (lr-range) or give start.max_lr")
    arms = all_arms(asked, settings)
    records = yield [spec for specs in arms.values() for spec in specs]
    found, at = {}, 0
    for name, specs in arms.items():
        found[name] = tuple(records[at : at + len(specs)])
        at += len(specs)
    agreement = yield from early_ranking(asked, found, "test" if is_folded(asked) else "val")
    return _reading(asked, settings, found, agreement)


def all_arms(asked: Asked, settings: Settings) -> dict[str, list[RunSpec]]:
    """The recommended training and what it is compared with; the other policies also over `train.compare_epochs`, a longer budget."""
    arms = {"recommended": repeats(asked, settings, "recommended")}
    for other in compared_with(asked):
        arms[other] = comparison(asked, settings, other)
        epochs = asked.config.train.compare_epochs
        if other != "start" and epochs is not None:
            arms[f"{other}, {epochs:g} epochs"] = comparison(asked, replace(settings, epochs=epochs), other)
    return {name: specs for name, specs in arms.items() if name == "recommended" or specs != arms["recommended"]}


def compared_with(asked: Asked) -> list[str]:
    """What to train beside the recommendation: the config's list, and the start's settings where the user gave an lr and `confirm` does not
    train in full: it compares with them itself."""
    wanted: list[str] = list(asked.config.train.compare)
    if asked.config.start.max_lr is not None and "start" not in wanted and not trainings_of(asked):
        wanted.append("start")
    return wanted


def repeats(asked: Asked, settings: Settings, arm: str) -> list[RunSpec]:
    """An arm's final runs: the same settings with other seeds, or with A.1's neighbouring batch sizes (one example more in each part of
    the batch from run to run) and alternating inits."""
    run, as_paper = asked.config.run, asked.config.train.variation == "paper"
    specs = []
    for number in range(repeats_of(asked)):
        size = settings.total_batch_size + (number * run.cut_into() if as_paper else 0)
        spec = final_run(asked, replace(settings, total_batch_size=size), f"{arm}, run {number + 1}")
        keep = _kept(asked) if number == 0 and arm in KEPT else ""
        spec = replace(spec, seed=spec.seed + number, keep=keep)
        specs.append(replace(spec, init=INITS[number % 2]) if as_paper else spec)
    return specs


def final_run(asked: Asked, settings: Settings, label: str) -> RunSpec:
    """One full training; the test split is touched here alone, after the last step."""
    of_all = trained_on(asked)
    steps = full_steps(of_all, settings)
    spec, options = cycle(of_all, settings, steps, label), asked.config.train
    return replace(
        spec,
        lr=spec.lr if options.policy == "1cycle" else lr_by_policy(options.policy, settings.known_max_lr, steps, settings.epochs),
        momentum=shape_knots(asked, options.momentum, settings.max_momentum, settings.min_momentum, steps),
        data=data_spec(asked, asked.config.train.fit),
        evaluate_after=evenly(steps, EVALUATIONS),
        eval_size=eval_size(of_all, steps * settings.total_batch_size, asked.config.budget.evals or IN_FULL),
        finally_on=("val", "test"),
    )


def _kept(asked: Asked) -> str:
    """The last weights, and the best by validation where that says something."""
    return "last" if is_folded(asked) else "best"


def is_folded(asked: Asked) -> bool:
    """Whether the final runs train on what their validation curve is measured on (`train.fit: all`)."""
    return asked.config.train.fit == "all" and asked.config.data.validate_on == "held-out"


def trained_on(asked: Asked) -> Asked:
    """The same question with as many examples as the final runs train on: `fit: all` adds the held-out part."""
    examples = asked.facts.train_examples + (asked.facts.val_examples if is_folded(asked) else 0)
    return replace(asked, facts=replace(asked.facts, train_examples=examples))


def comparison(asked: Asked, settings: Settings, other: str) -> list[RunSpec]:
    """The same number of runs by another policy at the same budget: the start's own settings, or step, inv or constant lr."""
    start = asked.config.start
    if other == "start":
        return repeats(asked, with_lr(asked, start_settings(asked.config), start.max_lr or settings.known_max_lr), "start")
    if other in TUNING_FREE:
        return [_tuning_free(other, spec) for spec in repeats(asked, settings, other)]
    lr = start.max_lr or settings.known_min_lr  # a constant lr must be smaller than 1cycle's maximum (Smith 2018, 4.1)
    held = constant(settings.max_momentum)
    specs = repeats(asked, settings, other)
    return [replace(spec, lr=lr_by_policy(other, lr, spec.steps, settings.epochs), momentum=held) for spec in specs]


def _tuning_free(name: str, spec: RunSpec) -> RunSpec:
    """The same training by an optimizer that asks for no settings, at its package's own: a constant lr for schedule-free, for Prodigy a
    cosine, as its authors advise."""
    optimizer = TUNING_FREE[name]
    own = find.literal("optimizers", optimizer, "OWN")
    lr = constant(own["lr"]) if name == "schedule-free" else cosine(own["lr"], spec.steps)
    return replace(spec, optimizer=PartSpec(optimizer, ()), lr=lr, momentum=constant(own["momentum"]), weight_decay=own["weight_decay"])


def lr_by_policy(policy: str, lr: float, steps: int, epochs: float) -> Knots:
    """The policies that the paper compares 1cycle with, from `lr` on: "constant", "step", "inv" and "exp"."""
    if policy == "constant":
        return constant(lr)
    if policy == "inv":
        return inv(lr, steps)
    if policy == "step":
        return multistep(lr, STEP_GAMMA, tuple(round(steps * share) for share in STEP_MILESTONES))
    if policy == "exp":
        every = EXP_EVERY_EPOCHS * steps / epochs
        return multistep(lr, EXP_GAMMA, tuple(round(every * count) for count in range(1, math.ceil(epochs / EXP_EVERY_EPOCHS))))
    raise ValueError(f"no learning rate policy {policy!r}")


def _reading(asked: Asked, settings: Settings, found: dict[str, tuple[RunRecord, ...]], agreement: Agreement | None) -> Reading:
    first = curve(found["recommended"][0], "recommended")
    clues = find_clues(first)
    results: dict[str, Any] = {name: summary(records) for name, records in found.items()}
    findings: set[Finding] = set()
    remarks = [describe(clue) for clue in clues]
    if is_folded(asked):
        remarks.append(
            "train.fit is all: the validation curve is of examples that were trained on; only the test figure says something new"
        )
    lost = {name: sum(record.diverged for record in records) for name, records in found.items()}
    remarks += [f"{name}: {count} of {len(found[name])} final runs diverged" for name, count in lost.items() if count]
    if any(clue.kind == "underfitting" for clue in clues):
        remarks.append("the validation loss was still falling at the end: train longer (Smith 2018, 4.2, Remark 4)")
        findings.add("still falling")
    rising = next((clue for clue in clues if (clue.kind, clue.form) == ("overfitting", "gradual-rise")), None)
    if rising is not None and not is_folded(asked):
        results["overfits"] = asked_for = overfits.asks_for(asked, settings, rising, found["recommended"][0].run.steps)
        remarks.append(overfits.remark(asked_for))
        findings.add("overfits")
    lines = tuple(repeated(records, label=name) for name, records in found.items())
    loss = Panel("Full training", "iteration", "validation loss", lines, (), boxes(clues))
    metric = Panel(
        f"Full training, {metric_name(asked)}",
        "iteration",
        f"validation {metric_name(asked)}",
        tuple(repeated(records, "accuracy", name) for name, records in found.items()),
        higher_is_better=first.higher_is_better,
    )
    results |= {"schedule": schedule(asked, settings)}
    if agreement is not None:
        remarks.append(agreement.words)
        results["early_ranking"] = {"kendall_tau": agreement.tau, "iterations": agreement.steps, "early_loss": agreement.early}
    return Reading("train", settings, (), (loss, metric), tuple(remarks), results=results, findings=frozenset(findings))


def summary(records: Sequence[RunRecord]) -> dict[str, Any]:
    """Mean and, over several repeats, standard deviation of the final figures on each split; diverged runs are counted, not averaged."""
    finished = [record for record in records if not record.diverged]
    figures: dict[str, Any] = {"runs": [record.run_id for record in records], "diverged": len(records) - len(finished)}
    for split in ("val", "test"):
        measured = [record.result[split] for record in finished if split in record.result]
        metrics = np.array([one["metric"] for one in measured])
        if len(metrics):
            spread = {"std": float(metrics.std(ddof=1))} if len(metrics) > 1 else {}
            examples = {"examples": measured[0]["examples"]} if "examples" in measured[0] else {}
            figures[split] = {"metric": float(metrics.mean()), **spread, "each": metrics.tolist(), **examples}
    return figures


def schedule(asked: Asked, settings: Settings) -> Schedule:
    """The training's length in epochs, and that of its one cycle, or of each of its cycles."""
    steps = full_steps(asked, settings)
    return {"cycle_epochs": round(2 * stepsize_of(asked, steps) * settings.epochs / steps, 4), "epochs": settings.epochs}
