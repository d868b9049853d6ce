"""What a task told of itself when a worker looked at it, kept beside the records for commands that only look."""

import json
import time
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcheck.config import Config
from hpcheck.config.tasks import kind
from hpcheck.engine.pool import endings
from hpcheck.engine.pool.executor import Executor
from hpcheck.engine.pool.pool import MOST_RETRIES
from hpcheck.errors import InputError, RunFailedError
from hpcheck.files import plain_json
from hpcheck.files.regular import MIB, read_whole
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.files import write_whole
from hpcheck.runs.record_content import is_count
from hpcheck.runs.spec import DataSpec, PartSpec, TimingSpec, freeze
from hpcheck.runs.told import COUNT, FLAG, MOMENTUM, WORD, Kind, first_wrong, optional

FILE = "task.json"  # in the run directory: values only, checked before they are believed
OF_A_TASK = {
    "batches": optional(COUNT),
    "least_momentum": optional(MOMENTUM),
    "parameters": Kind(lambda value: is_count(value) and value > 0, "a whole number above 0"),
    "test": FLAG,
    "thinned": FLAG,
    "repeats": FLAG,
    "fingerprint": WORD,
    "remarks": Kind(lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value), "lines of text"),
}
END_SECONDS = 1.0  # ours: a worker that has answered is gone at once; one that was interrupted is not waited for
LOOKS = "the process that looked at the task"


@dataclass(frozen=True)
class Description:
    """`about` says which task it is of; `told` is what it told."""

    about: str
    told: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """What identifies its data."""
        return str(self.told["fingerprint"])

    @property
    def repeats(self) -> bool:
        """Whether its examples are the same twice with one seed."""
        return bool(self.told["repeats"])

    def save(self, folder: Path) -> None:
        """Keep it beside the records, for the next command."""
        write_whole(folder / FILE, json.dumps({"about": self.about, "told": self.told}, indent=1, sort_keys=True) + "\n")

    def words(self) -> str:
        """What the task is, in a line."""
        told = self.told
        groups = f", {len(told['groups'])} parameter groups" if len(told["groups"]) > 1 else ""
        examples = f"{told['train_examples']:,} training examples, " if told["train_examples"] else ""
        test = ", a test loader" if told["test"] else ""
        own = f", lr {told['lr']:g}, weight decay {told['weight_decay']:g}" if told["optimizer"] else ""
        better = f", {told['metric']} ({told['metric_is']} is better)" if told["metric"] != "loss" else ""
        return (
            f"{told['parameters']:,} parameters, {told['optimizer'] or 'the optimizer of the config'}{groups}, {examples}"
            f"{told['validation']:,} validation examples{test}, batch size {told['total_batch_size']}{own}{better}"
        )


def about(config: Config) -> str:
    """What a description is of: the config's task, and what else it depends on."""
    assert config.task is not None
    given = {"task": config.task.model_dump(mode="json"), "seed": config.seed, "batch": given_batch_size(config)}
    return json.dumps(given, sort_keys=True)


def given_batch_size(config: Config) -> int | None:
    """The config's own batch size; None where the task may say which."""
    return config.start.total_batch_size if "total_batch_size" in config.start.model_fields_set else None


def saved(folder: Path, config: Config) -> Description | None:
    """The description that lies in a run directory, where it is of this task."""
    try:
        content = plain_json.loads(read_whole(folder / FILE, MIB))
        found = Description(str(content["about"]), content["told"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if first_wrong(found.told, OF_A_TASK) is None and found.about == about(config) else None


def described(config: Config) -> tuple[Description, float]:
    """Have a worker look at the task; and the seconds that it took. Raises `UsersCodeError` for what cannot be driven."""
    started = time.monotonic()
    default = type(config.start).model_fields["total_batch_size"].default
    spec = TimingSpec(
        data=DataSpec(config.data.name, task=kind(config)),
        model=PartSpec(config.model.name, freeze(config.model.options())),
        optimizer=PartSpec(config.optimizer.name),
        batch_sizes=(),
        reads=config.model.reads,
    )
    _refuse_missing(config.model.reads)
    told = _asked(spec, config.run.device, given_batch_size(config), default, config.seed)
    if wrong := first_wrong(told, OF_A_TASK):
        raise UsersCodeError(f"task {config.model.name}: {wrong}")
    return Description(about(config), told), time.monotonic() - started


def _asked(*of_a_worker: Any) -> dict[str, Any]:
    """What a worker says of the task; another worker where one was killed."""
    codes: list[int] = []
    for _ in range(1 + MOST_RETRIES):
        executor = Executor(1, _start)
        try:
            return executor.ask(_described, *of_a_worker)
        except BrokenProcessPool:
            continue
        finally:
            codes = executor.end(END_SECONDS)
    raise RunFailedError(endings.words(LOOKS, codes, ""))


def _refuse_missing(reads: tuple[str, ...]) -> None:
    missing = [path for path in reads if not Path(path).exists()]
    if missing:
        raise InputError(f"task.reads: there is no file or folder {missing[0]}")


def _start() -> None:
    from hpcheck.engine.pool import worker

    worker.start()


def _described(spec: TimingSpec, device: str, batch_size: int | None, default: int, seed: int) -> dict[str, Any]:
    from hpcheck.engine.pool import worker

    return worker.described(spec, device, batch_size, default, seed)
