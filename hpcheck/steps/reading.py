"""What the checklist sets: the settings known so far, the evidence for each, and a step's reading of both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hpcheck.drawing.panels import Panel

# What a reading found that others act on; its remarks say the same to people, in words that may change.
Finding = Literal["still falling", "overfits", "too short to tell", "cannot be read", "shows no optimum"]


@dataclass(frozen=True)
class FoundLr:
    """The largest lr that was found, at the start's own batch size and momentum; whether nothing showed an upper limit to it, and what was
    trained in full to find it, where that was how."""

    max_lr: float
    open_above: bool = False
    trained: tuple[float, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters for training with 1cycle (Smith 2018). `max_lr` is None until a step has read it or the user gave it; `epochs` is
    the full training's length, which a change of batch size may change (4.2: equal execution time). `found` is what lr-range read."""

    total_batch_size: int
    max_lr: float | None
    min_lr: float | None
    max_momentum: float
    min_momentum: float
    weight_decay: float
    epochs: float
    found: FoundLr | None = None

    @property
    def known_max_lr(self) -> float:
        """The largest lr, for steps that begin only where it is known. Raises `ValueError` where it is not."""
        return _known(self.max_lr)

    @property
    def known_min_lr(self) -> float:
        """The smallest lr of a cycle, the same way."""
        return _known(self.min_lr)


def _known(lr: float | None) -> float:
    if lr is None:
        raise ValueError("no learning rate is known yet")
    return lr


@dataclass(frozen=True)
class Evidence:
    """Why a setting has its value: what was read, from which runs, how sure, and where in the paper the rule stands.

    `status` is "chosen", "tied" (the candidates in `tied` cannot be told apart), or "abstained": for want of evidence a value is kept, the
    start's or what `kept` says in words. `good` are candidates that lose little, where a stretch of such was looked for. `considered`
    holds a line per candidate: its value, its score and the score's standard error.
    A value that is not a number, such as a shape of the momentum, is its name. Scores are costs, lower being better: `as_measured` turns
    one back, for which it needs `higher_is_better`, the metric's direction.
    """

    setting: str
    value: Any
    status: str
    confidence: str
    reason: str
    source: str
    interval: tuple[float, float] | None = None
    tied: tuple[float | str, ...] = ()
    good: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()
    clues: tuple[str, ...] = ()
    considered: tuple[tuple[float | str, float, float], ...] = ()
    judged_by: str = "loss"
    kept: str = "start"
    higher_is_better: bool = True


def as_measured(score: float, judged_by: str, higher_is_better: bool) -> float:
    """A score as it was measured: that of a metric which is better when higher was turned around, so that lower is better.

    >>> as_measured(-0.97, "accuracy", True), as_measured(0.11, "accuracy", False), as_measured(0.3, "loss", True)
    (0.97, 0.11, 0.3)
    """
    return -score if judged_by == "accuracy" and higher_is_better else score


@dataclass(frozen=True)
class Reading:
    """What a step concluded: the settings after it, the evidence, what to draw, and remarks for people."""

    step: str
    settings: Settings
    evidence: tuple[Evidence, ...]
    panels: tuple[Panel, ...] = ()
    remarks: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()  # every run the step looked at, for the cost
    results: dict[str, Any] = field(default_factory=dict)  # train: figures of the final runs
    findings: frozenset[Finding] = frozenset()
    examples: int = 0  # training examples of those runs
    undone: bool = False  # nothing could be run, and a remark says why

    @property
    def abstained(self) -> bool:
        return self.undone or any(item.status == "abstained" for item in self.evidence)


def left_open(readings: Sequence[Reading]) -> list[Reading]:
    """The readings that abstained from a setting which no later one has answered."""
    answered = [{item.setting for item in reading.evidence if item.status != "abstained"} for reading in readings]

    def is_open(place: int) -> bool:
        reading, later = readings[place], set[str]().union(*answered[place + 1 :])
        return reading.undone or any(item.status == "abstained" and item.setting not in later for item in reading.evidence)

    return [reading for place, reading in enumerate(readings) if is_open(place)]


NO_LR = "no learning rate is known; read one first (lr-range)"


def nothing_run(step: str, settings: Settings, why: str = NO_LR) -> Reading:
    """The reading of a step that could run nothing: the settings stay, and a remark says why."""
    return Reading(step, settings, (), remarks=(why,), undone=True)
