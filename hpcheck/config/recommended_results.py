"""What the `results` of a recommended.yaml may say: figures of trainings, by step, then by what was trained."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpcheck.config.problems import Finding, shown
from hpcheck.config.value_checks import Check, blocks, checked, is_name, line, list_of, mappings, number, whole

TRAINED = ("confirm", "train")  # steps that train to the end ...
ARMS = ("recommended", "start")  # ... and what both of them train
MEASURED: dict[str, Check] = {"metric": number, "std": number, "each": list_of(number, "numbers"), "examples": whole}
ARM: dict[str, Check] = {"runs": list_of(line, "names of runs"), "diverged": whole}
CONSIDERED: dict[str, Check] = {
    "total_batch_size": number,
    "max_lr": number,
    "momentum": list_of(number, "numbers", 2),
    "weight_decay": number,
}
OVERFITS: dict[str, Check] = {
    "weight_decay": number,
    "larger_weight_decays": list_of(number, "numbers"),
    "lowest_after_epochs": number,
    "of_epochs": number,
    "budget_epochs": number,
    "steps": whole,
}


def _considered(value: Any) -> str:
    fits = isinstance(value, Mapping) and not any(check(value[key]) for key, check in CONSIDERED.items() if value.get(key) is not None)
    return "" if fits else "settings that were trained, as numbers by name"


OF_STEPS: dict[str, dict[str, Check]] = {
    "confirm": {"trainings": whole, "considered": list_of(_considered, "lines of settings")},
    "batch": {"noise_scale": number},
}


def findings(results: Any) -> Iterator[Finding]:
    """What is wrong in them."""
    wrong = list(mappings(results, ("results",), is_name, {}))
    yield from wrong
    for step, arms in () if wrong else results.items():
        yield from checked(arms, OF_STEPS.get(step, {}), ("results", step))
        if "considered" in arms and arms.get("trainings") is None:
            yield Finding(("results", step, "trainings"), "is required", "", whole(None))
        for arm, figures, unnamed in blocks(arms, ("results", step), line):
            if unnamed is not None:
                yield unnamed
            elif isinstance(figures, dict):
                yield from _of_arm(figures, step, arm)
            elif step in TRAINED and arm in ARMS:
                yield Finding(("results", step, arm), "not a mapping", shown(figures), "lines of `key: value`")
        if step == "train" and arms.get("overfits") is not None:
            yield from _of_overfitting(arms["overfits"])


def _of_arm(figures: Mapping[str, Any], step: str, arm: str) -> Iterator[Finding]:
    """What one arm came to on the splits."""
    path = ("results", step, arm)
    measured = {split: figures[split] for split in ("val", "test") if split in figures}
    wrong = list(mappings(measured, path, is_name, MEASURED))
    yield from wrong
    absent = [(split, key) for split, one in measured.items() if not wrong for key in ("metric", "each") if one.get(key) is None]
    yield from (Finding((*path, *where), "is required", "", MEASURED[where[1]](None)) for where in absent)
    if step in TRAINED and arm in ARMS:
        yield from checked(figures, ARM, path)
        if figures.get("runs") is None:
            yield Finding((*path, "runs"), "is required", "", ARM["runs"](None))


def _of_overfitting(told: Any) -> Iterator[Finding]:
    path = ("results", "train", "overfits")
    if not isinstance(told, Mapping):
        yield Finding(path, "not a mapping", shown(told), "lines of `key: value`")
        return
    yield from checked(told, OVERFITS, path)
    yield from (Finding((*path, key), "is required", "", check(None)) for key, check in OVERFITS.items() if told.get(key) is None)
