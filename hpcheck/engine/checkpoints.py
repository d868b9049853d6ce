"""Checkpoints: all that a run under way needs to go on exactly where it was, on disk every half minute and when it is asked to stop."""

import time
from pathlib import Path
from typing import Any

import torch

from hpcheck.engine.distributed import team
from hpcheck.engine.snapshots import read_sealed, sealed
from hpcheck.engine.training import HowFar, Training
from hpcheck.errors import Stopped
from hpcheck.runs.files import StorageError, naming, write_whole
from hpcheck.runs.records import RecordWriter
from hpcheck.terminal import stdout

FORMAT = 2  # 1 had one batch's loss for the start, and none of those before the last row
EVERY_SECONDS = 30.0  # ours: at most so much is computed twice after a crash; shorter runs write none
KEPT = 2  # the newest may be damaged
GO_ON, SAVE, STOP = range(3)  # what a process wants after a step


class Checkpoints:
    """The checkpoints of one run, in the folder of its record; gone when it is finished."""

    def __init__(self, folder: Path, record: RecordWriter) -> None:
        self._folder, self._record = folder, record
        self._next = time.monotonic() + EVERY_SECONDS

    def resume(self, training: Training) -> HowFar:
        """Put `training` where the newest checkpoint that can be used was, and cut the record there; else where the run begins.

        Of several processes the first one looks, and the others are put where it is.
        """
        how_far = self._resume(training) if team.is_first() else HowFar(training.spec.at_step)
        if team.size() == 1:
            return how_far
        team.put_as_first(training.model, training.optimizer)
        said = (how_far.done, how_far.best, [float(loss) for loss in how_far.stretch], how_far.eval_seconds, training.levels.state())
        done, best, stretch, eval_seconds, levels = team.told(said)
        training.levels.put(levels)
        device = training.device
        return HowFar(done, best, [torch.tensor(loss, device=device) for loss in stretch], eval_seconds, how_far.started)

    def _resume(self, training: Training) -> HowFar:
        """`resume` in the process that writes. What cannot be used is said once, on stderr, and removed: the run is about to write its
        own in those places."""
        unusable: dict[Path, Exception] = {}
        for path in reversed(self.found()):
            try:
                state = read_sealed(path)
                self._check(state)
            except (ValueError, StorageError) as problem:
                unusable[path] = problem
                continue
            how_far = _put(state, training, path)
            break
        else:
            state, how_far = {"rows": 0}, HowFar(training.spec.at_step)
        if unusable:
            path, why = next(iter(unusable.items()))
            stdout.tell(f"warning: {path}: cannot be used ({why}); the run goes on from step {how_far.done}")
        self._record.keep(state["rows"])
        self._remove(list(unusable))
        return how_far

    def step_done(self, training: Training, how_far: HowFar) -> None:
        """Save when it is time. Asked to stop, save at once and raise `Stopped`. Of several processes all do what one of them wants."""
        word = team.agreed(STOP if stop_asked() else SAVE if time.monotonic() >= self._next else GO_ON)
        if word == GO_ON:
            return
        before = time.perf_counter()
        if team.is_first():
            self.save(training, how_far)
        how_far.eval_seconds += time.perf_counter() - before
        self._next = time.monotonic() + EVERY_SECONDS
        if word == STOP:
            raise Stopped

    def save(self, training: Training, how_far: HowFar) -> None:
        """Write the state after `how_far.done` updates; the record reaches the disk before it, older checkpoints go after it."""
        self._record.sync()
        state = {
            "checkpoint": FORMAT,
            "run_id": self._record.run_id,
            "environment": self._record.environment,
            "rows": self._record.rows,
            **training.state(),
            "done": how_far.done,
            "best": how_far.best,
            "stretch": torch.stack(how_far.stretch).cpu() if how_far.stretch else torch.empty(0),
            "seconds": time.perf_counter() - how_far.started,
            "eval_seconds": how_far.eval_seconds,
            **training.levels.state(),
        }
        write_whole(self._folder / f"{self._record.run_id}.step{how_far.done:09d}.checkpoint", sealed(state))
        self._remove(self.found()[:-KEPT])

    def remove(self) -> None:
        """Remove all of them: the run is finished."""
        if team.is_first():
            self._remove(self.found())

    def found(self) -> list[Path]:
        """Those there are, in the order of their steps."""
        return sorted(self._folder.glob(f"{self._record.run_id}.step*.checkpoint"))

    def _remove(self, paths: list[Path]) -> None:
        for path in paths:
            with naming(path, "removed"):
                path.unlink(missing_ok=True)

    def _check(self, state: dict[str, Any]) -> None:
        """Raise `ValueError` unless the state is of this run, as it was begun here, with rows that the record still has."""
        if (state.get("checkpoint"), state.get("run_id")) != (FORMAT, self._record.run_id):
            raise ValueError("it is of another run, or of another version")
        if state["environment"] != self._record.environment:
            raise ValueError("it was made with another device, torch or number of threads")
        if state["rows"] > self._record.rows:
            raise ValueError("the record has fewer rows than it had then")


def _put(state: dict[str, Any], training: Training, path: Path) -> HowFar:
    try:
        training.put(state)
    except ValueError as error:
        raise StorageError(f"{path}: cannot be used; remove it ({error})") from error
    training.levels.put(state)
    stretch = list(state["stretch"].to(training.device).unbind())
    return HowFar(state["done"], state["best"], stretch, state["eval_seconds"], time.perf_counter() - state["seconds"])


_stop: list[bool] = []  # a list, for a signal's handler to append to: it may come at any time, even within itself


def ask_to_stop(*_: object) -> None:
    """Have the run that is under way save a checkpoint after its step and end: what SIGTERM does in a worker."""
    _stop.append(True)


def stop_asked() -> bool:
    return bool(_stop)
