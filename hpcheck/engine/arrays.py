"""Arrays with a module, the fast way to train: whole batches from tensors on the device, a loss and a metric of outputs and targets."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hpcheck.data.prepare import stratified_subset
from hpcheck.engine.batches import BatchStream, Images, OnDevice
from hpcheck.engine.distributed import team
from hpcheck.engine.divergence import Levels
from hpcheck.engine.objectives import (
    Negated,
    Objective,
    arithmetic,
    by_example,
    evaluate,
    fresh_batchnorm,
    in_own_unit,
    objectives,
    predicted,
)
from hpcheck.engine.randomness import seed_all, tell_own_seed
from hpcheck.engine.training import STEP_SEED, Training, draws_random_numbers
from hpcheck.engine.user_files import declared
from hpcheck.engine.user_model import fitting_metric, refuse_not_a_number, refuse_other_than_module, refuse_what_does_not_fit
from hpcheck.models.init import reinitialize
from hpcheck.optimizers.groups import parameter_groups
from hpcheck.plugins import find
from hpcheck.plugins.undisturbed import undisturbed
from hpcheck.runs.outcomes import packed
from hpcheck.runs.spec import RunSpec

PART_SEED = 1 << 52  # ours: above every seed * 1_000_003 + step


@dataclass
class ArrayTraining(Training):
    """A network on arrays."""

    data: OnDevice
    batches: BatchStream
    loss: Objective
    metric: Objective
    evaluated_on: tuple[Images, Tensor]  # the fixed validation subset
    forward: nn.Module  # the model as a training step calls it: over several devices it averages the gradients
    random: bool  # whether a step may draw random numbers

    @property
    def device(self) -> torch.device:
        return self.data.device

    @property
    def judged_by_loss(self) -> bool:  # type: ignore[override]
        return isinstance(self.metric, Negated)

    def update(self, step: int) -> Tensor:
        """Dropout is a function of (seed, step), so that runs can continue anywhere."""
        seed = self.spec.seed * STEP_SEED + step if self.random else None
        return update(self, *self.batches.batch(step, self.share.rows), seed)

    def evaluate(self, step: int) -> tuple[float, float]:
        return evaluated(self, step, self.evaluated_on)

    def first_loss(self) -> float:
        rows = self.batches.indices(0, self.levels.batches)
        return evaluated(self, 0, (self.data.train_x[rows], self.data.train_y[rows]))[0]

    def final_figures(self) -> dict[str, Any]:
        return final_figures(self)

    def at_size(self, size: int) -> "ArrayTraining":
        spec = replace(self.spec, total_batch_size=size)
        batches = BatchStream(self.data, size, spec.seed, spec.data.augment)
        return replace(self, spec=spec, batches=batches, share=team.Share(size, spec.bn_splits))

    def apart(self) -> "ArrayTraining":
        return replace(self, forward=self.model)

    def refuse_not_a_number(self, *losses: float) -> None:
        refuse_not_a_number(self.spec, self.model, self.data, *losses)


def prepare(spec: RunSpec, data: OnDevice) -> ArrayTraining:
    """Model, optimizer and data stream of a run before its first update."""
    device = data.device
    seed_all(device, spec.seed)  # a builder may draw weights from numpy
    prepared = data.prepared
    builder = find.load("models", spec.model.name)
    watched = declared("model", spec.model.name, spec.reads) if find.is_users_own(spec.model.name) else nullcontext()
    with undisturbed(), watched:
        model: nn.Module = find.call(spec.model.name, builder, prepared.input_shape, prepared.outputs, **dict(spec.model.options))
    refuse_other_than_module(spec.model.name, model)
    tell_own_seed("model", spec.model.name, spec.seed)
    if spec.init is not None:
        reinitialize(model, spec.init, spec.seed)
    model = model.to(device)
    if data.is_image:
        model.to(memory_format=torch.channels_last)
    makes = find.load("optimizers", spec.optimizer.name)
    with undisturbed():
        optimizer = find.call(spec.optimizer.name, makes, parameter_groups(model), **dict(spec.optimizer.options))
    subset = torch.from_numpy(stratified_subset(prepared.val.y, spec.eval_size or len(prepared.val.y), 0)).to(device)
    loss, metric = objectives(spec.data.loss, spec.data.metric, prepared.task)
    metric = in_own_unit(fitting_metric(spec, model, data, loss, metric), spec.data.metric, data)
    batches = BatchStream(data, spec.total_batch_size, spec.seed, spec.data.augment)
    share, forward = team.joined(model, spec.total_batch_size, spec.bn_splits)
    if any(map(find.is_users_own, (spec.model.name, spec.data.loss, spec.data.metric))):
        refuse_what_does_not_fit(spec, model, data, loss, metric)
    return ArrayTraining(
        spec=spec,
        model=model,
        optimizer=optimizer,
        share=share,
        levels=Levels(spec.total_batch_size),
        data=data,
        batches=batches,
        loss=loss,
        metric=metric,
        evaluated_on=(data.val_x[subset], data.val_y[subset]),
        forward=forward,
        random=draws_random_numbers(model, spec),
    )


def update(training: ArrayTraining, x: Tensor, y: Tensor, seed: int | None = None) -> Tensor:
    """One optimizer step on this process's share of a batch; the training loss of the whole stays on the device.

    With `bn_splits` the share passes in equal parts. Random numbers, where `seed` allows any, are a function of it and of the part.
    """
    training.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=x.device)
    for piece in training.share.pieces(x, y):
        if seed is not None:
            reseed(x.device, seed + PART_SEED * piece.number)
        with piece.held_back(training.forward):
            with arithmetic(x.device, training.spec.precision):
                loss = training.loss(training.forward(piece.x), piece.y) * piece.weight
            loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    training.optimizer.step()
    return training.share.mean(total)


def evaluated(training: ArrayTraining, step: int, on: tuple[Images, Tensor]) -> tuple[float, float]:
    """Loss and metric on these examples after `step` updates, computed in the precision of the run."""
    spec = training.spec
    with arithmetic(training.device, spec.precision), fresh_batchnorm(training.model, training.batches, step, spec.bn_splits):
        return evaluate(training.model, *on, training.data, training.loss, training.metric)


def final_figures(training: ArrayTraining) -> dict[str, Any]:
    """Loss and metric over the whole of each split that the spec names, in fp32 always: `{"val": {...}, "test": {...}}`; and where the spec
    asks for them what each validation example came to, packed, as "outcomes"."""
    data = training.data
    splits = {"val": (data.val_x, data.val_y), "test": (data.test_x, data.test_y)}
    figures: dict[str, Any] = {}
    with fresh_batchnorm(training.model, training.batches, training.spec.steps, training.spec.bn_splits):
        for name in training.spec.finally_on:
            x, y = splits[name]
            if x is None or y is None:
                continue
            outputs = predicted(training.model, x, data)
            loss, metric = float(training.loss(outputs, y)), float(training.metric(outputs, y))
            figures[name] = {"loss": loss, "metric": metric, "examples": len(y)}
            if name == "val" and training.spec.outcomes:
                each = by_example(outputs, y, training.loss, training.metric)
                figures["outcomes"] = {of: packed(values.cpu().numpy()) for of, values in each.items()}
    return figures


def reseed(device: torch.device, number: int) -> None:
    """Seed torch's generators; on a CPU the one there is: with a CUDA build `torch.manual_seed` takes 0.2 ms, noting it for a GPU too."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)
