"""Runs computed together, each with its own record as loop.py would have written it; how, is found by trying."""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from hpcheck.engine.arrays import ArrayTraining
from hpcheck.engine.batches import OnDevice
from hpcheck.engine.checkpoints import Checkpoints, stop_asked
from hpcheck.engine.divergence import CHECK_EVERY
from hpcheck.engine.graphs.grouping import BRANCHES, refusal, refusal_of
from hpcheck.engine.graphs.step import EAGER_STEPS, RefusedError, Together, refuse
from hpcheck.engine.loop import begin, finish, next_row, prepare
from hpcheck.engine.timing import is_out_of_memory
from hpcheck.engine.training import HowFar, Run
from hpcheck.errors import Stopped
from hpcheck.optimizers.groups import set_hyper
from hpcheck.runs import schedules
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec

PROBE_STEPS = 20  # ours: so many steps of each way are timed, and the fastest is taken
ONE_BY_ONE = "one by one"


@dataclass
class HowFarInGroup(HowFar):
    """How far a member has come; the time that all train is shared out evenly, evaluations are each one's own."""

    members: list["HowFarInGroup"] = field(default_factory=list)  # all of the group, itself included

    @property
    def train_seconds(self) -> float:
        evaluating = sum(member.eval_seconds for member in self.members)
        return (time.perf_counter() - self.started - evaluating) / len(self.members)


@dataclass
class Member:
    """One run of a group."""

    run: Run
    checkpoints: Checkpoints
    lrs: list[float]  # by step since `at_step`
    momenta: list[float]
    how: str  # for the record: by which mode, among how many
    ended: bool = False


def train_together(specs: Sequence[RunSpec], data: OnDevice, records: Sequence[RecordWriter], snapshots: Path, mode: str) -> str:
    """Run all `specs` from their beginning to their end or divergence by `mode` ("auto" tries which is fastest); returns what it was.

    Raises `RefusedError`, with no row written, where they cannot be computed together or one by one is as fast.
    """
    reason = refusal(specs) or refusal_of(specs[0])  # before anything of the user's runs
    if reason is not None:
        raise RefusedError(reason)
    refuse([prepared(specs[0], data, snapshots)])
    mode = fastest(specs, data, snapshots) if mode == "auto" else mode
    if mode == ONE_BY_ONE:
        raise RefusedError("one by one is as fast")
    trainings = [prepared(spec, data, snapshots) for spec in specs]
    together = Together(trainings, mode)
    members = _begin(trainings, records, snapshots, mode)
    spec, first = specs[0], specs[0].at_step
    if first == 0:
        for member in members:
            before = time.perf_counter()
            begin(member.run, member.lrs[0], member.momenta[0])
            member.run.at.eval_seconds = time.perf_counter() - before
    for training in trainings:
        training.model.train()
    for stop in _stops(spec):
        before = together.done
        together.advance(stop - first - before)
        latest = together.losses[:, before : together.done].cpu()  # the one wait for the device, for all members
        for member, losses in zip(members, latest, strict=True):
            if not member.ended:
                _look(member, losses, stop)
        going_on = [member for member in members if not member.ended]
        _save(going_on)
        if not going_on:
            break
    return mode


def prepared(spec: RunSpec, data: OnDevice, snapshots: Path) -> ArrayTraining:
    """A member at its first step."""
    training = prepare(spec, data, snapshots)
    assert isinstance(training, ArrayTraining)  # `refusal_of` lets nothing else in
    return training


def _stops(spec: RunSpec) -> list[int]:
    """The steps after which loop.py looks at the losses."""
    looks = {*range(CHECK_EVERY, spec.steps, CHECK_EVERY), *spec.evaluate_after, spec.steps}
    return sorted(step for step in looks if spec.at_step < step <= spec.steps)


