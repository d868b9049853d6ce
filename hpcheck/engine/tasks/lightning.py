"""A LightningModule with its LightningDataModule as a task: its hooks are called as a Trainer calls them, without one."""

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import nn

from hpcheck.engine.tasks.batches import leading
from hpcheck.engine.tasks.lightning_logs import Logs
from hpcheck.plugins import find
from hpcheck.plugins.user_errors import UsersCodeError

LIBRARY = ("lightning", "pytorch_lightning")  # the same library under its two names
AUTO, LOSS, STEP = "auto", "loss", "validation_step"
LOOK = 8  # ours: batch size of a look at what is logged
LESS = ("loss", "error", "err", "mae", "mse", "rmse", "perplexity", "ppl", "wer", "cer")  # metrics of which less is better end in these
# Hooks that change what a training computes, and that only a Trainer calls.
REFUSED = (
    "optimizer_step", "optimizer_zero_grad", "backward", "configure_gradient_clipping", "configure_callbacks", "configure_sharded_model",
    "on_fit_start", "on_train_start", "on_train_epoch_start", "on_train_epoch_end", "on_train_batch_start", "on_train_batch_end",
    "on_before_backward", "on_after_backward", "on_before_optimizer_step", "on_before_zero_grad",
    "on_validation_start", "on_validation_end", "on_validation_batch_start", "on_validation_batch_end",
    "on_save_checkpoint", "on_load_checkpoint", "transfer_batch_to_device", "on_before_batch_transfer", "on_after_batch_transfer",
)  # fmt: skip
REFUSED_OF_DATA = ("transfer_batch_to_device", "on_before_batch_transfer", "on_after_batch_transfer")
COUNTED = re.compile(r"self\.(current_epoch|global_step)\b")  # what a Trainer counts: without one it stays 0


class LightningTask:
    """What a task is asked for, answered by a LightningModule. `name` and `data` are where the two are found: classes, or functions that
    return them."""

    def __init__(self, name: str, data: str, options: dict[str, Any], metric: str = AUTO) -> None:
        self._name, self._data = name, data
        self._loss, self._given, self._direction = (options.pop(key, None) for key in (LOSS, "metric", "metric_is"))
        self._options, self._told = options, metric
        self._logs, self._steps = Logs(name), [0]
        self.remarks: list[str] = []
        self._made()  # what cannot be driven is said at once

    @cached_property
    def metric(self) -> str:
        """As the config names it, else the one value beside the loss that a validation step logs, else the loss."""
        return self._given or (self._told if self._told != AUTO else self._found_metric())

    @cached_property
    def metric_is(self) -> str:
        return self._direction or ("lower" if self.metric.lower().endswith(LESS) else "higher")

    def build(self) -> nn.Module:
        """A fresh module, set up as for a fit; what it logs is kept here."""
        module = self._made()
        self._logs.watch(module)
        self._call("configure_model", module.configure_model)
        self._call("setup", module.setup, "fit")
        built: nn.Module = module
        return built

    def optimizer(self, model: Any) -> torch.optim.Optimizer:
        """Its own optimizer. A scheduler is left out, and that is said: hpcheck's schedule takes its place."""
        optimizers, schedulers = parts(self._call("configure_optimizers", model.configure_optimizers))
        if len(optimizers) != 1:
            words = "no optimizer" if not optimizers else f"{len(optimizers)} optimizers"
            raise UsersCodeError(f"task.lightning: configure_optimizers of {self._name} gives {words}; hpcheck drives one")
        words = f"its scheduler ({', '.join(schedulers)}) is left out: hpcheck sets the learning rate"
        if schedulers and words not in self.remarks:
            self.remarks.append(words)
        optimizer: torch.optim.Optimizer = optimizers[0]
        return optimizer

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        """The loaders of its LightningDataModule at a batch size."""
        data = self._data_module(batch_size)
        data.prepare_data()
        data.setup("fit")
        train, val = data.train_dataloader(), data.val_dataloader()
        for which, loader in (("train", train), ("val", val)):
            if isinstance(loader, list | tuple | Mapping) or type(loader).__name__ == "CombinedLoader":
                raise UsersCodeError(f"task.data: {which}_dataloader of {self._data} gives several loaders; hpcheck drives one of each")
        if not overrides(data, "test_dataloader"):
            return train, val
        data.setup("test")
        return train, val, data.test_dataloader()

    def training_step(self, model: Any, batch: Any) -> Any:
        self._steps[0] += 1
        answer = self._step("training_step", model, batch, self._steps[0] - 1)
        return answer[LOSS] if isinstance(answer, Mapping) and LOSS in answer else answer

    def evaluate(self, model: Any, loader: Iterable[Any]) -> dict[str, Any]:
        """What its validation steps and hooks log, over the whole loader; the test loader goes through them too."""
        found = self._validated(model, loader)
        if self.metric not in found:
            raise UsersCodeError(f"task.metric: {self._name} logs {listed(found)} in validation, and not {self.metric}")
        return {"loss": found[self._name_of_loss(found)], "metric": found[self.metric], "count": max(self._logs.examples, 1)}

    def _validated(self, model: Any, loader: Iterable[Any]) -> dict[str, float]:
        self._logs.begin(model)
        model.on_validation_epoch_start()
        for number, batch in enumerate(loader):
            self._logs.batch(leading(batch) or 1)
            self._logs.returned(self._step(STEP, model, batch, number))
        model.on_validation_epoch_end()
        return self._logs.means(model)

    def _name_of_loss(self, found: Mapping[str, float]) -> str:
        """What the validation loss is called among what was logged: as the config says, else the one name that ends in "loss"."""
        names = [self._loss] if self._loss else [name for name in found if name.endswith(LOSS) and name != LOSS]
        names = names or [name for name in found if name == LOSS]  # returned by the step, or logged under that name
        if len(names) != 1 or names[0] not in found:
            raise UsersCodeError(
                f"task.loss: {self._name} logs {listed(found)} in validation; say which is the loss, such as loss: val_loss"
            )
        return str(names[0])

    def _found_metric(self) -> str:
        """By a validation of one batch."""
        model = self.build()
        model.eval()
        with torch.no_grad():
            found = self._validated(model, [next(iter(self.loaders(LOOK, 0)[1]))])
        loss = self._name_of_loss(found)
        others = [name for name in found if name not in (loss, LOSS)]
        if len(others) > 1:
            raise UsersCodeError(f"task.metric: {self._name} logs {listed(others)} in validation; say which is the metric")
        return others[0] if others else loss

    def _made(self) -> Any:
        """A module from its class or function. Raises `UsersCodeError` for what cannot be driven."""
        try:
            made = find.call(self._name, find.load("models", self._name), **self._options)
        except ModuleNotFoundError as error:
            if error.name in LIBRARY:
                raise UsersCodeError(
                    f"{self._name} imports {error.name}, which is not installed (pip install hpcheck[lightning])"
                ) from None
            raise
        if not any(base.__name__ == "LightningModule" for base in type(made).__mro__):
            raise UsersCodeError(f"task.lightning: {self._name} is a {type(made).__name__}; expected a LightningModule")
        where = f"task.lightning: {self._name}"
        refuse(made, REFUSED, where)
        if not made.automatic_optimization:
            raise UsersCodeError(f"{where} optimizes manually (automatic_optimization is False), which cannot be driven")
        missing = [step for step in ("training_step", STEP, "configure_optimizers") if not overrides(made, step)]
        if missing:
            raise UsersCodeError(f"{where} has no {missing[0]}")
        counted = COUNTED.search(source_of(type(made)))
        if counted:
            raise UsersCodeError(f"{where} uses {counted[0]}, which only a Trainer counts; have hpcheck drive your own script instead")
        return made

    def _data_module(self, batch_size: int) -> Any:
        """The LightningDataModule with this batch size: an argument of that name, else an attribute."""
        make = find.load("models", self._data)
        takes = "batch_size" in inspect.signature(make).parameters
        made = find.call(self._data, make, **({"batch_size": batch_size} if takes else {}))
        if not any(base.__name__ == "LightningDataModule" for base in type(made).__mro__):
            raise UsersCodeError(f"task.data: {self._data} is a {type(made).__name__}; expected a LightningDataModule")
        if not takes:
            if not hasattr(made, "batch_size"):
                raise UsersCodeError(f"task.data: {self._data} has neither an argument nor an attribute batch_size; hpcheck sets it")
            made.batch_size = batch_size
        refuse(made, REFUSED_OF_DATA, f"task.data: {self._data}")
        return made

    def _step(self, name: str, model: Any, batch: Any, number: int) -> Any:
        step = getattr(model, name)
        return self._call(name, step, *((batch, number) if len(inspect.signature(step).parameters) > 1 else (batch,)))

    def _call(self, name: str, function: Any, *given: Any) -> Any:
        """What a hook answers. Raises `UsersCodeError` where it asks for the Trainer that there is none of."""
        try:
            return function(*given)
        except RuntimeError as error:
            if "is not attached to a" in str(error):
                raise UsersCodeError(
                    f"task.lightning: {name} of {self._name} uses self.trainer, and hpcheck drives without a Trainer"
                ) from None
            raise


