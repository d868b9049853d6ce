"""A record that a killed process left is gone on with: its torn tail cut, its rows kept, and nothing else's lines taken for its own."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.runs import records
from hpcheck.runs.files import StorageError
from hpcheck.runs.records import NewerRecordError, RecordWriter, seal
from tests.support.written_records import ROWS, SPEC

RUN_ID = "0123456789abcdef"


def opened(path: Path, run_id: str = RUN_ID) -> RecordWriter:
    return RecordWriter(path, run_id, SPEC, {"device": "cpu"})


def unfinished(path: Path) -> bytes:
    writer = opened(path)
    for row in ROWS:
        writer.row(**row)
    writer.close()
    return path.read_bytes()


def test_the_torn_tail_is_cut_and_the_same_file_gone_on_with_from_any_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    content = unfinished(path)
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for length in sorted(
        {*range(0, len(content) + 1, 13), *(end + near for end in [0, *ends] for near in (-1, 0, 1))} - {-1, len(content) + 1}
    ):
        path.write_bytes(content[:length])
        writer = opened(path)
        assert writer.rows == max(0, content[:length].count(b"\n") - 1)
        for row in ROWS[writer.rows :]:
            writer.row(**row)
        writer.close()
        assert path.read_bytes() == content


def test_rows_after_a_checkpoint_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    unfinished(path)
    writer = opened(path)
    writer.keep(1)
    assert [line["row"]["step"] for line in records.lines(path) if "row" in line] == [10]
    writer.row(**ROWS[1])
    writer.finish("finished", {})
    record = records.read(path)
    assert record is not None
    assert record.column("step").tolist() == [10, 20]


def test_a_finished_record_and_another_run_s_are_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    unfinished(path)
    opened(path, "f" * 16).close()
    assert [line.get("run_id") for line in records.lines(path)] == ["f" * 16]
    opened(path, "f" * 16).finish("finished", {})
    writer = opened(path, "f" * 16)
    assert writer.rows == 0
    writer.close()
    assert records.read(path) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 7))
def test_an_altered_line_and_all_after_it_are_not_kept(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("records") / "a.jsonl"
    content = bytearray(unfinished(path))
    position %= len(content)
    line = content[:position].count(b"\n")
    content[position] ^= 1 << bit
    path.write_bytes(content)
    writer = opened(path)
    assert writer.rows == max(0, line - 1)
    writer.close()


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["run_id", "spec", "row", "status", "record"]), inner, max_size=3)
            ),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_anything_in_a_record_s_place_is_no_record_and_no_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | list[object]
) -> None:
    path = tmp_path_factory.mktemp("records") / "a.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else "".join(map(_sealed, content)).encode())
    try:
        assert records.read(path) is None
        opened(path).close()
    except NewerRecordError:
        return
    assert [line["run_id"] for line in records.lines(path)] == [RUN_ID]


def _sealed(content: object) -> str:
    return seal(content)  # type: ignore[arg-type]


def test_a_newer_record_is_neither_read_nor_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(seal({"record": 2, "run_id": RUN_ID}))
    for act in (records.read, opened):
        with pytest.raises(NewerRecordError, match=r"a\.jsonl: written by a newer hpcheck"):
            act(path)
    assert path.read_text() == seal({"record": 2, "run_id": RUN_ID})


def test_a_record_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(StorageError, match=r"a\.jsonl: cannot be written"):
        opened(tmp_path / "a.jsonl")
    assert (tmp_path / "victim").read_text() == "kept"


def test_two_processes_never_write_one_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcheck.runs.files.PATIENCE_SECONDS", 0.1)
    writer = opened(tmp_path / "a.jsonl")
    with pytest.raises(StorageError, match="another process is writing it"):
        opened(tmp_path / "a.jsonl")
    writer.close()
    opened(tmp_path / "a.jsonl").close()
