"""The checklist at work: plan a step, run what is missing, repeat; read it; write what came out."""

from hpcheck.analysis.memory import Memory
from hpcheck.checklist import tensorboard as event_files
from hpcheck.checklist.data_facts import facts
from hpcheck.config import Config
from hpcheck.drawing import png
from hpcheck.engine.choose_engine import Engine, engine_of
from hpcheck.engine.distributed.ddp import join_outer
from hpcheck.recommendation import recommended
from hpcheck.report import page
from hpcheck.runs.directory import RunDirectory
from hpcheck.steps import batch
from hpcheck.steps.order import REPROBE, STEPS, Replays
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked, Decide, Missing
from hpcheck.terminal.progress import Progress

MOST_ROUNDS = 60  # ours: no step needs nearly so many; a step that does is broken, and says so instead of running for ever


class Checklist:
    """One config, its run directory and the workers: what the commands act on."""

    def __init__(self, config: Config, progress: Progress, tensorboard: bool = False) -> None:
        if tensorboard:
            event_files.refuse_without_tensorboard()
        self.tensorboard = tensorboard
        self.pool = engine(config)  # before the run directory: under a torchrun one process alone comes back from here
        self.runs = RunDirectory.of(config)
        self.runs.claim()
        self.progress = progress
        self._memory = Memory()
        self.asked = Asked(config, facts(config, self.runs.fingerprints))
        self.replays = Replays(self.asked, self.runs.find)
        self.runs.create(config)
        self._topics_before = recommended.topics_in(self.runs.recommended)

    def __enter__(self) -> "Checklist":
        self._memory.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.__exit__()
        self.pool.close()
        self.runs.release()

    def run_all(self) -> list[Reading]:
        """Every step of the checklist in order, then the training."""
        steps = [step for step in STEPS if step != REPROBE]  # training asks for that one itself
        return [reading for step in steps for reading in self.run_step(step)]

    def run_step(self, step: str) -> list[Reading]:
        """One step, from what the steps ahead of it recommended; training probes the lr again first where it may have moved."""
        if not self.replays.is_due(step):
            return []
        before = self.run_step(REPROBE) if step == "train" else []
        for name in self.replays.unfinished_before(step):
            self.progress.say(f"{step}: {name} was begun and not finished, so it has no say here; hpcheck {name} goes on with it")
        reading = self._read(step)
        self._draw(reading)
        self.write()
        for words in self._weights(reading):
            self.progress.say(words)
        return [*before, reading]

    def forget_step_times(self) -> None:
        """Have the batch step measure again; its runs are kept where as many iterations are equal time still."""
        self.runs.forget(batch.measurement(self.asked, self.replays.settings_before("batch")))

    def write(self) -> None:
        """The recommendation and the report, from all the readings there are."""
        readings = list(self.replays.readings())
        recommended.write(self.runs, self.asked, readings)
        page.write(self.runs, self.asked, readings)

    def _weights(self, reading: Reading) -> list[str]:
        """Where the weights of the first final training are, or why there are none; nothing of a step that trains none to the end."""
        run_id = next(iter(reading.results.get("recommended", {}).get("runs", ())), "")
        record = self.runs.by_id(run_id)
        if record is None or record.diverged:
            return []
        kept = {"the last": self.runs.records / f"{run_id}.pt", "the best by validation": self.runs.records / f"{run_id}.best.pt"}
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

    def _read(self, step: str) -> Reading:
        return self._answer(step, STEPS[step], self.replays.settings_before(step))

    def _answer(self, step: str, decide: Decide, settings: Settings) -> Reading:
        for _ in range(MOST_ROUNDS):
            outcome = self.replays.outcome(decide, settings)
            if isinstance(outcome, Reading):
                return outcome
            self._execute(step, outcome)
        raise RuntimeError(f"{step}: still asking for runs after {MOST_ROUNDS} rounds")

    def _execute(self, step: str, missing: Missing) -> None:
        jobs = list({self.runs.fingerprints.identify(spec): spec for spec in missing.specs}.items())
        with self.progress.watching(step, jobs, self.runs.records) as on_poll:
            self.pool.execute(jobs, self.runs.records, on_poll, missing.asked_at_once)


def engine(config: Config) -> Engine:
    """What computes runs where and how the section `run` says. Under an outer torchrun the first process alone returns."""
    run = config.run
    join_outer(run.device)
    return engine_of(run.engine, run.device, run.devices, run.jobs, run.threads, run.address, run.together)
