"""Runs that are computed together."""

from contextlib import ExitStack, closing

import torch

from hpcheck.engine.graphs.train import train_together
from hpcheck.engine.pool import worker
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.records import RecordWriter


def together(specs, folder, mode):
    """Records of `specs` computed together."""
    data = worker.on_device(specs[0].data, "cpu")[0]
    ids = [identify(spec) for spec in specs]
    with ExitStack() as stack:
        written = [
            stack.enter_context(closing(RecordWriter(folder / f"{run_id}.jsonl", run_id, spec, worker.environment(torch.device("cpu"), 1))))
            for run_id, spec in zip(ids, specs, strict=True)
        ]
        train_together(specs, data, written, folder, mode)
    return [records.read(folder / f"{run_id}.jsonl") for run_id in ids]
