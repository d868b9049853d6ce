"""TensorBoard event files, through the optional package `tensorboard`; TensorFlow is not needed and not imported."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from hpcheck.curves.table import Row, Table, refusal

EVENTS = "tfevents"  # in the name of every event file
STEP = "step"
EVERYTHING = {"scalars": 0, "tensors": 0}  # 0: the accumulator keeps every point instead of a sample
PARTS = {"train", "training", "val", "valid", "validation", "eval", "test"}  # directories of one run, as Keras writes them


def read(path: Path) -> Table:
    """The scalars of an event file, or of a log directory; tags are columns, their steps the step column."""
    accumulator = _accumulator(path)
    rows: list[Row] = []
    for prefix, folder in _runs(path):
        loaded = accumulator(str(folder), size_guidance=EVERYTHING)
        loaded.Reload()
        rows += (Row(None, {STEP: step, prefix + tag: value}) for tag, step, value in _points(loaded) if tag != STEP)
    if not rows:
        raise refusal(path, None, "no scalars", "", "an event file of TensorBoard with at least one scalar tag")
    return Table(tuple(rows), STEP)


def without_tensorflow() -> None:
    """Have the package `tensorboard` do without TensorFlow, installed or not: its own switch for that."""
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))


def _accumulator(path: Path) -> Any:
    without_tensorflow()
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        missing = "reading TensorBoard's event files needs the package tensorboard"
        raise refusal(path, None, missing, f"{error}", "pip install 'hpcheck[tensorboard]'") from error
    return EventAccumulator


def _runs(path: Path) -> list[tuple[str, Path]]:
    """A prefix for the tags, and the folder or file, of each part of the run."""
    if path.is_file():
        return [("", path)]
    folders = sorted({found.parent for found in path.rglob(f"*{EVENTS}*") if found.is_file()})
    parts = [str(folder.relative_to(path)) for folder in folders]
    if len(folders) > 1 and not all(PARTS.intersection(part.lower().split("/")) or part == "." for part in parts):
        raise refusal(path, None, "several runs in one directory", ", ".join(parts), "the directory of one run each")
    return [("" if part == "." or len(folders) == 1 else f"{part}/", folder) for part, folder in zip(parts, folders, strict=True)]


def _points(loaded: Any) -> Iterator[tuple[str, int, float]]:
    """(tag, step, value) of every scalar; TensorFlow 2 and Keras write them as tensors of one number."""
    from tensorboard.util.tensor_util import make_ndarray

    tags = loaded.Tags()
    for tag in tags["scalars"]:
        for event in loaded.Scalars(tag):
            yield tag, int(event.step), float(event.value)
    for tag in tags["tensors"]:
        for event in loaded.Tensors(tag):
            value = make_ndarray(event.tensor_proto)
            if value.size == 1 and value.dtype.kind in "fiu":
                yield tag, int(event.step), float(value.reshape(())[()])