def _begin(trainings: Sequence[ArrayTraining], records: Sequence[RecordWriter], snapshots: Path, mode: str) -> list[Member]:
    """Members at their first step; rows that an interrupted process left are cut."""
    all_at = [HowFarInGroup(training.spec.at_step) for training in trainings]
    members = []
    for training, record, at in zip(trainings, records, all_at, strict=True):
        record.keep(0)
        at.members = all_at
        count = training.spec.steps - training.spec.at_step
        lrs, momenta = (schedules.values(knots, count).tolist() for knots in (training.spec.lr, training.spec.momentum))
        how = f"{mode}, {len(all_at)} members" if len(all_at) > 1 else "one CUDA graph"
        run = Run(training=training, record=record, snapshots=snapshots, at=at)
        members.append(Member(run=run, checkpoints=Checkpoints(snapshots, record), lrs=lrs, momenta=momenta, how=how))
    return members


def _look(member: Member, losses: torch.Tensor, stop: int) -> None:
    """What loop.py does where it looks: divergence, a row, the end. `losses` are the member's since the last look."""
    run, training, at, spec = member.run, member.run.training, member.run.at, member.run.training.spec
    for loss in losses:
        at.stretch.append(loss)
        at.done += 1
        training.levels.add(loss)
    if stop % CHECK_EVERY == 0 or stop in spec.evaluate_after:
        member.ended = training.levels.diverged(at.stretch)
    lr, momentum = member.lrs[stop - spec.at_step - 1], member.momenta[stop - spec.at_step - 1]
    set_hyper(training.optimizer, lr, momentum, spec.weight_decay)  # for snapshots: as a run alone has them
    if stop in spec.evaluate_after or member.ended:
        run.record.row(**next_row(run, lr, momentum))
    if member.ended or stop == spec.steps:
        finish(run, member.ended, {"together": member.how})
        member.checkpoints.remove()
        member.ended = True


def _save(members: Sequence[Member]) -> None:
    """Checkpoints of all members when it is time; all of them at once, and `Stopped`, when asked to stop. Each then goes on alone."""
    if stop_asked():
        for member in members:
            member.checkpoints.save(member.run.training, member.run.at)
        if members:
            raise Stopped
    for member in members:
        member.checkpoints.step_done(member.run.training, member.run.at)


def fastest(specs: Sequence[RunSpec], data: OnDevice, snapshots: Path) -> str:
    """The way that makes `PROBE_STEPS` steps of all members soonest: as branches, or one by one."""
    if specs[0].steps - specs[0].at_step < 2 * (EAGER_STEPS + 1 + PROBE_STEPS):
        return ONE_BY_ONE  # the runs are hardly longer than the trial
    alone = len(specs) * _alone(specs[0], data, snapshots)
    seconds = math.inf
    try:
        together = Together([prepared(spec, data, snapshots) for spec in specs], BRANCHES)
        together.advance(EAGER_STEPS + 1)
        seconds = _timed(partial(together.advance, PROBE_STEPS), data)
        del together
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    give_back(data)
    return BRANCHES if seconds < alone else ONE_BY_ONE


def _alone(spec: RunSpec, data: OnDevice, snapshots: Path) -> float:
    """Seconds of `PROBE_STEPS` steps of one run by loop.py's own step."""
    training = prepared(spec, data, snapshots)
    set_hyper(training.optimizer, 0.0, 0.0, 0.0)

    def steps(count: int) -> None:
        for step in range(count):
            training.update(step)

    steps(EAGER_STEPS)
    return _timed(partial(steps, PROBE_STEPS), data)


def give_back(data: OnDevice) -> None:
    """Have what a group that is gone held of a GPU free for the next: it goes in circles, which wait to be collected."""
    gc.collect()
    if data.train_x.is_cuda:
        torch.cuda.empty_cache()


def _timed(work: Callable[[], None], data: OnDevice) -> float:
    """Seconds that `work` takes until the device has done it."""
    if data.train_x.is_cuda:
        torch.cuda.synchronize(data.train_y.device)
    before = time.perf_counter()
    work()
    if data.train_x.is_cuda:
        torch.cuda.synchronize(data.train_y.device)
    return time.perf_counter() - before
