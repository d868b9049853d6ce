"""RunRecord: what one run measured, kept raw in an append-only file with a checksum on every line, and read back."""

import io
import json
import math
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcheck.errors import InputError
from hpcheck.files import plain_json
from hpcheck.files.regular import MIB, opened, read_whole
from hpcheck.runs.files import Growing, naming
from hpcheck.runs.record_content import STATUSES, is_environment, is_result, is_row, is_whole
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec, from_dict, to_dict

RECORD_VERSION = 1
LARGEST = 64 * MIB  # of a record; ours, thousands of times what one of 200 evaluations takes
FloatArray = NDArray[np.float64]


class NewerRecordError(InputError):
    """A record was written by a newer hpcheck; the message names it. It is neither read nor written over."""


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
    """Appends one run's lines to `path`. Each reaches the file before the next is begun; `sync` and `finish` bring them to the disk.

    An unfinished record of the same run, begun in the same environment, is gone on with: its torn tail is cut, and its whole `rows` are
    kept unless `keep` cuts them.
    """

    def __init__(self, path: Path, run_id: str, spec: Spec, environment: Mapping[str, Any]) -> None:
        self.run_id = run_id
        self._file = Growing(path)
        try:
            self.environment, self._ends = _begun(path, self._file.content(), run_id)
            if not self._ends or not _as_begun(self.environment, environment):
                self.environment, self._ends = environment, []
            self._file.cut(self._ends[-1] if self._ends else 0)
            if not self._ends:
                self._append({"record": RECORD_VERSION, "run_id": run_id, "spec": to_dict(spec), "environment": environment})
        except BaseException:
            self.close()
            raise

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._ends) - 1

    def keep(self, rows: int) -> None:
        """Cut what stands after the first `rows` rows: the run goes on from there."""
        self._file.cut(self._ends[rows])
        del self._ends[rows + 1 :]

    def row(self, **values: float) -> None:
        self._append({"row": values})

    def finish(self, status: str, result: Mapping[str, Any]) -> None:
        """The line that makes the record complete."""
        self._append({"status": status, "result": result})
        self.sync()
        self.close()

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _append(self, content: Mapping[str, Any]) -> None:
        line = seal(content).encode()
        self._file.append(line)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(line))


def begun_with(path: Path, run_id: str) -> Mapping[str, Any]:
    """The environment that an unfinished record of this run was begun in; empty where there is none."""
    with naming(path, "read"):
        return _begun(path, read_whole(path, LARGEST), run_id)[0] if path.exists() else {}


def _begun(path: Path, content: bytes, run_id: str) -> tuple[Mapping[str, Any], list[int]]:
    """The environment of an unfinished record of this run, and where its head and each whole row end; nothing of a finished one, of
    another's, or of no record."""
    ends: list[int] = []
    environment: Mapping[str, Any] | None = None
    for line in io.BytesIO(content):
        try:
            told = unseal(line.decode("utf-8", errors="replace"))
        except ValueError:
            break
        if not ends:
            _refuse_newer(path, told)
            environment = told.get("environment") if told.get("run_id") == run_id else None
        if not isinstance(environment, dict) or not is_environment(environment) or "status" in told:
            return {}, []
        if ends and not is_row(told.get("row")):
            break
        ends.append((ends[-1] if ends else 0) + len(line))
    return environment or {}, ends


