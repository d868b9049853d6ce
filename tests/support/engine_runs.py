"""Small runs on the digits for tests of the engine, computed in this process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hpcheck.engine.pool import worker
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import Knots, constant, cut
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, TimingSpec, freeze

DIGITS = DataSpec("digits", val_fraction=0.25)  # 1,078 training examples: 22.5 batches of 48 in an epoch
MLP = PartSpec("mlp", freeze({"hidden": [16]}))
RUN = RunSpec(
    data=DIGITS,
    model=MLP,
    optimizer=PartSpec("sgd"),
    total_batch_size=48,
    steps=64,
    lr=Knots(((0, 0.015625), (32, 0.0625), (64, 0.125))),  # exact in binary, so that a cut schedule is the same to the bit
    momentum=Knots(((0, 0.875), (32, 0.75), (64, 0.5))),
    weight_decay=1e-3,
    evaluate_after=(0, 16, 32, 48, 64),
    eval_size=100,
)
STILL = constant(0.0)


def computed(spec: RunSpec | TimingSpec, folder: Path, device: str = "cpu") -> RunRecord:
    """The record of `spec`, made in `folder` by one thread."""
    run_id = identify(spec)
    worker.work(spec, run_id, folder, device, 1)
    record = records.read(folder / f"{run_id}.jsonl")
    assert record is not None
    return record


def in_two(whole: RunSpec, at_step: int, folder: Path) -> tuple[RunRecord, RunRecord]:
    """`whole`, stopped at `at_step` and continued from the snapshot taken there."""
    first = replace(whole, steps=at_step, evaluate_after=tuple(step for step in whole.evaluate_after if step <= at_step), keep="last")
    started = computed(first, folder)
    rest = replace(
        whole,
        parent=started.run_id,
        at_step=at_step,
        lr=cut(whole.lr, at_step),
        momentum=cut(whole.momentum, at_step),
        evaluate_after=tuple(step for step in whole.evaluate_after if step > at_step),
        keep="last",
    )
    return started, computed(rest, folder)


def curves(*found: RunRecord) -> list[dict[str, Any]]:
    """All rows in order, without the wall time; NaN as text, which equals itself."""
    rows = [row for record in found for row in record.rows]
    return [{key: str(value) for key, value in row.items() if key != "seconds"} for row in rows]


def weights(folder: Path, record: RunRecord, which: str = "") -> dict[str, torch.Tensor]:
    state = torch.load(folder / f"{record.run_id}{which}.pt", weights_only=True)["model"]
    return {name: value.clone() for name, value in state.items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
