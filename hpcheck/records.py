"""RunRecord: what one run measured, kept raw in an append-only file with a checksum on every line, and read back."""

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from hpcheck.spec import RunSpec, Spec, TimingSpec, from_dict, to_dict

RECORD_VERSION = 1
FloatArray = NDArray[np.float64]


class StorageError(Exception):
    """A record could not be written or read; the message names its path."""


@dataclass(frozen=True)
class RunRecord:
    """One finished run. `rows` hold the raw evaluations in order; nothing in them is smoothed.

    A row has step, lr, momentum, train_loss (mean over the stretch since the row before), val_loss, metric and seconds (of training
    since the run began). `status` is "finished", or "diverged" where the engine stopped the run at its last row.
    """

    run_id: str
    spec: Spec
    rows: tuple[Mapping[str, float], ...]
    status: str
    result: Mapping[str, Any] = field(default_factory=dict)  # totals and final figures, or the measurements of a TimingSpec
    environment: Mapping[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> FloatArray:
        """One quantity over the evaluations, as (E,)."""
        return np.array([row[name] for row in self.rows], dtype=np.float64)

    @property
    def diverged(self) -> bool:
        return self.status == "diverged"

    @property
    def run(self) -> RunSpec:
        """The spec of a training run. Raises `TypeError` for the record of a measurement."""
        if not isinstance(self.spec, RunSpec):
            raise TypeError(f"record {self.run_id} is a {type(self.spec).__name__}, not a training run")
        return self.spec


class RecordWriter:
    """Appends one run's lines to `path`; each line reaches the file before the next is begun, the last one reaches the disk."""

    def __init__(self, path: Path, run_id: str, spec: Spec, environment: Mapping[str, Any]) -> None:
        self.run_id = run_id
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._append({"record": RECORD_VERSION, "run_id": run_id, "spec": to_dict(spec), "environment": environment})

    def row(self, **values: float) -> None:
        self._append({"row": values})

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        """The line that makes the record complete."""
        self._append({"status": status, "result": result})
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        self._file.close()

    def _append(self, content: Mapping[str, Any]) -> None:
        self._file.write(seal(content))
        self._file.flush()


def seal(content: Mapping[str, Any]) -> str:
    """One line: the content as JSON (NaN and the infinities as strings), a tab, the CRC-32 of what stands before it."""
    text = json.dumps(_plain(content), allow_nan=False)
    return f"{text}\t{zlib.crc32(text.encode()):08x}\n"


def unseal(line: str) -> Any:
    """The content of a sealed line. Raises `ValueError` where the line is torn or altered."""
    text, _, checksum = line.rstrip("\n").rpartition("\t")
    if not line.endswith("\n") or f"{zlib.crc32(text.encode()):08x}" != checksum:
        raise ValueError("torn or altered line")
    return _numbers(json.loads(text))


def lines(path: Path) -> Iterator[Any]:
    """The whole lines of a record, up to the first torn or altered one."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            try:
                yield unseal(line)
            except ValueError:
                return


def read(path: Path) -> RunRecord | None:
    """The record in `path`; None where there is none, it is not finished, or it is of another version."""
    if not path.exists():
        return None
    content = list(lines(path))
    if len(content) < 2 or "status" not in content[-1] or content[0].get("record") != RECORD_VERSION:
        return None
    head, *rows, end = content
    try:
        spec = from_dict(head["spec"])
    except (TypeError, KeyError):
        return None
    return RunRecord(head["run_id"], spec, tuple(line["row"] for line in rows), end["status"], end["result"], head["environment"])


def steps_done(path: Path) -> int:
    """How far an unfinished run has come: the step of its last row, 0 before the first."""
    if not path.exists():
        return 0
    rows = [line["row"]["step"] for line in lines(path) if "row" in line]
    return int(rows[-1]) if rows else 0


def seconds_spent(record: RunRecord) -> float:
    """Device time of a run, evaluations included."""
    return float(record.result.get("train_seconds", 0.0)) + float(record.result.get("eval_seconds", 0.0))


def examples_processed(record: RunRecord) -> int:
    """Training examples that a run processed; 0 for a continuation's share that its parent did."""
    if isinstance(record.spec, TimingSpec):
        return int(record.result.get("examples", 0))
    last = int(record.rows[-1]["step"]) if record.rows else record.spec.at_step
    return (last - record.spec.at_step) * record.spec.total_batch_size


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value
