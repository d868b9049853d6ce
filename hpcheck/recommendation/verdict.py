"""Whether the recommendation beats what the user had: one verdict, from the final trainings of both, with which every output begins."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from hpcheck.steps.reading import Reading
from hpcheck.steps.step import Asked
from hpcheck.steps.train import compared_with, is_folded

# Ours: so many standard errors ahead is better beyond chance. Equal settings pass it in 5% of cases with four trainings each, and in 9%
# with two (one side of Welch's t).
BEYOND_CHANCE = 2.0
WHOLE = 0.01  # ours: a metric counts examples where, times their number, it is a whole number to within this

Says = Literal["better", "not better", "not tested"]
BETTER: Says = "better"
NOT_BETTER: Says = "not better"
NOT_TESTED: Says = "not tested"


@dataclass(frozen=True)
class Verdict:
    """`says` of the recommendation against the start, and `words`, the first line of every output.

    `ours` and `theirs` are mean metrics on `split`, and `difference` is positive where ours is better, also of a metric of which less is
    better. `error` is the standard error of the difference; None with a single training on a side, which says nothing of chance.
    """

    says: Says
    words: str
    split: str = ""
    ours: float | None = None
    theirs: float | None = None
    difference: float | None = None
    error: float | None = None

    def block(self) -> dict[str, Any]:
        """What recommended.yaml has of it: no key that says nothing."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def first_line(content: Mapping[str, Any]) -> str:
    """The words of a recommendation's verdict; "" in a recommended.yaml of before."""
    verdict = content.get("verdict")
    return str(verdict.get("words", "")) if isinstance(verdict, Mapping) else ""


def is_beaten(content: Mapping[str, Any]) -> bool:
    """Whether the recommendation was trained beside the start and is not better."""
    verdict = content.get("verdict")
    return isinstance(verdict, Mapping) and verdict.get("says") == NOT_BETTER


def against_start(asked: Asked, readings: Sequence[Reading]) -> Verdict:
    """The verdict of the final trainings, if there are any: of the test split where both have one, else of the held-out split."""
    trained = next((reading.results for reading in readings if reading.step == "train" and reading.results), None)
    if trained is None:
        return Verdict(NOT_TESTED, "Not tested: nothing was trained in full with these settings.")
    if "start" not in compared_with(asked):
        return Verdict(NOT_TESTED, "Not compared with yours: start.max_lr, the learning rate you use today, was not given.")
    if "start" not in trained:  # the same runs are not made twice
        return Verdict(NOT_BETTER, "Not better than yours: the recommended training is the one you have.")
    return _compared(asked, trained["recommended"], trained["start"])


def _compared(asked: Asked, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Verdict:
    lost, theirs_lost = ours["diverged"] / len(ours["runs"]), theirs["diverged"] / len(theirs["runs"])
    if lost == 1 or lost > theirs_lost:
        return Verdict(NOT_BETTER, f"Not better than yours: {ours['diverged']} of its {len(ours['runs'])} final trainings diverged.")
    if theirs_lost == 1:
        return Verdict(BETTER, "Better than yours: every final training with your settings diverged.")
    splits = ("test",) if is_folded(asked) else ("test", "val")
    split = next((one for one in splits if one in ours and one in theirs), None)
    if split is None:
        return Verdict(NOT_TESTED, "Not compared with yours: the held-out part was trained on, and there is no test split.")
    return _by_metric(ours[split], theirs[split], split, asked.config.data.metric_is == "higher")


def _by_metric(ours: Mapping[str, Any], theirs: Mapping[str, Any], split: str, higher_is_better: bool) -> Verdict:
    difference = (ours["metric"] - theirs["metric"]) * (1 if higher_is_better else -1)
    error = error_of(ours, theirs)
    named = {"test": "the test split", "val": "the held-out split"}[split]
    counts = " and ".join(dict.fromkeys(str(len(one["each"])) for one in (ours, theirs)))
    figures = f"metric {ours['metric']:.4g} against {theirs['metric']:.4g} on {named} (trainings: {counts})"
    better = error is not None and difference > BEYOND_CHANCE * error
    if better:
        says, words = BETTER, f"Better than yours: {figures}."
    elif error is None:
        says, words = NOT_BETTER, f"Not shown to be better than yours: {figures}; one training says nothing of chance, raise train.repeats."
    elif difference < -BEYOND_CHANCE * error:
        says, words = NOT_BETTER, f"Worse than yours: {figures}."
    else:
        says, words = NOT_BETTER, f"Not better than yours: {figures}; the difference is within chance."
    return Verdict(says, words, split, ours["metric"], theirs["metric"], difference, error)


def error_of(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float | None:
    """The standard error of the difference of two mean metrics; None with a single training on a side.

    It has the variance of the seeds, s^2 / n of each side. Of a metric that counts examples, such as accuracy, it has that of the examples
    too, which seeds do not show: |difference| / examples, the least that it can be, where no example changed the other way.
    """
    sides = [np.asarray(one["each"], dtype=float) for one in (ours, theirs)]
    if min(map(len, sides)) < 2:
        return None
    variance = sum(float(each.var(ddof=1)) / len(each) for each in sides)
    examples = ours.get("examples")
    if examples and all(_is_whole(value * examples) for each in sides for value in each):
        variance += abs(ours["metric"] - theirs["metric"]) / examples
    return math.sqrt(variance)


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < WHOLE