def _as_begun(begun: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a run goes on to the same numbers here: the same device, torch and threads. On more or fewer such devices it goes on to the
    same up to rounding: what each part of a batch is does not depend on them."""
    return all(begun.get(key) == now.get(key) for key in {*begun, *now} - {"hpcheck", "python", "devices", "identity"})


def _refuse_newer(path: Path, head: Mapping[str, Any]) -> None:
    version = head.get("record")
    if isinstance(version, int) and version > RECORD_VERSION:
        raise NewerRecordError(
            f"{path}: written by a newer hpcheck (record version {version}; this one reads {RECORD_VERSION}); "
            "use that one, or give this run another name (-s name=...)"
        )


def seal(content: Mapping[str, Any]) -> str:
    """One line: the content as JSON (NaN and the infinities as strings), a tab, the CRC-32 of what stands before it."""
    text = json.dumps(_plain(content), allow_nan=False)
    return f"{text}\t{zlib.crc32(text.encode()):08x}\n"


def unseal(line: str) -> dict[str, Any]:
    """The content of a sealed line. Raises `ValueError` where the line is torn or altered, or holds what none of a record does."""
    text, _, checksum = line.rstrip("\n").rpartition("\t")
    if not line.endswith("\n") or f"{zlib.crc32(text.encode()):08x}" != checksum:
        raise ValueError("torn or altered line")
    content = plain_json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("no object")
    return {key: _numbers(item) for key, item in content.items()}


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a record, up to the first torn or altered one."""
    with naming(path, "read"), opened(path, LARGEST) as file:
        for line in file:
            try:
                yield unseal(line.decode("utf-8", errors="replace"))
            except ValueError:
                return


def read(path: Path) -> RunRecord | None:
    """The record in `path`; None where there is none, it is not finished, or it is no record. Raises `NewerRecordError`."""
    if not path.exists():
        return None
    content = list(lines(path))
    _refuse_newer(path, content[0] if content else {})
    if len(content) < 2:
        return None
    head, *body, end = content
    if end.get("status") not in STATUSES or head.get("record") != RECORD_VERSION or not is_environment(head.get("environment")):
        return None
    try:
        spec = from_dict(head["spec"])
    except (TypeError, KeyError, ValueError, AttributeError):  # whole lines, but not a record's
        return None
    run_id, rows, result = head.get("run_id"), tuple(line.get("row") for line in body), end.get("result")
    if not isinstance(run_id, str) or not is_whole(spec, rows) or not is_result(result, spec):
        return None
    return RunRecord(run_id, spec, rows, end["status"], result, head["environment"])  # type: ignore[arg-type]  # looked at above


@dataclass(frozen=True)
class Standing:
    """How a run stands: its last row, empty before the first, and the status of its record, empty before that is complete. Of a run whose
    end is measured on the whole validation set, the row has that measurement in the end."""

    row: Mapping[str, float] = field(default_factory=dict)
    status: str = ""


def standing(path: Path) -> Standing:
    """How far a run has come, by the last lines of its record."""
    tail: list[dict[str, Any]] = list(deque(lines(path), maxlen=2)) if path.exists() else []
    row: Mapping[str, float] = next((line["row"] for line in reversed(tail) if is_row(line.get("row"))), {})
    last = tail[-1] if tail else {}
    status = last.get("status")
    if status not in STATUSES:
        return Standing(row)
    result = last.get("result")
    measured = result.get("val") if isinstance(result, Mapping) else None
    if isinstance(measured, Mapping) and all(isinstance(measured.get(key), float) for key in ("loss", "metric")):
        row = {**row, "val_loss": measured["loss"], "metric": measured["metric"]}
    return Standing(row, status)


def seconds_spent(record: RunRecord) -> float:
    """Device time of a run, of all its devices, evaluations included."""
    seconds = float(record.result.get("train_seconds", 0.0)) + float(record.result.get("eval_seconds", 0.0))
    return seconds * int(record.environment.get("devices", 1))


def examples_processed(record: RunRecord) -> int:
    """Training examples that a run processed: none of those that its parent did, and 0 for a measurement of time, which trains nothing."""
    return 0 if isinstance(record.spec, TimingSpec) else iterations_done(record) * record.spec.total_batch_size


def iterations_done(record: RunRecord) -> int:
    """Updates that a run made; where it diverged, up to its last row. 0 for a measurement of time."""
    if isinstance(record.spec, TimingSpec):
        return 0
    last = int(record.rows[-1]["step"]) if record.rows else record.spec.at_step
    return (last if record.diverged else record.spec.steps) - record.spec.at_step


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
