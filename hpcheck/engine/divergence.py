"""Whether a run has diverged: the level of its latest training losses against that of its start, each over enough examples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

DIVERGED_FACTOR = 4.0  # ours: a training loss this many times its start is divergence (a network at chance stays near 1)
CHECK_EVERY = 10  # steps between looks at the training loss, so that a GPU is not made to wait at each step
# Ours, measured (docs/decisions/011-divergence.md): two batches of 2 may differ by a factor of 4, means over 64 do not.
STEADY_EXAMPLES = 64


@dataclass
class Levels:
    """What divergence is judged by. A continuation goes on with its parent's: where the whole chain began, and what it saw last."""

    batch_size: int
    first: float = math.nan  # loss of the first examples of the chain: of its first batch where that is enough, else as `begin` is told
    latest: list[Tensor] = field(default_factory=list)  # the last `batches` losses, whatever rows were written between

    @property
    def batches(self) -> int:
        """So many batches hold `STEADY_EXAMPLES`."""
        return math.ceil(STEADY_EXAMPLES / self.batch_size)

    def begin(self, first: float) -> None:
        """Start with the loss of the first `batches` batches before any update; those that are yet to be seen count as being there."""
        self.first, self.latest = first, [torch.tensor(first)] * self.batches

    def add(self, loss: Tensor) -> None:
        """Take the loss of the next update."""
        self.latest = [*self.latest, loss][-self.batches :]
        if math.isnan(self.first):
            self.first = float(loss)

    def diverged(self, stretch: Sequence[Tensor]) -> bool:
        """Whether the latest losses, averaged, are NaN, inf or far above the first level. They are the last of `stretch`, those since the
        last row, where these hold enough examples."""
        recent = stretch[-CHECK_EVERY:] if min(CHECK_EVERY, len(stretch)) >= self.batches else self.latest
        level = float(torch.stack([loss.to(recent[-1].device) for loss in recent]).mean())
        return not math.isfinite(level) or level > DIVERGED_FACTOR * abs(self.first)

    def state(self) -> dict[str, Any]:
        """What a checkpoint or a snapshot holds of them, in plain values."""
        return {"first_loss": self.first, "latest": [float(loss) for loss in self.latest]}

    def put(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`. A snapshot that an older hpcheck left says nothing of the latest losses: they count as being at the first."""
        self.begin(float(state["first_loss"]))
        if "latest" in state:
            self.latest = [torch.tensor(loss) for loss in state["latest"]]
