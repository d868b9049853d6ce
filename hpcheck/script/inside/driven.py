"""A launched script's side of its job: what the calls of `hpcheck.script.api` do there, and the describe launch's course."""

import os
import re
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from hpcheck.script.inside import opened
from hpcheck.script.inside.follower import Follower
from hpcheck.script.inside.groups import Groups, unwrapped
from hpcheck.script.job import FOLLOWING, Pulse, ScriptError, read_job, tell
from hpcheck.script.kinds import Evaluate, State

DRIVER = "HPCHECK_DRIVER"  # the process id of the command
LESS_IS_BETTER = re.compile(  # ours: a metric of such a name that is taken as "higher" would have the worst training chosen
    r"(val(idation)?[ _-])?(loss|error([ _-]rate)?|nll|perplexity|ppl|bits?|bp[cb]|r?mse|mae|wer|cer|fid|(cross[ _-]?)?entropy)",
    re.IGNORECASE,
)
SHARDED = {"FullyShardedDataParallel", "FSDPModule", "DeepSpeedEngine"}


class Driven:
    """The one job of this process."""

    def __init__(self, folder: Path) -> None:
        self.job, self.folder, self.pulse = read_job(folder), folder, Pulse(folder)
        self.asked: set[str] = set()
        self.own_batch_size: int | None = None
        self._follower: Follower | None = None
        opened.begin()
        self._hook = sys.excepthook
        sys.excepthook = self._told
        _end_with_the_driver()

    def seed(self) -> int:
        """The run's own; a fork takes a fresh one, for the order of its data is not continued."""
        self.asked.add("seed")
        return self.job.seed

    def total_batch_size(self, default: int) -> int:
        if self.own_batch_size not in (None, int(default)):
            raise ScriptError(
                f"hpcheck.total_batch_size was given {self.own_batch_size} and then {default}: it is asked for the training batches alone; "
                "a validation loader keeps its own size"
            )
        self.asked.add("total_batch_size")
        self.own_batch_size = int(default)
        return self.job.total_batch_size or int(default)

    def follow(
        self,
        optimizer: Any,
        evaluate: Evaluate,
        *,
        model: Any,
        state: State | None,
        train_examples: int | None,
        val_examples: int | None,
        metric: str,
        metric_is: str,
    ) -> Follower:
        """Begin to follow. Raises `ScriptError` for what cannot be followed."""
        from hpcheck.script.inside.courses import Run, Timing
        from hpcheck.script.inside.describing import Describing
        from hpcheck.script.inside.state import Snapshots

        if self._follower is not None:
            raise ScriptError("hpcheck.follow was called a second time: one run follows one training")
        if metric_is not in ("higher", "lower"):
            raise ScriptError(f'hpcheck.follow: metric_is is {metric_is!r}; expected "higher" or "lower"')
        if metric_is == "higher" and LESS_IS_BETTER.fullmatch(metric):
            raise ScriptError(f'hpcheck.follow: of a metric called {metric} less is better: give metric_is="lower"')
        if "total_batch_size" not in self.asked:
            raise ScriptError(
                "the batch size was not asked for: write hpcheck.total_batch_size(YOUR_OWN) where the script sets it, before hpcheck.follow"
            )
        _refuse_sharded(model)
        groups = None if optimizer is None else Groups(unwrapped(optimizer))
        given = {"train_examples": train_examples, "val_examples": val_examples}
        self._refuse_changed(groups, given)
        snapshots = Snapshots(model, None if groups is None else groups.optimizer, state)
        if self.job.mode == "describe":
            course: Any = Describing(self, groups, evaluate, {**given, "metric": metric, "metric_is": metric_is}, model, snapshots)
        elif self.job.mode == "time":
            course = Timing(self.job, self.folder, self.pulse)
        else:
            course = Run(self.job, self.folder, self.pulse, evaluate, val_examples, model, snapshots)
        self._follower = Follower(groups, course)
        self.pulse.beat(FOLLOWING, course.done)
        return self._follower

    def _refuse_changed(self, groups: Groups | None, given: dict[str, int | None]) -> None:
        """Raise `ScriptError` where this is not the training that the describe launch told of."""
        told = self.job.told
        if not told:
            return
        for name, value in given.items():
            if told.get(name) != value:
                raise ScriptError(f"{name} is {value} now, and was {told.get(name)} when the command looked; give the command again")
        if groups is not None and len(groups.bases) != len(told.get("groups", ())):
            raise ScriptError(f"{len(groups.bases)} parameter groups now, and {len(told.get('groups', ()))} when the command looked")

    def _told(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """The script's exception, for the driver; then as ever."""
        from hpcheck.script.failing import told_of

        tell(self.folder, "failed", {**told_of(error, trace), "update": self.pulse.updates, "rank": os.environ.get("RANK", "")})
        self._hook(kind, error, trace)


def _refuse_sharded(model: Any) -> None:
    found = SHARDED & {base.__name__ for base in type(model).__mro__}
    if found:
        raise ScriptError(f"hpcheck.follow: {found.pop()} cannot be followed yet; DDP can")


def _end_with_the_driver() -> None:
    """End this process at once when the driver has gone, however that ended."""
    given = os.environ.get(DRIVER)
    if given:
        threading.Thread(target=_watch, args=(int(given),), daemon=True).start()


def _watch(driver: int) -> None:
    while True:
        time.sleep(1.0)
        try:
            os.kill(driver, 0)
        except ProcessLookupError:
            os._exit(1)
        except PermissionError:
            return
