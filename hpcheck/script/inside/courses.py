"""What is done with the updates of a launched script: one run with its record, or the time that updates take."""

import math
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from hpcheck import __version__
from hpcheck.engine.divergence import CHECK_EVERY
from hpcheck.runs import schedules
from hpcheck.runs.outcomes import packed
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec, basis, from_dict
from hpcheck.script.inside import ranks
from hpcheck.script.inside.evaluation import Evaluated, FreshBatchNorm, bn_begins, evaluated, gpu_is_used
from hpcheck.script.inside.examples import FROM, UNTIL, Examples
from hpcheck.script.inside.follower import Values
from hpcheck.script.inside.levels import LossLevels
from hpcheck.script.inside.losses import Loss, Losses
from hpcheck.script.inside.opened import FirstLoss
from hpcheck.script.inside.state import Snapshots
from hpcheck.script.job import ENDED, EVALUATING, FOLLOWING, UPDATES, Job, Pulse, ScriptError, tell

NAN_AT_FIRST = (
    "the evaluation gives a loss of NaN before the first update, so no learning rate is at fault: look at the model, the loss and the data"
)
WARM_UP, A_SAMPLE, FEWEST_SAMPLES = 3, 4, 2  # ours: updates before a timing, the fewest of a sample, and samples
SAMPLE_SECONDS, TIMED_SECONDS = 0.05, 0.5  # ours: a sample lasts so long, as the engine's do, and all of them together


class Common:
    """What every launched course has: how far it is, and the end of it."""

    evaluating = False

    def __init__(self, job: Job, folder: Path, pulse: Pulse) -> None:
        self.job, self.folder, self.pulse = job, folder, pulse
        self._cells = pulse.cells
        self.done = 0
        self.over = 0  # how often the script was told that it is over

    def looped(self, kind: str, n: int) -> None:
        """The script's loop of epochs or steps begins."""

    def begins(self) -> None:
        """Right before the first update."""
        ranks.refuse_apart()

    def values(self) -> Values | None:
        """The hyper-parameters of the next update; None: the script's own."""
        return None

    def updated(self, losses: list[Loss]) -> bool:
        """An update was made, with these losses of its batches; returns whether it was the last."""
        raise NotImplementedError

    def stuck(self) -> None:
        """No update is made any more, because no loss is finite."""
        raise ScriptError(f"after update {self.done} no loss is finite and no update is made")

    def ends(self) -> bool:
        """Whether the script is to end now. One that goes on although it was ended before has caught it: it ends at once."""
        self.over += 1
        if self.over > 1:
            import os

            tell(self.folder, "caught", {"update": self.done})
            os._exit(0)
        self.pulse.beat(ENDED, self.done)
        return not self.job.goes_on


