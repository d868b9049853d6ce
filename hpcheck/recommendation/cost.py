"""What runs cost, counted in trainings of the user's: one is a full training at the batch size and the epochs that the config gives."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.records import RunRecord, examples_processed, iterations_done, seconds_spent
from hpcheck.steps.reading import Reading
from hpcheck.steps.step import Asked
from hpcheck.text import duration, trainings


def in_trainings(asked: Asked, examples: float) -> float:
    """Training examples as a number of the user's trainings.

    One training is `budget.epochs` times the training examples. Iterations would not do: a search at four times the batch size has four
    times the examples in as many iterations, and the recommended training may be longer than the user's.
    """
    return examples / max(asked.config.budget.epochs * asked.facts.train_examples, 1.0)


def records_of(runs: RunDirectory, readings: Sequence[Reading]) -> list[RunRecord]:
    """The record of each run that any of these readings looked at, once."""
    ids = dict.fromkeys(run for reading in readings for run in reading.runs)
    return [record for record in (runs.by_id(run) for run in ids) if record is not None]


def cost(records: Sequence[RunRecord], asked: Asked) -> dict[str, Any]:
    """What runs cost: trainings of the user's, runs, iterations and device-seconds.

    Diverged runs count up to where they were stopped. Evaluations and measurements of step times are in the seconds alone.
    """
    return {
        "trainings": round(in_trainings(asked, sum(map(examples_processed, records))), 2),
        "runs": len(records),
        "iterations": sum(map(iterations_done, records)),
        "device_seconds": round(sum(map(seconds_spent, records)), 1),
    }


def cost_words(spent: Mapping[str, Any]) -> str:
    """A cost in words. A recommended.yaml of before has no `trainings`.

    >>> cost_words({"trainings": 17.52, "runs": 44, "iterations": 5707, "device_seconds": 7.6})
    '18 of your trainings (44 runs, 5,707 iterations, 8 seconds)'
    >>> cost_words({"trainings": 0.2, "runs": 1, "iterations": 200, "device_seconds": 0.3})
    '0.2 of your trainings (1 run, 200 iterations, less than a second)'
    """
    runs = f"{spent['runs']} run{'s' * (spent['runs'] != 1)}"
    beside = f"{runs}, {spent['iterations']:,} iterations, {duration(spent['device_seconds'])}"
    return f"{trainings(spent['trainings'])} of your trainings ({beside})" if "trainings" in spent else beside
