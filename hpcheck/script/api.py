"""What a user's own script calls. Imports nothing heavy, and does nothing where nobody drives and no recommendation is used."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hpcheck.script.kinds import Evaluate, Hyper, State

if TYPE_CHECKING:
    from hpcheck.script.inside.driven import Driven
    from hpcheck.script.inside.recommended import Recommended

SETTINGS = "HPCHECK_SETTINGS"


class Following(Protocol):
    """What `follow` returns."""

    @property
    def active(self) -> bool: ...
    def epochs(self, n: int) -> Any: ...
    def steps(self, n: int) -> Any: ...
    def loss(self, value: Any) -> None: ...
    def step(self, loss: Any = None) -> None: ...
    def hyper(self) -> Hyper: ...


class Idle:
    """A follower that nobody drives: the script is as it was."""

    active = False

    def epochs(self, n: int) -> range:
        """`range(n)`."""
        return range(n)

    def steps(self, n: int) -> range:
        """`range(n)`."""
        return range(n)

    def loss(self, value: Any) -> None:
        """Nothing."""

    def step(self, loss: Any = None) -> None:
        """Nothing."""

    def hyper(self) -> Hyper:
        """No values: your own stand."""
        return Hyper(None, None, None)


_used: list[Path] = []  # the recommendation that `use` named


def seed(default: int = 0) -> int:
    """The seed of this run, for `torch.manual_seed` and whatever else draws random numbers.

    Args:
        default: the seed where nobody drives and no recommendation is used.
    """
    if (driven := _driven()) is not None:
        return driven.seed()
    recommended = _recommended()
    return default if recommended is None else recommended.seed(default)


def total_batch_size(default: int) -> int:
    """The number of examples of one update, over all processes and accumulated batches together.

    Args:
        default: your own, used where nobody drives and no recommendation is used. It is what a search starts from.
    """
    if (driven := _driven()) is not None:
        return driven.total_batch_size(default)
    recommended = _recommended()
    return default if recommended is None else recommended.total_batch_size


def use(path: str | os.PathLike[str]) -> None:
    """Train with a recommendation: its seed, batch size, schedule and length. Call it before `seed`, `total_batch_size` and `follow`.

    Args:
        path: a recommended.yaml that `hpcheck` wrote. A driver is stronger than it; $HPCHECK_SETTINGS is stronger too.
    """
    _used[:] = [Path(path)]
    _recommended.cache_clear()


def follow(
    optimizer: Any,
    evaluate: Evaluate,
    *,
    model: Any = None,
    state: State | None = None,
    train_examples: int | None = None,
    val_examples: int | None = None,
    metric: str = "metric",
    metric_is: str = "higher",
) -> Following:
    """Have the training of this script followed: hyper-parameters are set before each update, and evaluations made where they are wanted.

    Args:
        optimizer: the torch optimizer, wrapped or not; None where the script updates by itself (then use `hyper` and `step`).
        evaluate: called without arguments; returns `(loss, metric)`, or a dict with `loss` and `metric`, and if you like `count`, `scores`
            and `losses` (one per example, in the same order each time), over the whole validation set.
        model: for BatchNorm statistics and snapshots.
        state: `(save, load)` instead of model and optimizer: `save()` returns tensors and plain values, `load(saved)` puts them back.
        train_examples: examples in an epoch, over all processes; not needed with `steps` or `budget.steps`.
        val_examples: examples that `evaluate` looks at; `count` of its result serves too.
        metric: what the second value is called.
        metric_is: "higher" or "lower", whichever is better.
    """
    given = {"model": model, "state": state, "train_examples": train_examples, "val_examples": val_examples}
    if (driven := _driven()) is not None:
        return driven.follow(optimizer, evaluate, metric=metric, metric_is=metric_is, **given)
    recommended = _recommended()
    return Idle() if recommended is None else recommended.follow(optimizer, train_examples)


def part_of_a_search() -> bool | None:
    """Whether this script is launched for a run of a search, which is ended after its last update; False for a training that goes on after
    it, or by a recommendation, and None where nobody drives."""
    if (driven := _driven()) is not None:
        return not driven.job.goes_on
    return None if _recommended() is None else False


@cache
def _driven() -> "Driven | None":
    """The job that this process was launched for."""
    from hpcheck.script.job import folder_of_job

    folder = folder_of_job()
    if folder is None:
        return None
    from hpcheck.script.inside.driven import Driven

    return Driven(folder)


@cache
def _recommended() -> "Recommended | None":
    """The recommendation that the environment or `use` names."""
    path = os.environ.get(SETTINGS) or next(iter(_used), None)
    if path is None:
        return None
    from hpcheck.script.inside.recommended import Recommended

    return Recommended(Path(path))
