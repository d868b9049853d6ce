"""Choice: what a reading answers, with its interval and its reason, or the abstention."""

from dataclasses import dataclass, replace
from typing import Literal

from hpcheck.analysis.clue import Clue

Confidence = Literal["high", "medium", "low", "none"]
SURENESS: tuple[Confidence, ...] = ("none", "low", "medium", "high")
Status = Literal["chosen", "tied", "abstained"]


@dataclass(frozen=True)
class Choice:
    """One setting as read from curves.

    `value` is None exactly where `status` is "abstained". `tied` lists every value that cannot be told from the best, the value itself
    included, and is empty otherwise; `good` those tried that lose little against the best, where a stretch of such is looked for.
    `edge` says that the value is the lowest or highest tried, so that a better one may lie beyond.
    `scores` has (value, score, standard error) for each candidate, lower being better; a candidate that diverged has score inf.
    """

    value: float | None
    interval: tuple[float, float] | None
    confidence: Confidence
    status: Status
    reason: str
    tied: tuple[float, ...] = ()
    edge: Literal["low", "high"] | None = None
    clues: tuple[Clue, ...] = ()
    judged_by: Literal["loss", "accuracy"] = "loss"
    scores: tuple[tuple[float, float, float], ...] = ()
    good: tuple[float, ...] = ()


def lowered(choice: Choice, to: Confidence, because: str = "") -> Choice:
    """The choice with no more than this confidence, and why in its reason, if that is given; as it is where it has no more."""
    if SURENESS.index(choice.confidence) <= SURENESS.index(to):
        return choice
    return replace(choice, confidence=to, reason=f"{choice.reason}; {to} confidence, since {because}" if because else choice.reason)


def abstain(
    reason: str,
    clues: tuple[Clue, ...] = (),
    judged_by: Literal["loss", "accuracy"] = "loss",
    scores: tuple[tuple[float, float, float], ...] = (),
) -> Choice:
    """No value, and why."""
    return Choice(None, None, "none", "abstained", reason, clues=clues, judged_by=judged_by, scores=scores)
