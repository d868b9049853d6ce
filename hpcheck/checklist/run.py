"""The checklist at work: plan a step, run what is missing, repeat; read it; write what came out."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpcheck.analysis.memory import Memory
from hpcheck.checklist import costs
from hpcheck.checklist import tensorboard as event_files
from hpcheck.checklist.data_facts import facts, with_metric
from hpcheck.config import Config
from hpcheck.drawing import png
from hpcheck.engine.choose_engine import Engine, engine_of
from hpcheck.engine.distributed.ddp import join_outer
from hpcheck.engine.pool.pool import Job, Pool
from hpcheck.recommendation import recommended
from hpcheck.recommendation.metric import Metric
from hpcheck.report import page, setting_plots
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.script import resolved
from hpcheck.script.engine import Launches
from hpcheck.steps import batch, lr_in_full
from hpcheck.steps.confirm_again import again
from hpcheck.steps.order import CONFIRM, REPROBE, STEPS, Replays, steps_of_run
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked, Decide, Missing
from hpcheck.tasks import resolved as tasks
from hpcheck.terminal.progress import Progress

MOST_ROUNDS = 60  # ours: no step needs nearly so many; a step that does is broken, and says so instead of running for ever


class Checklist:
    """One config, its run directory and the workers: what the commands act on."""

    def __init__(self, config: Config, progress: Progress, tensorboard: bool = False) -> None:
        if tensorboard:
            event_files.refuse_without_tensorboard()
        self.tensorboard = tensorboard
        self.pool = engine(config, progress.say)  # before the run directory: under a torchrun one process alone comes back from here
        self.runs = RunDirectory.of(config)
        self.runs.claim()
        self.progress = progress
        self._memory = Memory()
        with progress.loading(config.data.name if config.script is None else ""):
            self.asked = Asked(config, facts(config, self.runs.fingerprints))
        progress.metric = Metric.of(self.asked).named
        for words in self.asked.facts.remarks:
            progress.say(words)
        self.replays = Replays(self.asked, self.runs.find)
        self._note_metric()
        if isinstance(self.pool, Pool):
            self.pool.refuse_missing_device()
        self.runs.create(config)
        if self.asked.facts.found:
            progress.say(f"data: {self.asked.facts.found}")
        if self.asked.facts.unseen:
            progress.say(self.asked.facts.unseen)
        if config.script is not None:
            resolved.known(config)[0].save(self.runs.path)
        if config.task is not None:
            tasks.known(config)[0].save(self.runs.path)
        self._written: list[Reading] = []
        self._asked_for: set[str] = set()  # runs that this command has had made
        self._getting_ready: threading.Thread | None = None  # of what draws, beside the first runs
        self._topics_before = recommended.topics_in(self.runs.recommended)

    def __enter__(self) -> "Checklist":
        self._memory.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._memory.__exit__()
        self.pool.close()
        try:
            if kind is None and self._written:
                setting_plots.write(self.runs, self.asked, self._written)
        finally:
            self.runs.release()

    def run_all(self) -> list[Reading]:
        """Every step of the checklist in order, then the training."""
        steps = [step for step in steps_of_run(self.asked) if step != REPROBE]  # training asks for that one itself
        expected = [step for step in steps if step != lr_in_full.STEP or lr_in_full.is_short(self.asked)]
        self.progress.plans(expected, self._left_at)
        return [reading for step in steps for reading in self._run_or_leave_out(step)]

    def _left_at(self, step: str) -> float:
        """Training examples that may be left of a step and of those after it, as it begins."""
        left = costs.remaining(self.asked, self.runs.find)
        steps = list(left)
        return float(sum(left[one] for one in steps[steps.index(step) :])) if step in left else 0.0

    def _run_or_leave_out(self, step: str) -> list[Reading]:
        """A step of `run`; a look is left out where the share of the search is used up."""
        left_out = self.replays.left_out(step)
        return self.run_step(step, in_share=True) if left_out is None else [left_out]

    def run_step(self, step: str, in_share: bool = False) -> list[Reading]:
        """One step, from what the steps ahead of it recommended; training probes the lr again first where it may have moved. `in_share`: a
        look goes no further than the share of the search."""
        if not self.replays.is_due(step):
            return []
        before = self.run_step(REPROBE) if step == "train" else []
        if step == CONFIRM and self.replays.settings_before(CONFIRM).found is None:
            before = self.run_step(lr_in_full.STEP)
        for name in self.replays.unfinished_before(step):
            self.progress.say(f"{step}: {name} was begun but not finished, so it is not used here; hpcheck {name} goes on with it")
        reading = self._read(step, in_share)
        self._draw(reading)
        self.write()
        for words in self._weights(reading):
            self.progress.say(words)
        return [*before, reading]

    def run_short(self) -> list[Reading]:
        """The steps of `run` that come before full trainings."""
        steps = [step for step in steps_of_run(self.asked) if step not in (CONFIRM, "train")]
        return [reading for step in steps for reading in self._run_or_leave_out(step)]

    def confirm_again(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The recommendation as it comes out where that of `before` and the start are trained once each, instead of anew."""
        reading = self._answer(CONFIRM, again(before), self.replays.settings_before(CONFIRM))
        readings = [*self.replays.readings(before=CONFIRM), reading]
        return recommended.content(self.runs, self.asked, readings)

    def forget_step_times(self) -> None:
        """Have the batch step measure again; its runs are kept where as many iterations are equal time still."""
        self.runs.forget(batch.measurement(self.asked, self.replays.settings_before("batch")))

    def write(self) -> None:
        """The recommendation and the report, from all the readings there are."""
        self._written = list(self.replays.readings())
        recommended.write(self.runs, self.asked, self._written)
        page.write(self.runs, self.asked, self._written)

    def _weights(self, reading: Reading) -> list[str]:
        """Where the weights of the first final training are, or why there are none; nothing of a step that trains none to the end."""
        if reading.step != "train":
            return []
        run_id = next(iter(reading.results.get("recommended", {}).get("runs", ())), "")
        record = self.runs.by_id(run_id)
        if record is None or record.diverged:
            return []
        kept = {"the last": self.runs.weights(run_id), "the best by validation": self.runs.records / f"{run_id}.best.pt"}
        there = [f"{path} ({which})" for which, path in kept.items() if path.exists()]
        if there:
            return [f"weights of the first training: {', '.join(there)}"]
        record_path = self.runs.records / f"{run_id}.jsonl"
        return [f"no weights of the first training: its record was copied or made as a repeat; once {record_path} is gone it is made again"]

    def lost(self) -> list[str]:
        """In words: what recommended.yaml spoke of when the command began, and speaks of no longer."""
        return recommended.lost_words(self._topics_before, recommended.topics_in(self.runs.recommended))

    def look(self, name: str, decide: Decide, before: str) -> Reading:
        """A reading beside the checklist, from the settings that `before` would start from: drawn, but it sets nothing."""
        reading = self._answer(name, decide, self.replays.settings_before(before))
        self._draw(reading)
        return reading

    def _draw(self, reading: Reading) -> None:
        png.draw(reading.step, reading.panels, self.runs.plots)
        if self.tensorboard:
            event_files.write(self.runs, reading.step, reading.runs)

    def _read(self, step: str, in_share: bool) -> Reading:
        return self._answer(step, STEPS[step], self.replays.settings_before(step), in_share)

    def _answer(self, step: str, decide: Decide, settings: Settings, in_share: bool = False) -> Reading:
        for _ in range(MOST_ROUNDS):
            outcome = self.replays.outcome(decide, settings)
            if isinstance(outcome, Reading):
                return outcome
            if in_share and (left_out := self.replays.left_out(step)) is not None:
                return left_out
            self._execute(step, outcome, lambda: self._sure(decide, settings))
        raise RuntimeError(f"{step}: still asking for runs after {MOST_ROUNDS} rounds")

    def _sure(self, decide: Decide, settings: Settings) -> Sequence[Spec]:
        """What a step is certain to ask for later, by the records that there are now."""
        outcome = self.replays.outcome(decide, settings)
        return outcome.sure if isinstance(outcome, Missing) else ()

    def _execute(self, step: str, missing: Missing, sure: Callable[[], Sequence[Spec]] = lambda: ()) -> None:
        from_before = [spec for spec in missing.specs if isinstance(spec, RunSpec) and spec.parent not in self._asked_for]
        if gone := self.runs.forget_without_weights(from_before):
            self.progress.say(f"{step}: the weights of {'; '.join(gone)} are gone, so it is made again")
            return  # the step asks for it now
        jobs = self._jobs(missing.specs)
        if self._getting_ready is None:
            self._getting_ready = threading.Thread(target=png.get_ready, name="pictures", daemon=True)
            self._getting_ready.start()

        def ahead() -> list[Job]:
            certain = self._jobs(sure())
            self.progress.early(step, certain, self.runs.records)
            return certain

        self._asked_for.update(run_id for run_id, _ in jobs)
        with self.progress.watching(step, jobs, self.runs.records) as on_poll:
            self.pool.execute(jobs, self.runs.records, on_poll, missing.asked_at_once, ahead)
        self._note_unseeded()
        self._note_metric()

    def _jobs(self, specs: Sequence[Spec]) -> list[Job]:
        return list({self.runs.fingerprints.identify(spec): spec for spec in specs}.items())

    def _note_metric(self) -> None:
        """Judge by the loss, and say so, once runs were seen whose outputs no automatic metric fits."""
        completed = with_metric(self.asked.config, self.asked.facts, self.runs.records)
        if not completed.metric_fits and self.asked.facts.metric_fits:
            self.asked = replace(self.asked, facts=completed)
            self.replays = Replays(self.asked, self.runs.find)
            self.progress.metric = Metric.of(self.asked).named
            self.progress.say("data.metric: no automatic metric fits the outputs, so runs are judged by the loss; name one of your own")

    def _note_unseeded(self) -> None:
        """Have all readings say so once runs of a script were seen that no seed repeats."""
        config = self.asked.config
        if config.script is not None and self.asked.facts.seeded and not resolved.known(config)[0].seeded:
            resolved.known(config)[0].save(self.runs.path)
            self.asked = replace(self.asked, facts=replace(self.asked.facts, seeded=False))
            self.replays = Replays(self.asked, self.runs.find)


def engine(config: Config, say: Callable[[str], None] = lambda _: None) -> Engine:
    """What computes runs where and how the section `run` says. Under an outer torchrun the first process alone returns."""
    run = config.run
    if config.script is not None:
        launcher = resolved.launcher_of(config)
        return Launches(config.script, resolved.known(config)[0], run.jobs, run.threads, run.timeout, say, launcher)
    join_outer(run.device)
    return engine_of(run.engine, run.device, run.devices, run.jobs, run.threads, run.address, run.together)
