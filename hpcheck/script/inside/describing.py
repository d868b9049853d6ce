"""The describe launch: a few updates of the script as it is, one evaluation, and what the driver must know of it."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from hpcheck.plugins.user_errors import is_theirs
from hpcheck.script.inside import opened, ranks
from hpcheck.script.inside.courses import Common
from hpcheck.script.inside.evaluation import evaluated, gpu_is_used
from hpcheck.script.inside.examples import Examples
from hpcheck.script.inside.follower import Values
from hpcheck.script.inside.groups import Groups
from hpcheck.script.inside.losses import Loss
from hpcheck.script.inside.state import Snapshots
from hpcheck.script.job import EVALUATING, FOLLOWING, Job, Pulse, ScriptError, tell

UPDATES = 2  # the first may come before what a script does in its first iteration alone


class Asks(Protocol):
    """What the calls of the script have asked for so far."""

    job: Job
    folder: Path
    pulse: Pulse
    asked: set[str]
    own_batch_size: int | None


class Describing(Common):
    """Looks on for two updates."""

    def __init__(
        self,
        driven: Asks,
        groups: Groups | None,
        evaluate: Callable[[], Any],
        given: Mapping[str, Any],
        model: Any,
        snapshots: Snapshots,
    ) -> None:
        super().__init__(driven.job, driven.folder, driven.pulse)
        self._driven, self._groups, self._evaluate, self._given = driven, groups, evaluate, given
        self._model, self._snapshots = model, snapshots
        self._loops: dict[str, int] = {}
        self._losses: list[float] = []
        self._examples = Examples(driven.job.total_batch_size or driven.own_batch_size or 1, ranks.size())
        self._reads: list[str] = []

    def begins(self) -> None:
        super().begins()
        self._reads = opened.configs(opened.end())

    def looped(self, kind: str, n: int) -> None:
        self._loops[kind] = int(n)

    def values(self) -> Values | None:
        return (0.0, 0.9, 0.0) if self._groups is None else None  # without a torch optimizer nothing is to be learned here

    def updated(self, losses: list[Loss]) -> bool:
        if not losses:
            raise ScriptError("an update was made and no loss told: call hp.loss(loss) before optimizer.step()")
        self.done += 1
        self.pulse.beat(FOLLOWING, self.done)
        self._losses.append(sum(map(float, losses)) / len(losses))
        if self.done < UPDATES:
            return False
        self.pulse.beat(EVALUATING, self.done)
        self.evaluating = True
        self._examples.end()
        self._examples.refuse_batches(self._given["train_examples"])
        found = evaluated(self._evaluate, self._given["val_examples"])
        self.evaluating = False
        first = ranks.summed(self._losses[:1])[0] / ranks.size()
        val_examples = self._given["val_examples"] or found.count
        if val_examples is None:
            raise ScriptError("the number of validation examples is not known: give val_examples to hpcheck.follow")
        if ranks.rank() == 0:
            tell(self.folder, "described", self._described(val_examples, first))
        return True

    def _described(self, val_examples: int, first_loss: float) -> dict[str, Any]:
        groups = self._groups
        largest = None if groups is None else groups.bases[groups.largest]
        return {
            **self._given,
            "validation": val_examples,
            "loops": self._loops,
            "seed": self.job.seed,
            "seed_asked": "seed" in self._driven.asked,
            "total_batch_size": self.job.total_batch_size or self._driven.own_batch_size,
            "first_loss": first_loss,
            "optimizer": "" if groups is None else type(groups.optimizer).__name__,
            "kind": "" if groups is None else groups.kind,
            "lr": None if largest is None else largest.lr,
            "weight_decay": None if groups is None else max(base.weight_decay for base in groups.bases),
            "momentum": None if groups is None else groups.momentum,
            "least_momentum": None if groups is None else groups.least_momentum,
            "groups": [] if groups is None else [[base.lr_ratio, base.decay_ratio] for base in groups.bases],
            "snapshots": self._snapshots.possible,
            "processes": ranks.size(),
            "device": self._device(),
            "files": own_files(),
            "reads": self._reads,
        }

    def _device(self) -> str:
        parameters = self._model.parameters() if isinstance(self._model, nn.Module) else ()
        if self._groups is not None:
            parameters = (one for group in self._groups.optimizer.param_groups for one in group["params"])
        first = next(iter(parameters), None)
        if first is not None:
            return str(first.device.type)
        return "cuda" if gpu_is_used() else "cpu"


def own_files() -> dict[str, str]:
    """The user's own files that this process has imported, each with a hash of its contents."""
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py") and is_theirs(path):
            found[str(Path(path).resolve())] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return dict(sorted(found.items()))
