"""What to do next, in the order to do it, from what the report already says."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.config import Config
from hpcheck.steps.reading import Finding, Reading

COMMAND = {"lr-range": "lr-range", "batch": "batch", "momentum": "momentum", "wd-grid": "wd-grid", "train": "train"}
Line = tuple[str, str]  # words, and the command that does it ("" where none does)


def next_lines(content: Mapping[str, Any], readings: Sequence[Reading], config: Config) -> list[Line]:
    """What a person does next: mend what abstained, run what was not run, then train and keep the settings."""
    lines = [*_abstained(readings), *_not_run(readings), *_training(readings)]
    if config.data.validate_on == "test":
        words = "Every setting was chosen on the test split. For a figure that can be published, choose them on held-out training data"
        lines.append((words, "hpcheck run -s data.validate_on=held-out"))
    if not any(reading.abstained for reading in readings) and readings:
        lines.append(("Commit recommended.yaml: it is small, and training can be started from it", "hpcheck train --from recommended.yaml"))
        lines.append(("Have it checked again when code, data or versions change", "hpcheck check"))
    return lines


def missing(readings: Sequence[Reading]) -> list[str]:
    """Steps of the checklist that have not been run."""
    done = {reading.step for reading in readings}
    return [step for step in COMMAND if step not in done]


def _abstained(readings: Sequence[Reading]) -> list[Line]:
    return [
        (f"{item.setting.replace('_', ' ')} could not be read: {item.reason}. Give the runs more iterations", _longer(reading.step))
        for reading in readings
        for item in reading.evidence
        if item.status == "abstained"
    ]


def _longer(step: str) -> str:
    section = {"lr-reprobe": "lr_range"}.get(step, step.replace("-", "_"))
    return f"hpcheck {COMMAND.get(step, 'train')} -s {section}.steps=ITERATIONS"


def _not_run(readings: Sequence[Reading]) -> list[Line]:
    steps = missing(readings)
    if len(steps) == len(COMMAND):
        return [("Nothing has been read yet: run the checklist", "hpcheck run")]
    return [(f"Not run yet: {step}", f"hpcheck {COMMAND[step]}") for step in steps]


def _training(readings: Sequence[Reading]) -> list[Line]:
    findings = frozenset[Finding]().union(*(reading.findings for reading in readings))
    lines = []
    if "still falling" in findings:
        lines.append(
            (
                "The validation loss was still falling when training ended: train longer (section 4.2, Remark 4)",
                "hpcheck train -s budget.epochs=EPOCHS",
            )
        )
    if "overfits" in findings:
        words = "The validation loss rose long before training ended: train fewer epochs, as many as the remark on the training says"
        lines.append((words, "hpcheck run -s budget.epochs=EPOCHS"))
    if "too short to tell" in findings:
        lines.append(("The weight decays had no time to act: compare them over longer runs", _longer("wd-grid")))
    return lines