class Run(Common):
    """One RunSpec, as `engine.loop` makes it, with the script's own updates and evaluations."""

    def __init__(
        self, job: Job, folder: Path, pulse: Pulse, evaluate: Callable[[], Any], val_examples: int | None, model: Any, snapshots: Snapshots
    ) -> None:
        super().__init__(job, folder, pulse)
        spec = from_dict(job.spec or {})
        assert isinstance(spec, RunSpec)
        self.spec, self.snapshots = spec, snapshots
        self._evaluate, self._val_examples = evaluate, val_examples
        self.done = self._first = spec.at_step
        count = spec.steps - spec.at_step
        self._lrs, self._momenta = schedules.values(spec.lr, count).tolist(), schedules.values(spec.momentum, count).tolist()
        self._values = [(lr, momentum, spec.weight_decay) for lr, momentum in zip(self._lrs, self._momenta, strict=True)]
        self._evaluations = set(spec.evaluate_after)
        self._batchnorm = FreshBatchNorm(model)
        begins = bn_begins(sorted(spec.evaluate_after), spec.at_step, spec.total_batch_size)
        self._fresh_from = begins if self._batchnorm.is_needed else set()
        self._stops = iter(self._all_stops(spec))
        self._next_stop = next(self._stops)
        self.levels = LossLevels(spec.total_batch_size)
        self._losses = Losses()
        self._first_loss = FirstLoss(job.told, job.since) if spec.parent is None else None  # None: it has been seen
        self._sum, self._count = 0.0, 0  # of all losses since the last row
        self._examples = Examples(spec.total_batch_size, ranks.size())
        self._record: RecordWriter | None = None
        self._best, self._eval_seconds, self._started = -math.inf, 0.0, time.perf_counter()
        self._unseeded = False
        self._last: Evaluated | None = None
        if spec.parent is not None:
            self.levels.put(snapshots.load(Path(job.records) / f"{spec.parent}.pt", spec.at_step))

    def begins(self) -> None:
        super().begins()
        self.snapshots.check()
        if self._first_loss is not None:
            self._first_loss.begins()
        elif not self._batchnorm.is_needed:
            self.snapshots.check_evaluation(self._evaluated().loss)
        if ranks.rank() == 0:
            path = Path(self.job.records) / f"{self.job.run_id}.jsonl"
            path.unlink(missing_ok=True)  # a script's run begins anew: what is inside it is not known
            self._record = RecordWriter(path, self.job.run_id, self.spec, self._environment())
        if 0 in self._evaluations:
            self._row(math.nan)
            if self._last is not None and math.isnan(self._last.loss):
                raise ScriptError(NAN_AT_FIRST)
        self._started, self._eval_seconds = time.perf_counter(), 0.0
        self._freshen()
        self.pulse.beat(FOLLOWING, self.done)

    def values(self) -> Values:
        at = self.done - self._first
        return self._values[at] if at < len(self._values) else self._values[-1]

    def _all_stops(self, spec: RunSpec) -> list[int]:
        """The updates after which anything is to be done but to count, in order: between them an update costs a few microseconds."""
        first, last = spec.at_step, spec.steps
        looks = range(first - first % CHECK_EVERY + CHECK_EVERY, last, CHECK_EVERY)
        counted = {first + FROM, first + UNTIL, first + 1, last}
        return sorted(at for at in {*looks, *self._evaluations, *self._fresh_from, *counted} if first < at <= last)

    def updated(self, losses: list[Loss]) -> bool:
        if not losses:
            raise ScriptError("an update was made and no loss told: call hp.loss(loss) before optimizer.step()")
        self.done = done = self.done + 1
        self._losses.add(losses)
        self._cells[UPDATES] = done
        return done == self._next_stop and self._stopped(done)

    def _stopped(self, done: int) -> bool:
        """What is to be done after this update; returns whether it was the last."""
        self._next_stop = next(self._stops, 0)
        if done <= self._first + UNTIL:
            self._examples.updated(done - self._first)
        is_row, is_last = done in self._evaluations, done == self.spec.steps
        diverged = False
        if is_row or is_last or done % CHECK_EVERY == 0 or done == self._first + 1:
            diverged = self._diverged(wait=is_row or is_last)
        if is_row or diverged:
            self._row(self._train_loss())
        self._freshen()
        if diverged or is_last:
            self._finish(diverged)
        return diverged or is_last

    def stuck(self) -> None:
        self.done = max(self.done, self.spec.at_step + 1)
        self._row(math.nan)
        self._finish(diverged=True)

    def _freshen(self) -> None:
        if self.done in self._fresh_from:
            self._batchnorm.begin()

    def _diverged(self, wait: bool) -> bool:
        """Look at the losses since the last look, as all processes have them."""
        losses = self._losses.look(wait)
        if self._first_loss is not None and losses:
            self._unseeded = self._first_loss.is_another(losses[0], self.spec.seed, self.spec.total_batch_size)
            self._first_loss = None
        self._sum, self._count = self._sum + sum(losses), self._count + len(losses)
        self.levels.add(losses)
        return self.levels.diverged()

    def _train_loss(self) -> float:
        found = self._sum / self._count if self._count else math.nan
        self._sum, self._count = 0.0, 0
        self.levels.row()
        return found

    def _row(self, train_loss: float) -> None:
        before = time.perf_counter()
        found = self._last = self._evaluated()
        worth = found.metric if self.spec.data.metric_is == "higher" else -found.metric
        if self.spec.keep == "best" and worth > self._best:
            self._best = worth
            self._save(".best.pt")
        self._eval_seconds += time.perf_counter() - before
        if self._record is None:
            return
        at = max(self.done - 1 - self.spec.at_step, 0)
        seconds = round(time.perf_counter() - self._started - self._eval_seconds, 4) if self.done else 0.0
        scheduled = {"step": self.done, "lr": self._lrs[at], "momentum": self._momenta[at], "train_loss": train_loss}
        self._record.row(**scheduled, val_loss=found.loss, metric=found.metric, seconds=seconds)
        self.pulse.beat(FOLLOWING, self.done)

    def _evaluated(self) -> Evaluated:
        """The user's evaluation, now."""
        self.pulse.beat(EVALUATING, self.done)
        self.evaluating, self._examples.paused = True, True
        found = evaluated(self._evaluate, self._val_examples)
        self._batchnorm.end()
        self.evaluating, self._examples.paused = False, False
        return found

    def _finish(self, diverged: bool) -> None:
        self._batchnorm.end()
        total = time.perf_counter() - self._started
        if self.spec.keep and not diverged:
            self._save(".pt")
        seconds = {"train_seconds": round(total - self._eval_seconds, 4), "eval_seconds": round(self._eval_seconds, 4)}
        final: dict[str, Any] = {}
        if "val" in self.spec.finally_on and not diverged and self._last is not None:
            last = self._last
            final["val"] = {"loss": last.loss, "metric": last.metric, "examples": last.count or self._val_examples}
            if self.spec.outcomes and last.each:
                final["outcomes"] = {of: packed(values) for of, values in last.each.items()}
        unseeded = {"unseeded": True} if self._unseeded else {}
        if self._record is not None:
            result = {**seconds, "first_loss": self.levels.first, **final, **unseeded}
            self._record.finish("diverged" if diverged else "finished", result)

    def _save(self, ending: str) -> None:
        if self.snapshots.possible and ranks.rank() == 0:
            val_loss = math.nan if self._last is None else self._last.loss
            self.snapshots.save(Path(self.job.records) / f"{self.job.run_id}{ending}", self.done, self.levels, val_loss)

    def _environment(self) -> dict[str, Any]:
        """What the record says of where it was made, as the engine's workers say it."""
        device = self.job.told.get("device", "cpu")
        on_gpu = device == "cuda" and torch.cuda.is_available()
        return {
            "hpcheck": __version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
            "device": device,
            "device_name": torch.cuda.get_device_name() if on_gpu else platform.machine(),
            "threads": torch.get_num_threads(),
            **({"devices": ranks.size()} if ranks.size() > 1 else {}),
            "data": self.job.fingerprint[:16],
            "identity": basis(self.job.fingerprint, ""),
        }


