"""The training loop, top to bottom: one RunSpec to one record of raw curves. This file defines what a run computes."""

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpcheck.data.prepare import stratified_subset
from hpcheck.engine.batches import BatchStream, Images, OnDevice
from hpcheck.engine.checkpoints import Checkpoints
from hpcheck.engine.distributed import team
from hpcheck.engine.divergence import CHECK_EVERY, Levels
from hpcheck.engine.objectives import Negated, arithmetic, by_example, evaluate, fresh_batchnorm, in_own_unit, objectives, predicted
from hpcheck.engine.snapshots import load_snapshot
from hpcheck.engine.training import Run, Training, draws_random_numbers
from hpcheck.engine.user_files import declared
from hpcheck.engine.user_model import fitting_metric, refuse_not_a_number, refuse_other_than_module, refuse_what_does_not_fit
from hpcheck.models.init import reinitialize
from hpcheck.optimizers.groups import parameter_groups, set_hyper
from hpcheck.plugins import find
from hpcheck.plugins.user_errors import undisturbed
from hpcheck.runs import schedules
from hpcheck.runs.outcomes import packed
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec

PART_SEED = 1 << 52  # ours: above every seed * 1_000_003 + step
NOTHING: Mapping[str, Any] = {}


def prepare(spec: RunSpec, data: OnDevice, snapshots: Path) -> Training:
    """Model, optimizer and data stream of a run at its first step: fresh, or as its parent left them."""
    device = data.train_x.device
    torch.manual_seed(spec.seed)
    prepared = data.prepared
    builder = find.load("models", spec.model.name)
    watched = declared(spec.model.name, spec.reads) if find.is_users_own(spec.model.name) else nullcontext()
    with undisturbed(), watched:
        model: nn.Module = find.call(spec.model.name, builder, prepared.input_shape, prepared.outputs, **dict(spec.model.options))
    refuse_other_than_module(spec.model.name, model)
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
    training = Training(
        spec=spec,
        model=model,
        optimizer=optimizer,
        batches=batches,
        loss=loss,
        metric=metric,
        evaluated_on=(data.val_x[subset], data.val_y[subset]),
        forward=forward,
        share=share,
        levels=Levels(spec.total_batch_size),
    )
    if any(map(find.is_users_own, (spec.model.name, spec.data.loss, spec.data.metric))):
        refuse_what_does_not_fit(spec, model, data, loss, metric)
    if spec.parent is not None and share.is_first:  # the others are given what it has (`Checkpoints.resume`)
        training.levels.put(load_snapshot(snapshots / f"{spec.parent}.pt", model, optimizer, spec.at_step))
    return training


def train(spec: RunSpec, data: OnDevice, record: RecordWriter, snapshots: Path) -> None:
    """Run `spec` to its end or to its divergence, and go on where an interrupted process was.

    Args:
        spec: the run; steps count optimizer updates.
        data: what it trains and is evaluated on, on its device.
        record: gets a row at each evaluation, and the final figures.
        snapshots: the folder of weights, checkpoints and records.

    Raises:
        UsersCodeError: the user's model, loss or metric does not fit.
        Stopped: the run was asked to stop, and has left a checkpoint.
    """
    training, checkpoints = prepare(spec, data, snapshots), Checkpoints(snapshots, record)
    at = checkpoints.resume(training)
    run = Run(training=training, data=data, record=record, snapshots=snapshots, at=at)
    count = spec.steps - spec.at_step
    lrs, momenta = schedules.values(spec.lr, count), schedules.values(spec.momentum, count)
    evaluate_after, random, diverged = set(spec.evaluate_after), draws_random_numbers(training.model, spec), False
    training.model.train()

    if at.done == 0 and spec.parent is None:
        begin(run, lrs[0], momenta[0])
        at.eval_seconds = time.perf_counter() - at.started
    for step in range(at.done, spec.steps):
        lr, momentum = lrs[step - spec.at_step], momenta[step - spec.at_step]
        set_hyper(training.optimizer, lr, momentum, spec.weight_decay)
        seed = spec.seed * 1_000_003 + step if random else None  # dropout: a function of (seed, step), so that runs can continue anywhere
        at.stretch.append(update(training, *training.batches.batch(step, training.share.rows), seed))

        at.done = step + 1
        training.levels.add(at.stretch[-1])
        if at.done % CHECK_EVERY == 0 or at.done in evaluate_after:
            diverged = training.levels.diverged(at.stretch)
        if at.done in evaluate_after or diverged:
            record.row(**next_row(run, lr, momentum))
        if diverged:
            break
        checkpoints.step_done(training, at)

    finish(run, diverged)
    checkpoints.remove()


