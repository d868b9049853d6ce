"""What a recommended.yaml holds in its `settings`, and so what `--from` knows."""

from collections.abc import Mapping
from typing import Any, TypedDict


class Schedule(TypedDict, total=False):
    """The length in epochs of a training and of each of its cycles."""

    cycle_epochs: float
    epochs: float


class LearningRateBlock(Schedule, total=False):
    """The learning rate over a training, as recommended.yaml has it."""

    policy: str
    max: float
    min: float
    final: float


class MomentumBlock(TypedDict, total=False):
    """The momentum over a training, as recommended.yaml has it."""

    max: float
    min: float
    shape: str


class SettingsBlock(TypedDict, total=False):
    """`settings` of a recommended.yaml: the keys that are written, and so those that `--from` knows."""

    total_batch_size: int
    learning_rate: LearningRateBlock
    momentum: MomentumBlock
    weight_decay: float


def rises(momentum: Mapping[str, Any]) -> bool:
    """Whether the `momentum` of a recommendation rises with the lr."""
    return momentum.get("shape") == "rising"
