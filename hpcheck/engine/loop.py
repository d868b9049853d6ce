"""The training loop, top to bottom: one RunSpec to one record of raw curves. This file defines what a run computes."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hpcheck.engine import arrays
from hpcheck.engine.batches import OnDevice
from hpcheck.engine.checkpoints import Checkpoints
from hpcheck.engine.divergence import CHECK_EVERY
from hpcheck.engine.snapshots import load_snapshot
from hpcheck.engine.tasks import training as tasks
from hpcheck.engine.tasks.load import OfTask
from hpcheck.engine.training import Run, Training
from hpcheck.optimizers.groups import at_rest, moving, set_hyper
from hpcheck.runs import schedules
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec

Data = OnDevice | OfTask  # arrays for a module, or what a task of the user's own is made of
NOTHING: Mapping[str, Any] = {}


def prepare(spec: RunSpec, data: Data, snapshots: Path) -> Training:
    """Model, optimizer and data stream of a run at its first step: fresh, or as its parent left them."""
    training: Training = tasks.prepare(spec, data) if isinstance(data, OfTask) else arrays.prepare(spec, data)
    if spec.parent is not None and training.share.is_first:  # the others are given what it has (`Checkpoints.resume`)
        training.levels.put(load_snapshot(snapshots / f"{spec.parent}.pt", training.put, spec.at_step))
    return training


def train(spec: RunSpec, data: Data, record: RecordWriter, snapshots: Path) -> None:
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
    run = Run(training=training, record=record, snapshots=snapshots, at=at)
    count = spec.steps - spec.at_step
    lrs, momenta = schedules.values(spec.lr, count), schedules.values(spec.momentum, count)
    evaluate_after, diverged = set(spec.evaluate_after), False
    training.model.train()
    moving(training.optimizer)

    if at.done == 0 and spec.parent is None:
        begin(run, lrs[0], momenta[0])
        at.eval_seconds = time.perf_counter() - at.started
    for step in range(at.done, spec.steps):
        lr, momentum = lrs[step - spec.at_step], momenta[step - spec.at_step]
        set_hyper(training.optimizer, lr, momentum, spec.weight_decay)
        at.stretch.append(training.update(step))

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
    training, levels = run.training, run.training.levels
    if levels.batches > 1:
        levels.begin(training.first_loss())
    if 0 in training.spec.evaluate_after:
        val_loss, value = training.evaluate(0)
        training.refuse_not_a_number(levels.first if levels.batches > 1 else val_loss, val_loss)
        scheduled = {"step": 0, "lr": lr, "momentum": momentum}
        run.record.row(**scheduled, train_loss=math.nan, val_loss=val_loss, metric=value, seconds=0.0)


def next_row(run: Run, lr: float, momentum: float) -> dict[str, float]:
    """The evaluation after `run.at.done` updates, the last of them at this lr and momentum; the best weights are saved where wanted."""
    training, at = run.training, run.at
    before = time.perf_counter()
    with at_rest(training.optimizer):
        val_loss, value = training.evaluate(at.done)
        worth = value if training.spec.data.metric_is == "higher" else -value
        if training.spec.keep == "best" and worth > at.best and training.share.is_first:
            at.best = worth
            run.save_weights(f"{run.record.run_id}.best.pt")
    train_loss, at.stretch = float(torch.stack(at.stretch).mean()), []
    at.eval_seconds += time.perf_counter() - before
    scheduled = {"step": at.done, "lr": lr, "momentum": momentum}
    return {**scheduled, "train_loss": train_loss, "val_loss": val_loss, "metric": value, "seconds": round(at.train_seconds, 4)}


def finish(run: Run, diverged: bool, told: Mapping[str, Any] = NOTHING) -> None:
    """Final figures, weights where they are wanted, and the record's last line; `told` is added to it."""
    training, at = run.training, run.at
    train_seconds, before = at.train_seconds, time.perf_counter()
    with at_rest(training.optimizer):
        final = {} if diverged else training.final_figures()
        at.eval_seconds += time.perf_counter() - before
        seconds = {"train_seconds": round(train_seconds, 4), "eval_seconds": round(at.eval_seconds, 4)}
        if training.spec.keep and not diverged:
            run.save_weights(f"{run.record.run_id}.pt")
    judged = {"judged_by": "loss"} if training.judged_by_loss else {}  # no automatic metric fits the outputs
    run.record.finish("diverged" if diverged else "finished", {**seconds, "first_loss": training.levels.first, **final, **judged, **told})
