"""A task of the user's own: made anew for each run, and each of its answers checked before anything uses it."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from hpcheck.engine.randomness import seed_all, tell_own_seed
from hpcheck.engine.tasks.words import described
from hpcheck.engine.user_files import declared
from hpcheck.optimizers.groups import ratios
from hpcheck.plugins import find
from hpcheck.plugins.undisturbed import undisturbed
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.spec import DataSpec, PartSpec, Spec
from hpcheck.runs.told import COUNT, shown

NEEDED = ("build", "loaders", "training_step")
SAME_IN_ALL_RUNS = 0  # seeds the constructor and `loaders`: what is split at random there is split alike, whatever a run's own seed
NO_METRIC = "loss"  # what the metric of a task without one is called: the loss judges


@dataclass(frozen=True)
class Loaders:
    """What a task gives its batches by."""

    train: Any
    val: Any
    test: Any = None


@dataclass(frozen=True)
class OfTask:
    """Where a task is found, and the device that it trains on. `begin` makes it anew: no run sees what another one left in it."""

    data: DataSpec
    model: PartSpec
    reads: tuple[str, ...]
    device: torch.device
    waits = True  # a step may wait for a loader's processes, for files and for the user's own threads

    @classmethod
    def of(cls, spec: Spec, device: torch.device) -> "OfTask":
        return cls(spec.data, spec.model, spec.reads, device)

    def begin(self) -> "Task":
        """The task of one run, as its constructor makes it."""
        name = self.model.name
        seed_all(torch.device("cpu"), SAME_IN_ALL_RUNS)
        with self._watched():
            if self.data.task == "lightning":
                from hpcheck.engine.tasks.lightning import LightningTask

                made: Any = LightningTask(name, self.data.name, dict(self.model.options), self.data.metric)
            else:
                made = find.call(name, find.load("models", name), **dict(self.model.options))
                _refuse_what_is_none(name, made)
        return Task(name, made, self.reads)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with undisturbed(), declared("task", self.model.name, self.reads):
            yield


class Task:
    """A user's task as the engine calls it. What it answers is checked, and what it lacks is said by name."""

    def __init__(self, name: str, made: Any, reads: Sequence[str] = ()) -> None:
        self.name, self.made, self._reads = name, made, reads

    @property
    def metric(self) -> str:
        """What its metric is called."""
        return str(getattr(self.made, "metric", NO_METRIC))

    @property
    def has_metric(self) -> bool:
        return hasattr(self.made, "metric")

    @property
    def metric_is(self) -> str:
        """Which values of it are better."""
        return str(getattr(self.made, "metric_is", "higher" if self.has_metric else "lower"))

    @property
    def remarks(self) -> list[str]:
        """What a person should know of how it is driven, one line each; a user's task may keep something else by that name."""
        given = getattr(self.made, "remarks", ())
        return [one for one in given if isinstance(one, str)] if isinstance(given, list | tuple) else []

    def own_count(self, name: str) -> int | None:
        """A number of examples that the task has as an attribute; None where it has none. Raises `UsersCodeError` for what is no count."""
        value = getattr(self.made, name, None)
        if value is None:
            return None
        try:
            count = operator.index(value)
        except TypeError:
            count = 0
        if not COUNT.fits(count):
            raise UsersCodeError(f"task {self.name}: {name} is {shown(value)}; expected {COUNT.words}")
        return count

    def build(self, seed: int) -> nn.Module:
        """The model with the initial weights of a seed."""
        seed_all(torch.device("cpu"), seed)
        with undisturbed(), declared("task", self.name, self._reads):
            model = self.made.build()
        tell_own_seed("task", self.name, seed)
        if not isinstance(model, nn.Module):
            raise UsersCodeError(f"task {self.name}: build returned {described(model)}; expected a torch.nn.Module")
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise UsersCodeError(f"task {self.name}: the model has no parameters to train")
        return model

    @cached_property
    def has_optimizer(self) -> bool:
        """Whether it makes an optimizer of its own."""
        return hasattr(self.made, "optimizer")

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Its own optimizer. Each parameter group keeps its ratio of lr and weight decay to the largest."""
        with undisturbed(), declared("task", self.name, self._reads):
            made = self.made.optimizer(model)
        _refuse_optimizer(self.name, made, model)
        for group, (lr_ratio, decay_ratio) in zip(made.param_groups, ratios(made.param_groups), strict=True):
            group["lr_mult"], group["decay_mult"] = lr_ratio, decay_ratio
        optimizer: torch.optim.Optimizer = made
        return optimizer

    def loaders(self, batch_size: int, seed: int) -> Loaders:
        """Its loaders at a batch size. Raises `UsersCodeError` for what cannot be iterated anew each epoch."""
        seed_all(torch.device("cpu"), SAME_IN_ALL_RUNS)
        with undisturbed():
            given = self.made.loaders(batch_size, seed)
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise UsersCodeError(f"task {self.name}: loaders returned {described(given)}; expected (train, val) or (train, val, test)")
        for which, loader in zip(("training", "validation", "test"), given, strict=False):
            if loader is not None or which != "test":
                _refuse_loader(self.name, which, loader)
        own = getattr(given[0], "batch_size", None)
        if isinstance(own, int) and own != batch_size:
            raise UsersCodeError(
                f"task {self.name}: loaders({batch_size}, {seed}) gave a training loader of batch size {own}; "
                "use the batch size that loaders is given"
            )
        return Loaders(*given)

    def training_step(self, model: nn.Module, batch: Any) -> Tensor:
        """The loss of a batch."""
        loss = self.made.training_step(model, batch)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise UsersCodeError(
                f"task {self.name}: training_step returned {described(loss)}; expected the loss, a tensor of one value (the batch's mean)"
            )
        if not loss.requires_grad and torch.is_grad_enabled():
            raise UsersCodeError(
                f"task {self.name}: the loss of training_step is without a gradient; take out what detaches it: detach(), no_grad(), item()"
            )
        return loss if loss.ndim == 0 else loss.reshape(())

    def before_update(self, model: nn.Module) -> None:
        """What is done between the backward pass and the optimizer's step, such as clipping of gradients; nothing where it says nothing."""
        if hasattr(self.made, "before_update"):
            self.made.before_update(model)

    @property
    def keeps_state(self) -> bool:
        """Whether it says what it keeps itself from step to step."""
        return hasattr(self.made, "state")

    def state(self) -> dict[str, Any]:
        """What it keeps itself from step to step, such as averages of weights; empty where it keeps nothing."""
        return {"task": self.made.state()} if self.keeps_state else {}

    def put(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state."""
        if "task" in state:
            self.made.load_state(state["task"])


def _refuse_what_is_none(name: str, made: Any) -> None:
    """Raise `UsersCodeError` for an object that is no task, and say what is missing."""
    if any(base.__name__ == "LightningModule" for base in type(made).__mro__):
        raise UsersCodeError(f"task {name} is a LightningModule; write task: {{lightning: {name}, data: pkg.module:DataModule}}")
    missing = [method for method in NEEDED if not callable(getattr(made, method, None))]
    if missing:
        raise UsersCodeError(f"task {name} has no {', '.join(missing)}; a task has build, loaders, training_step and validation_step")
    if not any(callable(getattr(made, method, None)) for method in ("validation_step", "evaluate")):
        raise UsersCodeError(f"task {name} has neither validation_step nor evaluate; one of them says how good the model is")
    if hasattr(made, "state") != hasattr(made, "load_state"):
        raise UsersCodeError(f"task {name} has one of state and load_state; a run that goes on needs both")
    if (direction := getattr(made, "metric_is", "higher")) not in ("higher", "lower"):
        raise UsersCodeError(f'task {name}: metric_is is {direction!r}; expected "higher" or "lower"')
    metric = getattr(made, "metric", NO_METRIC)
    if not isinstance(metric, str) or not metric.isprintable() or not metric.strip() or ":" in metric:
        raise UsersCodeError(f"task {name}: metric is {metric!r}; expected its name, such as 'accuracy'")


def _refuse_optimizer(name: str, made: Any, model: nn.Module) -> None:
    """Raise `UsersCodeError` for anything but one torch optimizer of the model's parameters whose lr and weight decay can be set."""
    if isinstance(made, list | tuple | dict):
        raise UsersCodeError(
            f"task {name}: optimizer returned {len(made)} objects; hpcheck drives one optimizer (with any parameter groups)"
        )
    if not isinstance(made, torch.optim.Optimizer):
        raise UsersCodeError(f"task {name}: optimizer returned {described(made)}; expected a torch optimizer")
    if isinstance(made, torch.optim.LBFGS):
        raise UsersCodeError(f"task {name}: LBFGS cannot be driven: it makes several evaluations an update and chooses its own step")
    lacking = [key for key in ("lr", "weight_decay") if any(key not in group for group in made.param_groups)]
    if lacking:
        raise UsersCodeError(f"task {name}: {type(made).__name__} has no {lacking[0]} in its parameter groups")
    known = {id(parameter) for parameter in model.parameters()}
    if not all(id(parameter) in known for group in made.param_groups for parameter in group["params"]):
        raise UsersCodeError(f"task {name}: the optimizer has parameters that are not the model's; put them all into the model of build")


def _refuse_loader(name: str, which: str, loader: Any) -> None:
    """Raise `UsersCodeError` for what gives no batches, or gives them once."""
    if isinstance(loader, Mapping) or not hasattr(loader, "__iter__"):
        raise UsersCodeError(f"task {name}: the {which} loader is {described(loader)}; expected something that gives batches when iterated")
    if iter_is_itself(loader):
        raise UsersCodeError(
            f"task {name}: the {which} loader is a {type(loader).__name__}, which is over after one epoch; "
            "give something that is iterated anew, such as a DataLoader or a list"
        )


def iter_is_itself(loader: Any) -> bool:
    """Whether something is an iterator: it has `__next__`, and can be gone through once."""
    return hasattr(loader, "__next__")
