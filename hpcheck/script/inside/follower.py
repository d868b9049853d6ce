"""The follower: hooked into the user's optimizer, it sets hyper-parameters before each update and hands each update to its course."""

import math
from collections.abc import Iterator
from typing import Any, Protocol

from torch.optim.optimizer import register_optimizer_step_post_hook

from hpcheck.script.inside.groups import Groups
from hpcheck.script.inside.losses import Loss, taken
from hpcheck.script.inside.schedulers import outlast
from hpcheck.script.job import ScriptError
from hpcheck.script.kinds import Hyper, counted

EMPTY_EPOCHS = 3  # ours: epochs in which nothing happens, after which nothing will
NO_UPDATE, SURELY_NONE = 100, 10_000  # ours: losses without an update; a scaler of gradients skips some, 64 accumulated batches are many
Values = tuple[float, float, float]  # lr, momentum, weight decay


class Course(Protocol):
    """What is done with the updates of a script: one run, its description, a timing, a training by a recommendation."""

    done: int  # updates so far, counted as the run counts them

    def looped(self, kind: str, n: int) -> None: ...
    def begins(self) -> None: ...
    def values(self) -> Values | None: ...
    def updated(self, losses: list[Loss]) -> bool: ...
    def stuck(self) -> None: ...
    def ends(self) -> bool: ...


class Follower:
    """Follows one optimizer, or what the script tells of its updates where there is none."""

    active = True

    def __init__(self, groups: Groups | None, course: Course) -> None:
        self.groups, self.course = groups, course
        self.finished = False
        self._begun = self._ended = False
        self._losses: list[Loss] = []
        self.yielded = 0  # by `steps`
        self._at_epoch, self._empty = (-1, 0), 0  # updates and losses when the last epoch began, and how many were empty
        outlast()
        if groups is not None:
            self._set, self._check, self._optimizer = groups.set, groups.check, groups.optimizer
            groups.optimizer.register_step_pre_hook(self._before)
            groups.optimizer.register_step_post_hook(self._after)
            register_optimizer_step_post_hook(self._another)
            self._parameters = {id(one) for group in groups.optimizer.param_groups for one in group["params"]}

    def epochs(self, n: int) -> Iterator[int]:
        """The numbers of epochs, as long as the run goes on; `n` is your own number of them."""
        self.course.looped("epochs", n)
        return counted(n, self._another_epoch)

    def steps(self, n: int) -> Iterator[int]:
        """The numbers of updates, as long as the run goes on; `n` is your own number of them."""
        self.course.looped("steps", n)
        return counted(n, self._another_step)

    def loss(self, value: Any) -> None:
        """Take the training loss of a batch. It stays on its device; of accumulated batches the mean counts."""
        if self._ended:
            self._end()
        self._losses.append(taken(value))
        if len(self._losses) >= NO_UPDATE and not self.finished:
            self._look_at_losses()

    def step(self, loss: Any = None) -> None:
        """An update was made. For scripts without a torch optimizer alone: hooks count the others'."""
        if self.groups is not None:
            raise ScriptError(
                "hp.step is for scripts that gave optimizer=None to hpcheck.follow: the updates of an optimizer are counted already"
            )
        self._begin()
        if loss is not None:
            self.loss(loss)
        self._updated()

    def hyper(self) -> Hyper:
        """The hyper-parameters of the next update."""
        if self._ended:
            self._end()
        if self.groups is None:
            self._begin()
        values = self.course.values()
        return Hyper(*values) if values is not None else self.groups.now() if self.groups is not None else Hyper(None, None, None)

    def _before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._ended:
            self._end()
        if not self._begun:
            self._begin()
        values = self.course.values()
        if values is not None:
            self._set(*values)

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._check()
        self._updated()

    def _another(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """An update of any optimizer of the process."""
        if optimizer is self._optimizer or self.finished or self._ended or self._evaluating():
            return
        theirs = {id(one) for group in optimizer.param_groups for one in group["params"]}
        at = f"at update {self.course.done + 1}"
        if theirs & self._parameters:
            raise ScriptError(
                f"{at} another optimizer than the one given to hpcheck.follow changed the weights: it was made anew, or is a second one"
            )
        raise ScriptError(f"{at} a second optimizer, {type(optimizer).__name__}, made a step: several optimizers cannot be followed yet")

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.course.begins()

    def _updated(self) -> None:
        losses, self._losses = self._losses, []
        if not self.finished and self.course.updated(losses):
            self._end()

    def _look_at_losses(self) -> None:
        """Many losses and no update: a scaler that finds no finite gradient, or an optimizer that nobody steps."""
        if len(self._losses) % NO_UPDATE:
            return
        if not any(math.isfinite(float(loss)) for loss in self._losses[-NO_UPDATE:]):
            self.course.stuck()
            self._end()
        elif len(self._losses) >= SURELY_NONE:
            raise ScriptError(f"{len(self._losses)} losses were told and no update was made by the optimizer given to hpcheck.follow")

    def _end(self) -> None:
        """The run is over: the script ends, or goes on by itself to what it does after a training."""
        if self.course.ends():
            self._ended = True
            raise SystemExit(0)
        self.finished = True

    def _another_epoch(self) -> bool:
        """Whether there is another. Raises `ScriptError` where epochs go by and nothing is computed: it would go on so for ever."""
        if self.finished:
            return False
        now = self.course.done, len(self._losses)
        self._empty = self._empty + 1 if now == self._at_epoch else 0
        self._at_epoch = now
        if self._empty >= EMPTY_EPOCHS:
            raise ScriptError(
                f"{EMPTY_EPOCHS} epochs passed without an update or a loss: do the batches fit into the data (drop_last), and does the "
                "loop make its iterator anew in each epoch?"
            )
        return True

    def _another_step(self) -> bool:
        self.yielded += 1
        return not self.finished

    def _evaluating(self) -> bool:
        return bool(getattr(self.course, "evaluating", False))
