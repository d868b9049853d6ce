"""TensorBoard event files, parsed by the optional package `tensorboard`; TensorFlow is not needed and not imported.

The records are read here, not by TensorBoard, which ends in silence at the first damaged one. Every record carries two checksums.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hpcheck.curves.formats.content import LARGEST, refuse_many
from hpcheck.curves.formats.folders import files_below
from hpcheck.curves.names import TRAINING, VALIDATION, words
from hpcheck.curves.table import Row, Table, refusal
from hpcheck.files.regular import MIB, opened

EVENTS = "tfevents"  # in the name of every event file
STEP = "step"
HEADER, FOOTER = 12, 4  # bytes around a record: its length and that one's checksum, and the checksum of its data
LARGEST_SCALARS = 1 << 20  # ours: bytes; a larger record is a picture or a graph, and is passed over unread
POLYNOMIAL = 0x82F63B78  # CRC-32C, reflected


@dataclass
class Damage:
    """What was found wrong with the files of one run."""

    notes: list[str] = field(default_factory=list)
    lost: int = 0  # records of the file that is read


def looks(path: Path, head: str) -> bool:
    """By the file's name: each event file has it."""
    return EVENTS in path.name


def read(path: Path) -> list[Table]:
    """The scalars of an event file, or of each run in a log directory; tags are columns, their steps the step column."""
    parse = _parser(path)
    tables = []
    runs = _runs(path)
    for run, parts in runs.items():
        rows: list[Row] = []
        damage = Damage()
        for prefix, file in parts:
            points = parse(_records(file, damage), damage)
            rows += (Row(None, {STEP: step, prefix + tag: value}) for tag, step, value in points if tag != STEP)
            if damage.lost:
                damage.notes.append(f"{file.name} is damaged: {damage.lost} of its records are altered and left out")
                damage.lost = 0
            refuse_many(file, len(rows))
        if rows:
            tables.append(Table(tuple(rows), STEP, notes=tuple(damage.notes), run=run if len(runs) > 1 else ""))
        elif damage.notes and len(runs) == 1:
            raise refusal(path, None, f"no scalars can be read: {damage.notes[0]}", "", "an event file of TensorBoard")
    if not tables:
        raise refusal(path, None, "no scalars", "", "an event file of TensorBoard with at least one scalar tag")
    return tables


def without_tensorflow() -> None:
    """Have the package `tensorboard` do without TensorFlow, installed or not: its own switch for that."""
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))


def _parser(path: Path) -> Any:
    without_tensorflow()
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        missing = "reading TensorBoard's event files needs the package tensorboard"
        raise refusal(path, None, missing, f"{error}", "pip install 'hpcheck[tensorboard]'") from error

    def points(records: Iterator[bytes], damage: Damage) -> Iterator[tuple[str, int, float]]:
        """(tag, step, value) of every scalar; TensorFlow 2 and Keras write them as tensors of one number."""
        for record in records:
            try:
                event = Event.FromString(record)
            except DecodeError:  # its checksums hold, and it says nothing
                damage.lost += 1
                continue
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    yield value.tag, int(event.step), float(value.simple_value)
                elif value.WhichOneof("value") == "tensor" and len(value.tensor.tensor_shape.dim) == 0:
                    try:
                        found = make_ndarray(value.tensor)
                    except (TypeError, ValueError):  # of a kind that has no numbers
                        continue
                    if found.size == 1 and found.dtype.kind in "fiu":
                        yield value.tag, int(event.step), float(found.reshape(())[()])

    return points


def _records(path: Path, damage: Damage) -> Iterator[bytes]:
    """The records of one file whose checksums hold. Where a length is damaged nothing after it can be found.

    Raises `ConfigError` for more bytes of scalars than are read; pictures and the like do not count, since they are passed over.
    """
    size, read = path.stat().st_size, 0
    with opened(path) as file:
        while header := file.read(HEADER):
            at = file.tell() - len(header)
            length = struct.unpack("<Q", header[:8])[0] if len(header) == HEADER else 0
            if len(header) < HEADER or at + HEADER + length + FOOTER > size:
                if len(header) == HEADER and masked_crc(header[:8]) != struct.unpack("<I", header[8:])[0]:
                    damage.notes.append(f"{path.name} is damaged at byte {at} of {size}: nothing after it can be read")
                else:
                    damage.notes.append(f"{path.name} ends in the middle of a record, as one that is being written: read up to there")
                break
            if masked_crc(header[:8]) != struct.unpack("<I", header[8:])[0]:
                damage.notes.append(f"{path.name} is damaged at byte {at} of {size}: nothing after it can be read")
                break
            if length > LARGEST_SCALARS:
                file.seek(length + FOOTER, 1)
                continue
            read += length
            if read > LARGEST:
                raise refusal(
                    path, None, f"more than {LARGEST // MIB} MiB of scalars", "", "fewer evaluations, or the scalars exported as CSV"
                )
            data, footer = file.read(length), file.read(FOOTER)
            if masked_crc(data) == struct.unpack("<I", footer)[0]:
                yield data
            else:
                damage.lost += 1


def _table() -> tuple[int, ...]:
    values = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ POLYNOMIAL if value & 1 else value >> 1
        values.append(value)
    return tuple(values)


CRC = _table()


def masked_crc(data: bytes) -> int:
    """The checksum of TensorFlow's record files: CRC-32C, rotated by 15 bits and shifted by a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _runs(path: Path) -> dict[str, list[tuple[str, Path]]]:
    """Run -> (a prefix for the tags, the file) of each of its parts: Keras and `add_scalars` write a directory for each split."""
    if path.is_file():
        return {"": [("", path)]}
    files = sorted(file for file in files_below(path) if EVENTS in file.name)
    runs: dict[str, list[tuple[str, Path]]] = {}
    for file in files:
        parts = file.parent.relative_to(path).parts
        own = next((at for at, part in enumerate(parts) if set(words(part)) & (VALIDATION | TRAINING)), len(parts))
        runs.setdefault("/".join(parts[:own]), []).append(("".join(f"{part}/" for part in parts[own:]), file))
    return runs
