"""Full trainings of the simulated network, whose figures differ from seed to seed as real ones do."""

import math
from typing import Any

import numpy as np

from hpcheck.runs.spec import RunSpec
from hpcheck.steps.reading import FoundLr, Settings
from tests.support.simulated import World

ON = "confirm.trainings=8"
FOUND = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0, FoundLr(0.3))


class Seeded(World):
    """Full trainings whose figures differ from seed to seed, each for itself, as real ones do."""

    deviation = 0.003

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        found = super().finally_(spec, last)
        own = np.random.default_rng([spec.seed, round(1e9 * spec.weight_decay), round(1e6 * max(at for _, at in spec.lr.points))])
        decay = spec.weight_decay or 1e-7
        loss = 0.3 + 0.1 * abs(math.log10(decay / self.best_weight_decay)) + own.normal(0, self.deviation)
        return {split: {"loss": loss, "metric": 1 - 0.2 * loss, "examples": 1000} for split in found}
