"""Full trainings that learnt no more than a constant prediction knows: nothing can be compared, and everything stays as the user has it."""

import math
from collections.abc import Sequence

from hpcheck.analysis.full_trainings import binomial
from hpcheck.runs.records import RunRecord
from hpcheck.steps.confirm_evidence import SOURCE
from hpcheck.steps.confirm_reading import panels
from hpcheck.steps.contest import Contest
from hpcheck.steps.reading import Evidence, Reading, Settings
from hpcheck.steps.step import Asked
from hpcheck.steps.trained_lines import trained_lines

LEARNT_ERRORS = 4.0  # ours: binomial errors by which an accuracy is above a constant prediction's, as a curve's must be to be read
LEARNT = 0.01  # ours, by reasoning: a loss is below a constant prediction's where it is lower by this share; less is chance of the examples
NOT_TESTED = "not tested"
KEPT = "hpcheck's own full trainings"


def learnt_nothing(contest: Contest) -> bool:
    """Whether no training ever came below the loss of a constant prediction, nor above its accuracy. False where that loss is not known, or
    all diverged.

    The lowest loss of a training counts, not the last: one that overfits ends far above it, and has learnt. It may be above it all the way
    where labels are wrong or there are many classes, and be right far more often than a constant prediction.
    """
    finished = [one for records in contest.records.values() for one in records if not one.diverged]
    return bool(finished) and not any(learnt(contest.asked, one) for one in finished)


def learnt(asked: Asked, record: RunRecord) -> bool:
    """Whether a training that ended as it should came below the loss of a constant prediction, or above its accuracy, or that loss is not
    known."""
    if record.diverged:
        return False
    return not _lowest(record) > (1 - LEARNT) * asked.facts.constant_loss or _is_right_more_often(asked, record)  # NaN counts as learnt


def _is_right_more_often(asked: Asked, record: RunRecord) -> bool:
    """Whether the accuracy on the whole validation set is beyond chance above that of the commonest class."""
    share, found = asked.facts.constant_accuracy, record.result.get("val")
    if found is None or not math.isfinite(share) or asked.config.data.metric not in ("auto", "accuracy"):
        return False
    return float(found["metric"]) > share + LEARNT_ERRORS * binomial(share, int(found["examples"]))


def reading(contest: Contest, before: Settings) -> Reading:
    """Nothing is recommended: all settings are the start's, and a remark says where to look."""
    start, loss = contest.start, contest.asked.facts.constant_loss
    runs = tuple(record.run_id for records in contest.records.values() for record in records)
    lowest = min(map(_lowest, (one for records in contest.records.values() for one in records)))
    figures = f"the lowest validation loss is {lowest:.4g}, and always predicting the same gives {loss:.4g}"
    reason = f"no full training beat a constant prediction: {figures}"
    why = f"{reason}. Look at the labels and at the model, give a smaller start.max_lr, or train longer (budget.epochs)"
    decay = Evidence("weight_decay", start.weight_decay, "abstained", "none", reason, SOURCE, runs=runs)
    back = (Evidence(name, value, "abstained", "none", reason, KEPT, runs=runs) for name, value in _changed(before, start))
    return Reading(
        "confirm",
        start,
        (decay, *back),
        panels(contest, start),
        (why,),
        results={
            "trainings": contest.total - contest.left,
            "verdict": {"says": NOT_TESTED, "why": reason},
            "considered": trained_lines(contest),
        },
    )


def _lowest(record: RunRecord) -> float:
    return min((row["val_loss"] for row in record.rows if "val_loss" in row), default=float("inf"))


def _changed(before: Settings, start: Settings) -> Sequence[tuple[str, object]]:
    """What the steps before had set to something else than the start has."""
    found: list[tuple[str, object]] = []
    if (before.max_lr, before.min_lr) != (start.max_lr, start.min_lr):
        found.append(("learning_rate", start.max_lr))
    if before.total_batch_size != start.total_batch_size:
        found.append(("total_batch_size", start.total_batch_size))
    if (before.max_momentum, before.min_momentum) != (start.max_momentum, start.min_momentum):
        found.append(("momentum", {"max": start.max_momentum, "min": start.min_momentum}))
    return found
