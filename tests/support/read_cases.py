"""Curves written out as files in every format that `hpcheck read` knows, for its tests."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

from hpcheck.runs.records import RecordWriter
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec

SPEC = RunSpec(DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd"), 32, 400, constant(0.1), constant(0.9), 1e-3, (10, 400))


def falling(count: int = 40, end: float = 0.5, seed: int = 0, noise: float = 0.01) -> list[float]:
    """A loss that falls from 2.3 and is flat long before its end."""
    random = Random(seed)
    return [end + (2.3 - end) * math.exp(-8 * i / count) + random.gauss(0, noise) for i in range(count)]


def turning(count: int = 60, seed: int = 0) -> list[float]:
    """A loss that falls, is flat, and from two thirds on rises for good."""
    random = Random(seed)
    return [0.5 + 1.8 * math.exp(-12 * i / count) + 0.004 * max(0, i - 2 * count / 3) ** 2 + random.gauss(0, 0.01) for i in range(count)]


def noise(count: int = 40, seed: int = 0) -> list[float]:
    random = Random(seed)
    return [2.3 + random.gauss(0, 0.05) for _ in range(count)]


def csv(path: Path, losses: Sequence[float], **columns: Sequence[object]) -> Path:
    """iteration, val_loss and what else is given."""
    names = ["iteration", *columns, "val_loss"]
    rows = [",".join(map(str, [10 * (i + 1), *(values[i] for values in columns.values()), loss])) for i, loss in enumerate(losses)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


def ramp(count: int, low: float = 0.01, high: float = 0.6) -> list[float]:
    return [low + (high - low) * i / (count - 1) for i in range(count)]


def trainer_log(path: Path, losses: Sequence[float]) -> Path:
    """Lines as Hugging Face's trainer logs them: training and evaluation apart, a summary without a loss of its own at the end."""
    lines: list[dict[str, object]] = []
    for i, loss in enumerate(losses, start=1):
        for part in (0.5, 1):
            lines.append(
                {
                    "loss": loss - 0.1 * part,
                    "grad_norm": 1.0,
                    "learning_rate": 1e-4,
                    "epoch": i - 1 + part,
                    "step": int(10 * (i - 1 + part)),
                }
            )
        lines.append({"eval_loss": loss, "eval_accuracy": 1 - loss / 3, "eval_runtime": 1.0, "epoch": i, "step": 10 * i})
    lines.append({"train_runtime": 9.0, "train_loss": 0.7, "step": 10 * len(losses)})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def record(path: Path, losses: Sequence[float], status: str | None = "finished") -> Path:
    """A record as the engine writes it; without a status, one that was cut off."""
    writer = RecordWriter(path, "0123456789abcdef", SPEC, {})
    for i, loss in enumerate(losses, start=1):
        writer.row(step=10 * i, lr=0.1, momentum=0.9, train_loss=loss, val_loss=loss, metric=1 - loss / 3, seconds=1.0)
    if status is None:
        writer.close()
    else:
        writer.finish(status, {})
    return path


def caffe_log(path: Path, losses: Sequence[float], lr: Sequence[float], extra: str = "") -> Path:
    """A solver's log: parameters, then for each test the outputs, the training loss and the rates, in Caffe's order."""
    lines = [
        "I0321 00:34:45.346 1 solver.cpp:44] Initializing solver from parameters:",
        "base_lr: 0.1",
        "momentum: 0.9",
        "weight_decay: 0.0005",
    ]
    for i, (loss, rate) in enumerate(zip(losses, lr, strict=True), start=1):
        head = "I0321 00:41:01.318300 1 "
        lines += [
            f"{head}solver.cpp:330] Iteration {100 * i}, Testing net (#0)",
            f"{head}solver.cpp:397]     Test net output #0: Accuracy = {1 - loss / 3:g}",
            f"{head}solver.cpp:397]     Test net output #1: loss = {loss:g} (* 1 = {loss:g} loss)",
            f"{head}solver.cpp:218] Iteration {100 * i} (6.0 iter/s, 33.0s/100 iters), loss = {loss - 0.1:g}",
            f"{head}solver.cpp:237]     Train net output #0: Accuracy = 0.9",
            f"{head}solver.cpp:237]     Train net output #1: loss = {loss - 0.1:g} (* 1 = {loss - 0.1:g} loss)",
            f"{head}sgd_solver.cpp:212] Iteration {100 * i}, lr = {rate:g}{extra}",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path
