"""Whether a followed training has diverged: the engine's rule on plain numbers, so that a look costs one operation of torch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.engine.divergence import CHECK_EVERY, DIVERGED_FACTOR, STEADY_EXAMPLES


class LossLevels:
    """The level of the first losses and of the latest, each over enough examples. A fork goes on with its parent's.

    A script's loss cannot be taken before its first update, as the engine's is at small batch sizes: the first updates that hold enough
    examples are the first level. Until then only a loss that is not finite counts as divergence.
    """

    def __init__(self, batch_size: int) -> None:
        self.batches = math.ceil(STEADY_EXAMPLES / batch_size)
        self.first = math.nan
        self._latest: list[float] = []  # the last `batches` losses
        self._stretch: list[float] = []  # the last losses since the last row, as many as one look is at

    def add(self, losses: Sequence[float]) -> None:
        """Take the losses of the next updates."""
        together = [*self._latest, *losses]
        if math.isnan(self.first) and len(together) >= self.batches and losses:
            self.first = sum(together[: self.batches]) / self.batches
        self._latest = together[-self.batches :]
        self._stretch = [*self._stretch, *losses][-CHECK_EVERY:]

    def row(self) -> None:
        """A row was written."""
        self._stretch = []

    def diverged(self) -> bool:
        """Whether the latest losses are NaN, inf or far above the first level."""
        recent = self._stretch if len(self._stretch) >= self.batches else self._latest
        if not recent:
            return False
        level = sum(recent) / len(recent)
        return not math.isfinite(level) or level > DIVERGED_FACTOR * abs(self.first)

    def state(self) -> dict[str, Any]:
        """What a snapshot holds of them, as the engine's does."""
        return {"first_loss": self.first, "latest": self._latest}

    def put(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.first, self._latest = float(state["first_loss"]), [float(loss) for loss in state["latest"]]