class Timing(Common):
    """How long updates take at this batch size, data loading included; nothing is learned meanwhile."""

    def __init__(self, job: Job, folder: Path, pulse: Pulse) -> None:
        super().__init__(job, folder, pulse)
        self._examples = Examples(job.total_batch_size or 1, ranks.size())
        self._begun = self._sample_from = 0.0
        self._in_sample = 0
        self._samples: list[float] = []

    def values(self) -> Values:
        return 0.0, 0.0, 0.0

    def updated(self, losses: list[Loss]) -> bool:
        self.done += 1
        self.pulse.beat(FOLLOWING, self.done)
        self._examples.updated(self.done)
        if self.done < WARM_UP:
            return False
        if self.done == WARM_UP:
            self._begun = self._sample_from = self._now()
            return False
        self._in_sample += 1
        if self._in_sample < A_SAMPLE or not self._agreed(time.perf_counter() - self._sample_from >= SAMPLE_SECONDS):
            return False
        now = self._now()
        self._samples.append((now - self._sample_from) / self._in_sample)
        self._sample_from, self._in_sample = now, 0
        if len(self._samples) < FEWEST_SAMPLES or not self._agreed(now - self._begun >= TIMED_SECONDS):
            return False
        if ranks.rank() == 0:
            tell(self.folder, "timed", {"samples": self._samples, "updates": self.done, **self._memory()})
        return True

    def _agreed(self, is_so: bool) -> bool:
        """The first process's word."""
        return bool(ranks.of_first([float(is_so)])[0])

    def _now(self) -> float:
        if gpu_is_used():
            torch.cuda.synchronize()
        return time.perf_counter()

    def _memory(self) -> dict[str, int]:
        import resource

        if gpu_is_used():
            return {"peak_bytes": torch.cuda.max_memory_allocated()}
        return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
