"""The engine that launches the user's command: a launch a run, side by side on a CPU, its record written by the follower inside."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hpcheck.engine.pool import endings
from hpcheck.engine.pool.pool import MEMORY, MOST_RETRIES, POLL_SECONDS, Ahead, available_cores, cost, nothing, pays, shared
from hpcheck.engine.pool.threads import most_threads
from hpcheck.errors import RunFailedError
from hpcheck.runs import records
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec, to_dict
from hpcheck.script import outcome
from hpcheck.script.description import Description
from hpcheck.script.job import Job as Asked
from hpcheck.script.job import told
from hpcheck.script.launch import Launch, Launcher

LOOK_SECONDS = 0.05
CAUGHT_SECONDS = 10.0  # ours: so long may a script run on after it was told that it cannot be followed
FORK_SEED = 1_000_003  # a fork's seed is its parent's plus this times the step that it begins at
TIMED_ROUNDS = 2  # ours: launches of each batch size that is timed, in alternation
Job = tuple[str, Spec]


class Launches:
    """Runs of a user's command. Satisfies `engine.engines.Engine`."""

    def __init__(
        self,
        command: Sequence[str],
        description: Description,
        jobs: int | None,
        threads: int | None,
        limit: float,
        say: Callable[[str], None],
        launcher: Launcher | None = None,
    ) -> None:
        self.command, self.description, self.limit = list(command), description, limit
        self._launcher = launcher or Launcher(command)
        if description.device != "cpu" or (description.processes > 1 and not self._launcher.forks_ranks):
            self._launcher.by_itself()
        self._jobs, self._threads, self._say = jobs, threads, say
        self._most_threads = available_cores()
        self._running: dict[str, tuple[Launch, Spec]] = {}
        self._said: set[str] = set()
        self._since = time.time()

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        """Make all runs; the first failure ends the others and is raised. A launch that was killed is made again, half as many at once.
        What was begun `ahead` goes on after the return, and is waited for once it is asked for."""
        directory.mkdir(parents=True, exist_ok=True)
        self.description.refuse_changed()
        if self._threads is None:  # a script's steps are not timed: what others leave idle is taken
            self._most_threads = most_threads(directory, available_cores(), lambda most: most)
        try:
            for run_id, spec in jobs:
                if isinstance(spec, TimingSpec):
                    self._runs(self._under_way(), directory, on_poll, 1)  # nothing may run beside it
                    self._time(run_id, spec, directory, on_poll)
            runs = [(run_id, spec) for run_id, spec in jobs if isinstance(spec, RunSpec)]
            if runs:
                self._runs(runs, directory, on_poll, asked_at_once or len(runs), ahead)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End what runs. A run that is asked for again begins anew."""
        for launch, _ in self._running.values():
            launch.let_go()
        for launch, _ in self._running.values():
            launch.end()
        self._running = {}
        self._launcher.close()

    def _runs(
        self,
        jobs: Sequence[tuple[str, RunSpec]],
        directory: Path,
        on_poll: Callable[[], None],
        asked_at_once: int,
        ahead: Ahead = nothing,
    ) -> None:
        at_once, threads = self._share(asked_at_once)
        waiting = sorted([job for job in jobs if job[0] not in self._running], key=cost)
        lost: Counter[str] = Counter()
        specs, polled, under_way = dict(jobs), time.monotonic(), -1
        while waiting or specs.keys() & self._running.keys():
            while waiting and len(self._running) < at_once:
                self._begin(waiting.pop(), directory, threads)
            if len(self._running) not in (under_way, at_once) and self._same_threads_in_every_round():
                self._begin_early(ahead, [job for job in self._under_way() if job[0] in specs], directory, at_once, threads)
            under_way = len(self._running)
            time.sleep(LOOK_SECONDS)
            if time.monotonic() - polled >= POLL_SECONDS:
                on_poll()
                polled = time.monotonic()
            for run_id in self._killed(directory):
                lost[run_id] += 1
                if lost[run_id] > MOST_RETRIES:
                    raise RunFailedError(endings.words(outcome.named(self.command), (), MEMORY))
                at_once = max(1, at_once // 2)
                if run_id in specs:  # another is asked for later
                    waiting.append((run_id, specs[run_id]))
        on_poll()

    def _begin(self, job: tuple[str, RunSpec], directory: Path, threads: int) -> None:
        run_id, spec = job
        self._running[run_id] = (self._launcher.launch(self._asked(run_id, spec, directory, threads), threads, self.limit), spec)

    def _begin_early(self, ahead: Ahead, waited_for: Sequence[Job], directory: Path, at_once: int, threads: int) -> None:
        """Launch what is certain to be asked for, while there is room."""
        for run_id, spec in ahead():
            if isinstance(spec, TimingSpec) or run_id in self._running or len(self._running) >= at_once:
                continue
            if pays((run_id, spec), waited_for, directory):
                self._begin((run_id, spec), directory, threads)

    def _under_way(self) -> list[tuple[str, RunSpec]]:
        return [(run_id, spec) for run_id, (_, spec) in self._running.items() if isinstance(spec, RunSpec)]

    def _same_threads_in_every_round(self) -> bool:
        """Whether a run gets the same number of threads whenever it is begun, as `Pool` has it."""
        return self._threads is not None or self._most_threads == 1

    def _killed(self, directory: Path) -> list[str]:
        """The launches that were killed, of those that have ended since the last look. Raises what another one failed of."""
        killed = []
        for run_id, (launch, spec) in list(self._running.items()):
            code = launch.poll()
            if code is None:
                self._refuse_silent(launch, spec)
                continue
            output = launch.output()
            record = records.read(directory / f"{run_id}.jsonl")
            if record is not None:
                self._remark(record, launch, code, output)
            elif outcome.was_killed(code, output):
                killed.append(run_id)
            else:
                raise outcome.failure(self.command, launch.job, launch.folder, code, output, spec.label)
            launch.end()
            del self._running[run_id]
        return killed

    def _refuse_silent(self, launch: Launch, spec: Spec) -> None:
        """Raise where a launch hangs, or goes on although it was told that it cannot be followed."""
        if launch.is_silent():
            raise outcome.silent(self.command, launch.job, launch.folder, self.limit, spec.label)
        said = told(launch.folder, "refused")
        if said is not None and time.time() - float(said["at"]) > CAUGHT_SECONDS:
            raise outcome.failure(self.command, launch.job, launch.folder, 1, "", spec.label)

    def _remark(self, record: records.RunRecord, launch: Launch, code: int, output: str) -> None:
        """What people should know of a run that is complete."""
        name = outcome.named(self.command)
        if told(launch.folder, "caught") is not None:
            self._once(f"{name} catches SystemExit (`except BaseException`, or a bare `except`?), so its runs were ended without it")
        elif code != 0 and launch.job.goes_on:
            problem = outcome.failure(self.command, launch.job, launch.folder, code, output, "after the training")
            self._once(f"the training is complete and recorded, but its script failed afterwards: {problem}")
        if record.result.get("unseeded"):
            self.description.seeded = False
            self._once(
                f"{name} draws random numbers that hpcheck.seed does not set (or goes on from what an earlier run saved): two runs with "
                "one seed began with other losses, so comparisons are not paired, intervals are wider and confidence is lower"
            )

    def _once(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            self._say(words)

    def _share(self, asked_at_once: int) -> tuple[int, int]:
        """Launches at once, and the threads of each."""
        single = self.description.device == "cpu" and self.description.processes == 1
        at_once, threads = shared(available_cores(), "cpu", self._jobs or (None if single else 1), self._threads, asked_at_once)
        return at_once, self._threads or min(threads, self._most_threads)

    def _asked(self, run_id: str, spec: RunSpec, directory: Path, threads: int) -> Asked:
        return Asked(
            mode="run",
            seed=(spec.seed + FORK_SEED * spec.at_step) % 2**31,
            total_batch_size=spec.total_batch_size,
            run_id=run_id,
            records=str(directory.resolve()),
            spec=to_dict(spec),
            fingerprint=self.description.fingerprint,
            threads=threads,
            goes_on=bool(spec.finally_on and spec.keep) and not spec.label.startswith("start"),
            told=self.description.told,
            since=self._since,
        )

    def _time(self, run_id: str, spec: TimingSpec, directory: Path, on_poll: Callable[[], None]) -> None:
        """Time each size in alternating launches; a size that runs out of memory, and all above it, are too large."""
        threads = self._threads or min(available_cores(), self._most_threads)
        samples: dict[int, list[float]] = {}
        peaks: dict[int, int] = {}
        too_large, examples, started = math.inf, 0, time.perf_counter()
        for _ in range(TIMED_ROUNDS):
            for size in sorted(spec.batch_sizes):
                if size >= too_large:
                    continue
                found = self._timed(spec, size, threads, on_poll)
                if found is None:
                    too_large = size
                    continue
                samples.setdefault(size, []).extend(map(float, found["samples"]))
                peaks[size] = max(peaks.get(size, 0), int(found["peak_bytes"]))
                examples += size * int(found["updates"])
        sizes = [
            {"size": size, "seconds": statistics.median(times), "samples": times, "peak_bytes": peaks[size]}
            for size, times in samples.items()
            if size < too_large
        ]
        result = {
            "sizes": sizes,
            "too_large": [size for size in sorted(spec.batch_sizes) if size >= too_large],
            "train_seconds": time.perf_counter() - started,
            "examples": examples,
        }
        RecordWriter(directory / f"{run_id}.jsonl", run_id, spec, self.description.environment(threads)).finish("finished", result)

    def _timed(self, spec: TimingSpec, size: int, threads: int, on_poll: Callable[[], None], again: bool = True) -> dict[str, Any] | None:
        """One launch's answer; None where it ran out of memory. One that was killed may have been, or not: it is made once `again`."""
        job = Asked("time", seed=0, total_batch_size=size, threads=threads, told=self.description.told)
        launch = self._launcher.launch(job, threads, self.limit)
        self._running["timing"] = (launch, spec)
        label = f"timing batch size {size}"
        while (code := launch.poll()) is None:
            time.sleep(LOOK_SECONDS)
            on_poll()
            if launch.is_silent():
                raise outcome.silent(self.command, job, launch.folder, self.limit, label)
        found, output = told(launch.folder, "timed"), launch.output()
        if found is None and not outcome.ran_out(output) and not outcome.was_killed(code, output):
            raise outcome.failure(self.command, job, launch.folder, code, output, label)
        launch.end()
        del self._running["timing"]
        if found is None and again and not outcome.ran_out(output):
            return self._timed(spec, size, threads, on_poll, again=False)
        return found
