"""Records keep raw values, and a torn or altered line is never taken for one."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcheck.runs import records
from hpcheck.runs.records import RecordWriter, seal, unseal
from tests.support.written_records import ROWS, SPEC


def written(path: Path) -> Path:
    writer = RecordWriter(path, "0123456789abcdef", SPEC, {"device": "cpu"})
    for row in ROWS:
        writer.row(**row)
    writer.finish("diverged", {"train_seconds": 0.2, "eval_seconds": 0.1})
    return path


def test_a_record_read_back_is_what_was_written(tmp_path: Path) -> None:
    record = records.read(written(tmp_path / "a.jsonl"))
    assert record is not None
    assert record.spec == SPEC
    assert record.diverged
    assert record.column("step").tolist() == [10, 20]
    assert math.isinf(record.column("train_loss")[1])
    assert math.isnan(record.column("val_loss")[1])
    assert records.seconds_spent(record) == pytest.approx(0.3)
    assert records.examples_processed(record) == 20 * 32


def test_the_lines_are_json_for_any_reader(tmp_path: Path) -> None:
    for line in written(tmp_path / "a.jsonl").read_text().splitlines():
        json.loads(line.rpartition("\t")[0], parse_constant=lambda name: pytest.fail(name))


def test_a_record_cut_anywhere_is_unfinished_and_keeps_its_whole_rows(tmp_path: Path) -> None:
    content = written(tmp_path / "a.jsonl").read_bytes()
    whole = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for length in range(len(content)):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(content[:length])
        assert records.read(torn) is None
        assert len(list(records.lines(torn))) == sum(end <= length for end in whole)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_any_flipped_bit_is_noticed(position: int, bit: int) -> None:
    line = bytearray(seal({"row": ROWS[0]}).encode())
    position %= len(line)
    line[position] ^= 1 << bit
    with pytest.raises(ValueError):  # noqa: PT011  whatever the flip made of the line
        unseal(line.decode("utf-8", errors="replace"))


def test_progress_is_read_from_a_growing_record(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert records.standing(path).row == {}
    writer = RecordWriter(path, "0123456789abcdef", SPEC, {})
    writer.row(**ROWS[0])
    assert (records.standing(path).row["step"], records.standing(path).status) == (10, "")
    writer.close()


def test_a_finished_training_stands_at_what_its_end_was_measured_to_be(tmp_path: Path) -> None:
    """The last row is of a part of the validation set, where that is large."""
    path = tmp_path / "a.jsonl"
    writer = RecordWriter(path, "0123456789abcdef", SPEC, {})
    writer.row(**ROWS[0])
    writer.finish("finished", {"val": {"loss": 0.128, "metric": 0.972, "examples": 360}})
    found = records.standing(path)
    assert (found.row["step"], found.row["val_loss"], found.row["metric"]) == (10, 0.128, 0.972)
