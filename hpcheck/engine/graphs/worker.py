"""What a worker does with several runs at once: computes them together, or one by one where that is refused or no faster."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import torch

from hpcheck.engine.batches import OnDevice
from hpcheck.engine.graphs.grouping import Job
from hpcheck.engine.graphs.step import RefusedError
from hpcheck.engine.graphs.train import train_together
from hpcheck.engine.pool import worker
from hpcheck.engine.timing import is_out_of_memory
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import RunSpec
from hpcheck.terminal import stdout


def work_together(jobs: Sequence[Job], directory: Path, device_name: str, threads: int, mode: str) -> None:
    """Compute all `jobs` by `mode` ("auto", "branches" or "compiled") and leave their finished records in `directory`.

    One alone is computed so on a GPU. A run that an interrupted process had begun goes on step by step, and all do where they cannot be
    computed together (said on stderr where a mode was asked for by name) or one by one is as fast.
    """
    alone = [(run_id, spec) for run_id, spec in jobs if any(directory.glob(f"{run_id}.step*.checkpoint"))]
    rest = [job for job in jobs if job not in alone]
    if len(rest) > (0 if device_name.startswith("cuda") else 1):
        try:
            _compute(rest, directory, device_name, threads, mode)
            rest = []
        except RefusedError as refused:
            if mode != "auto":
                stdout.tell(f"{_counted(rest)} one by one: {refused}")
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            stdout.tell(f"{_counted(rest)} one by one: together they do not fit in memory")
    for run_id, spec in [*alone, *rest]:
        worker.work(spec, run_id, directory, device_name, threads)


def _counted(jobs: Sequence[Job]) -> str:
    return "1 run" if len(jobs) == 1 else f"{len(jobs)} runs"


def _compute(jobs: Sequence[Job], directory: Path, device_name: str, threads: int, mode: str) -> None:
    torch.set_num_threads(threads)
    device = worker.resolve_device(device_name)
    specs = [spec for _, spec in jobs if isinstance(spec, RunSpec)]
    found = [worker.begun(spec, run_id, device, threads) for run_id, spec in jobs]
    data = found[0][0]  # members have their data in common
    assert isinstance(data, OnDevice)  # a task is never a member
    with ExitStack() as stack:
        records = [
            stack.enter_context(closing(RecordWriter(directory / f"{run_id}.jsonl", run_id, spec, begun_in)))
            for (run_id, _), spec, (_, begun_in) in zip(jobs, specs, found, strict=True)
        ]
        train_together(specs, data, records, directory, mode)
