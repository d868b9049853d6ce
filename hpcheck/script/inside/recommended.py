"""Training with a recommendation and without a driver: seed, batch size, schedule and length as a recommended.yaml has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpcheck.config import recommended_file
from hpcheck.config.problems import ConfigError
from hpcheck.errors import InputError
from hpcheck.runs import schedules
from hpcheck.runs.schedules import Knots
from hpcheck.script.inside.follower import Follower, Values
from hpcheck.script.inside.groups import Groups, unwrapped
from hpcheck.script.inside.losses import Loss

STRETCH = 4096  # ours: updates whose values are computed together; a length that the file gives need not fit in memory


class Recommended:
    """The settings of one recommended.yaml. Raises `InputError` where they cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = recommended_file.read(path, used=True)
        except ConfigError as error:
            raise InputError(str(error).removeprefix("error: ")) from None
        self.settings: Mapping[str, Any] = content["settings"]
        if "learning_rate" not in self.settings:
            raise InputError(f"{path}: has no settings with a learning rate; hpcheck run writes them")
        self.provenance: Mapping[str, Any] = content.get("provenance", {})
        self.total_batch_size = int(self.settings["total_batch_size"])

    def seed(self, default: int) -> int:
        """The seed of the search."""
        return int(self.provenance.get("seed", default))

    def follow(self, optimizer: Any, train_examples: int | None) -> Follower:
        """A follower that sets the recommended schedule, evaluates nothing and never ends the script."""
        examples = self.provenance.get("script", {}).get("train_examples") or train_examples
        if examples is None:
            raise InputError(f"{self._path}: says how many epochs to train; give train_examples to hpcheck.follow")
        groups = None if optimizer is None else Groups(unwrapped(optimizer))
        return Follower(groups, Schedule(self.settings, int(examples)))


class Schedule:
    """The recommended training as a course: values for each update, and the last of them after the end."""

    def __init__(self, settings: Mapping[str, Any], train_examples: int) -> None:
        lr, momentum = settings["learning_rate"], settings["momentum"]
        an_epoch = train_examples / settings["total_batch_size"]
        self.steps = max(1, round(lr["epochs"] * an_epoch))
        stepsize = max(1, round(lr.get("cycle_epochs", lr["epochs"]) / lr["epochs"] * self.steps / 2))
        self._lr = _lr(lr, stepsize, self.steps)
        self._momentum = _momentum(lr["policy"], momentum, stepsize, self.steps)
        self._stretch: tuple[int, list[float], list[float]] = (0, [], [])  # from which update on, and the values of some updates
        self._weight_decay = float(settings["weight_decay"])
        self.done = 0

    def looped(self, kind: str, n: int) -> None:
        """The script's own length does not count."""

    def begins(self) -> None:
        """Nothing."""

    def values(self) -> Values:
        at = min(self.done, self.steps - 1)
        first, lrs, momenta = self._stretch
        if not first <= at < first + len(lrs):
            first, last = at, min(at + STRETCH, self.steps)
            lrs, momenta = (schedules.values_between(knots, first, last).tolist() for knots in (self._lr, self._momentum))
            self._stretch = first, lrs, momenta
        return lrs[at - first], momenta[at - first], self._weight_decay

    def updated(self, losses: list[Loss]) -> bool:
        self.done += 1
        return bool(self.done >= self.steps)

    def stuck(self) -> None:
        """The script's own affair."""

    def ends(self) -> bool:
        return False


def _lr(block: Mapping[str, Any], stepsize: int, steps: int) -> Knots:
    policy, largest = block["policy"], float(block["max"])
    if policy == "1cycle":
        return schedules.one_cycle(largest, float(block["min"]), stepsize, steps)
    if policy in ("triangular", "triangular2"):
        return schedules.triangular(float(block["min"]), largest, stepsize, steps, decay=0.5 if policy == "triangular2" else 1.0)
    if policy == "constant":
        return schedules.constant(largest)
    raise InputError(
        f"the recommended lr policy is {policy}, which hpcheck.use does not know yet (1cycle, triangular, triangular2, constant)"
    )


def _momentum(policy: str, block: Mapping[str, Any], stepsize: int, steps: int) -> Knots:
    largest, smallest = float(block["max"]), float(block["min"])
    if policy == "constant" or largest == smallest:
        return schedules.constant(largest)
    begin, turn = (smallest, largest) if block.get("shape") == "rising" else (largest, smallest)
    cycles = schedules.triangular if policy == "triangular" else schedules.cyclical_momentum
    return cycles(begin, turn, stepsize, steps)
