"""Small runs of tasks, computed in this process."""

from pathlib import Path

import torch

from hpcheck.engine.pool import worker
from hpcheck.engine.tasks.load import OfTask
from hpcheck.runs import records
from hpcheck.runs.identity import Fingerprints
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import Spec, run_id


def identity(spec: Spec) -> str:
    """The run id of a task's run, as the driver has it once the task was looked at."""
    contents = worker.task_contents(OfTask.of(spec, torch.device("cpu")))
    return run_id(spec, contents, Fingerprints().users_source(spec))


def computed(spec: Spec, folder: Path) -> RunRecord:
    """The record of `spec`, made in `folder` by one thread."""
    name = identity(spec)
    worker.work(spec, name, folder, "cpu", 1)
    record = records.read(folder / f"{name}.jsonl")
    assert record is not None
    return record
