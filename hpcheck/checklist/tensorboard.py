"""Event files for TensorBoard (`--tensorboard`): the rows of finished records as scalars; needs the optional package `tensorboard`."""

import importlib.util
import io
import re
from collections.abc import Sequence
from pathlib import Path

from hpcheck.curves.formats.tensorboard import without_tensorflow
from hpcheck.errors import InputError
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import naming, write_whole
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec

# A row's quantity -> its tag. `hpcheck read` finds all of them by these names.
TAGS = {"val_loss": "val_loss", "metric": "val_metric", "train_loss": "train_loss", "lr": "lr", "momentum": "momentum"}


def refuse_without_tensorboard() -> None:
    """Raise `InputError` where the package is missing: better before the runs than after them."""
    if importlib.util.find_spec("tensorboard") is None:
        raise InputError("--tensorboard: needs the package tensorboard; pip install 'hpcheck[tensorboard]'")


def write(runs: RunDirectory, step: str, run_ids: Sequence[str]) -> list[Path]:
    """One folder with one event file for each of these runs that trained; what is there already is kept. Returns the files written."""
    written = []
    for record in filter(None, map(runs.by_id, run_ids)):
        if not isinstance(record.spec, RunSpec):
            continue  # a measurement of time has no curve
        path = runs.events / folder(step, record) / f"events.out.tfevents.{record.run_id}"
        if path.exists():
            continue
        ended = (runs.records / f"{record.run_id}.jsonl").stat().st_mtime
        with naming(path.parent, "made"):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encoded(record, ended))
        written.append(path)
    return written


def folder(step: str, record: RunRecord) -> str:
    """The run's name in TensorBoard: its step and label, and enough of its id to tell it from its namesakes."""
    label = re.sub(r"[^\w.=-]+", "_", record.spec.label).strip("_.") or "run"
    return f"{step}.{label}.{record.run_id[:6]}"


def encoded(record: RunRecord, ended: float) -> bytes:
    """The event file of one run that ended at that time (seconds since 1970)."""
    without_tensorflow()
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    began = ended - (record.rows[-1]["seconds"] if record.rows else 0.0)
    content = io.BytesIO()
    writer = RecordWriter(content)
    writer.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
    for row in record.rows:
        values = [Summary.Value(tag=tag, simple_value=row[name]) for name, tag in TAGS.items() if name in row]
        event = Event(wall_time=began + row["seconds"], step=int(row["step"]), summary=Summary(value=values))
        writer.write(event.SerializeToString())
    return content.getvalue()
