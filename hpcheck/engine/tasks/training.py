"""A task as the loop trains it: the general implementation of the protocol in `engine/training.py`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hpcheck.engine.distributed import team
from hpcheck.engine.distributed.team import Share
from hpcheck.engine.divergence import Levels
from hpcheck.engine.objectives import arithmetic, batchnorms, bn_batches, fresh_statistics
from hpcheck.engine.randomness import seed_all, seed_for
from hpcheck.engine.tasks.batches import Epochs, examples, moved, refuse_nothing, thinned
from hpcheck.engine.tasks.evaluation import Evaluated, evaluated
from hpcheck.engine.tasks.load import Loaders, OfTask, Task
from hpcheck.engine.tasks.shared import RANK_SEED, average_gradients, joined, mean_loss, shared_out
from hpcheck.engine.training import STEP_SEED, Training
from hpcheck.models.init import reinitialize
from hpcheck.optimizers.groups import parameter_groups
from hpcheck.plugins import find
from hpcheck.plugins.undisturbed import undisturbed
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.outcomes import packed
from hpcheck.runs.spec import RunSpec


@dataclass
class TaskTraining(Training):
    """A model, its loaders and what a task computes with them."""

    task: Task
    loaders: Loaders
    batches: Epochs
    evaluated_on: Any  # the validation loader, or the fixed part of it that rows are measured on
    where: torch.device

    @property
    def device(self) -> torch.device:
        return self.where

    def update(self, step: int) -> Tensor:
        """What a training step draws (dropout, sampling, mixing) is a function of (seed, step), as it is with arrays."""
        batch, share = self._batch(step), self.batches.weight(step)
        seed_all(self.where, self.spec.seed * STEP_SEED + step + RANK_SEED * team.rank())
        self.optimizer.zero_grad(set_to_none=True)
        with arithmetic(self.where, self.spec.precision):
            loss = self.task.training_step(self.model, batch)
        (loss if share == 1.0 else loss * share).backward()  # type: ignore[no-untyped-call]
        average_gradients(self.task.name, self.model.parameters())
        self.task.before_update(self.model)
        self.optimizer.step()
        return mean_loss(loss, share)

    def evaluate(self, step: int) -> tuple[float, float]:
        with arithmetic(self.where, self.spec.precision):
            found = self._evaluated(self.evaluated_on, step)
        return found.loss, found.metric

    def first_loss(self) -> float:
        """Of each batch by itself, in evaluation mode: the mean of them."""
        with arithmetic(self.where, self.spec.precision), self._fresh_batchnorm(0):
            self.model.eval()
            losses = [self._first_loss(step) for step in range(self.levels.batches)]
            self.model.train()
        return sum(losses) / len(losses)

    def _first_loss(self, step: int) -> float:
        batch = self._batch(step)
        return float(mean_loss(self.task.training_step(self.model, batch), self.batches.weight(step)))

    def final_figures(self) -> dict[str, Any]:
        """In fp32 always, over the whole of each split."""
        splits = {"val": self.loaders.val, "test": self.loaders.test}
        figures: dict[str, Any] = {}
        for name in self.spec.finally_on:
            loader = splits[name]
            if loader is None:
                continue
            found = self._evaluated(loader, self.spec.steps)
            figures[name] = {"loss": found.loss, "metric": found.metric, "examples": examples(loader) or round(found.count)}
            if name == "val" and self.spec.outcomes:
                each = {"loss": found.losses, "metric": found.scores}
                figures["outcomes"] = {of: packed(values) for of, values in each.items() if values is not None}
        return figures

    def at_size(self, size: int) -> "TaskTraining":
        loaders = shared_out(self.task, self.task.loaders(size, self.spec.seed))
        batches = Epochs(self.task.name, loaders.train, self.spec.seed)
        return replace(self, spec=replace(self.spec, total_batch_size=size), loaders=loaders, batches=batches, share=Share(size, 1))

    def has_batches_of(self, size: int) -> bool:
        count = examples(self.loaders.train)
        return count is None or size <= count

    def refuse_not_a_number(self, *losses: float) -> None:
        if any(loss != loss for loss in losses):
            raise UsersCodeError(
                "the loss is NaN before the first update, so no learning rate is at fault: "
                f"look at the steps of task {self.task.name}, its model and its data"
            )

    def state(self) -> dict[str, Any]:
        return {**super().state(), **self.task.state()}

    def put(self, state: Mapping[str, Any]) -> None:
        super().put(state)
        self.task.put(state)

    def _batch(self, step: int) -> Any:
        batch = self.batches.batch(step)
        refuse_nothing(self.task.name, "training", batch)
        return moved(batch, self.where)

    def _evaluated(self, loader: Any, step: int) -> Evaluated:
        """Every evaluation of a run draws the same random numbers, where it draws any: what differs is the model."""
        with self._fresh_batchnorm(step):
            seed_all(self.where, seed_for("evaluation", self.spec.seed))
            return evaluated(self.task, self.model, loader, self.where)

    @contextmanager
    def _fresh_batchnorm(self, step: int) -> Iterator[None]:
        """BatchNorm statistics over the training batches just before `step`, as arrays have them; by the task's own training step."""

        def pass_batches() -> None:
            with torch.enable_grad():  # a training step may ask for gradients itself
                for index in range(bn_batches(self.spec.total_batch_size, step)):
                    seed_all(self.where, seed_for("statistics", self.spec.seed, index))
                    self.task.training_step(self.model, self._batch(max(step - 1 - index, 0)))

        with fresh_statistics(self.model, pass_batches):
            yield


def prepare(spec: RunSpec, data: OfTask) -> TaskTraining:
    """Model, optimizer and loaders of a run before its first update."""
    task = data.begin()
    model = task.build(spec.seed)
    if spec.init is not None:
        reinitialize(model, spec.init, spec.seed)
    model = model.to(data.device)
    loaders = joined(task, model, task.loaders(spec.total_batch_size, spec.seed))
    kept = bn_batches(spec.total_batch_size) if batchnorms(model) else 1
    return TaskTraining(
        spec=spec,
        model=model,
        optimizer=optimizer_of(task, model, spec),
        share=Share(spec.total_batch_size, 1),
        levels=Levels(spec.total_batch_size),
        task=task,
        loaders=loaders,
        batches=Epochs(task.name, loaders.train, spec.seed, kept),
        evaluated_on=thinned(loaders.val, spec.eval_size),
        where=data.device,
    )


def optimizer_of(task: Task, model: nn.Module, spec: RunSpec) -> torch.optim.Optimizer:
    """The task's own optimizer, else the config's over the model's parameters."""
    if task.has_optimizer:
        return task.optimizer(model)
    makes = find.load("optimizers", spec.optimizer.name)
    with undisturbed():
        made: torch.optim.Optimizer = find.call(spec.optimizer.name, makes, parameter_groups(model), **dict(spec.optimizer.options))
    return made