def begin(run: Run, lr: float, momentum: float) -> None:
    """What is evaluated before the first update: where the validation loss starts, as a row, and where the training loss does, where one
    batch says too little of it. Over the updates that as many batches make, a large lr has often diverged already."""
    training, data = run.training, run.data
    levels, batches = training.levels, training.batches
    if levels.batches > 1:
        rows = batches.indices(0, levels.batches)
        levels.begin(evaluated(training, data, 0, (data.train_x[rows], data.train_y[rows]))[0])
    if 0 in training.spec.evaluate_after:
        val_loss, value = evaluated(training, data, 0, training.evaluated_on)
        refuse_not_a_number(training.spec, training.model, data, levels.first if levels.batches > 1 else val_loss, val_loss)
        scheduled = {"step": 0, "lr": lr, "momentum": momentum}
        run.record.row(**scheduled, train_loss=math.nan, val_loss=val_loss, metric=value, seconds=0.0)


def next_row(run: Run, lr: float, momentum: float) -> dict[str, float]:
    """The evaluation after `run.at.done` updates, the last of them at this lr and momentum; the best weights are saved where wanted."""
    training, at = run.training, run.at
    before = time.perf_counter()
    val_loss, value = evaluated(training, run.data, at.done, training.evaluated_on)
    train_loss, at.stretch = float(torch.stack(at.stretch).mean()), []
    worth = value if training.spec.data.metric_is == "higher" else -value
    if training.spec.keep == "best" and worth > at.best and training.share.is_first:
        at.best = worth
        run.save_weights(f"{run.record.run_id}.best.pt")
    at.eval_seconds += time.perf_counter() - before
    scheduled = {"step": at.done, "lr": lr, "momentum": momentum}
    return {**scheduled, "train_loss": train_loss, "val_loss": val_loss, "metric": value, "seconds": round(at.train_seconds, 4)}


def finish(run: Run, diverged: bool, told: Mapping[str, Any] = NOTHING) -> None:
    """Final figures, weights where they are wanted, and the record's last line; `told` is added to it."""
    training, at = run.training, run.at
    train_seconds, before = at.train_seconds, time.perf_counter()
    final = {} if diverged else final_figures(training, run.data)
    at.eval_seconds += time.perf_counter() - before
    seconds = {"train_seconds": round(train_seconds, 4), "eval_seconds": round(at.eval_seconds, 4)}
    if training.spec.keep and not diverged:
        run.save_weights(f"{run.record.run_id}.pt")
    judged = {"judged_by": "loss"} if isinstance(training.metric, Negated) else {}  # no automatic metric fits the outputs
    run.record.finish("diverged" if diverged else "finished", {**seconds, "first_loss": training.levels.first, **final, **judged, **told})


def evaluated(training: Training, data: OnDevice, step: int, on: tuple[Images, Tensor]) -> tuple[float, float]:
    """Loss and metric on these examples after `step` updates, computed in the precision of the run."""
    spec = training.spec
    with arithmetic(data.train_x.device, spec.precision), fresh_batchnorm(training.model, training.batches, step, spec.bn_splits):
        return evaluate(training.model, *on, data, training.loss, training.metric)


def update(training: Training, x: Tensor, y: Tensor, seed: int | None = None) -> Tensor:
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


def final_figures(training: Training, data: OnDevice) -> dict[str, Any]:
    """Loss and metric over the whole of each split that the spec names, in fp32 always: `{"val": {...}, "test": {...}}`; and where the spec
    asks for them what each validation example came to, packed, as "outcomes"."""
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