def parts(given: Any) -> tuple[list[Any], list[str]]:
    """The optimizers that `configure_optimizers` gives in one of its many forms, and the names of its schedulers."""
    if given is None:
        return [], []
    if isinstance(given, torch.optim.Optimizer):
        return [given], []
    if isinstance(given, Mapping):
        scheduler = given.get("lr_scheduler")
        return [given["optimizer"]], [] if scheduler is None else [_name_of(scheduler)]
    if len(given) == 2 and isinstance(given[0], list | tuple):
        return list(given[0]), [_name_of(scheduler) for scheduler in given[1]]
    each = [parts(one) for one in given]
    return [one for optimizers, _ in each for one in optimizers], [one for _, names in each for one in names]


def _name_of(scheduler: Any) -> str:
    return type(scheduler["scheduler"] if isinstance(scheduler, Mapping) else scheduler).__name__


def overrides(made: Any, hook: str) -> bool:
    """Whether a hook is the user's own, not the library's."""
    library = next(base for base in type(made).__mro__ if base.__name__ in ("LightningModule", "LightningDataModule"))
    own, theirs = getattr(type(made), hook, None), getattr(library, hook, None)
    return own is not theirs and getattr(own, "__module__", "").split(".")[0] not in LIBRARY


def refuse(made: Any, hooks: Iterable[str], where: str) -> None:
    """Raise `UsersCodeError` for the first of these hooks that is the user's own."""
    found = next((hook for hook in hooks if overrides(made, hook)), None)
    if found:
        raise UsersCodeError(f"{where} has a hook {found}, which is not called here; have hpcheck drive your own script instead")


def source_of(kind: type) -> str:
    """The source of a class and of those that it is made of, as far as they are the user's; empty where there is none to be had."""
    found = []
    for base in kind.__mro__:
        if base.__module__.split(".")[0] in (*LIBRARY, "torch", "builtins", "abc") or base.__module__ not in sys.modules:
            continue
        try:
            found.append(inspect.getsource(base))
        except (OSError, TypeError):
            continue
    return "\n".join(found)


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
