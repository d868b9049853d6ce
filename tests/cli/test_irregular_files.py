"""Pipes, devices, folders and files without an end where a file is expected: a line that says so, at once, and little memory."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcheck.__main__ import run
from hpcheck.curves.formats import content
from hpcheck.curves.formats import csv as csv_format
from hpcheck.files import regular
from hpcheck.init.find_data import find
from hpcheck.runs import records
from hpcheck.runs.files import Growing, StorageError
from tests.support.read_cases import csv, falling

SECONDS = 5
Put = Callable[[Path], None]


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path) -> None:
    """5 GB that take no room."""
    with path.open("wb") as file:
        file.truncate(5 << 30)


IRREGULAR = [
    pytest.param(os.mkfifo, "not a regular file", id="pipe"),
    pytest.param(zeros, "not a regular file", id="device"),
    pytest.param(sparse, "larger than ", id="5 GB"),
]


@pytest.fixture(autouse=True)
def _at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def command(*arguments: str) -> tuple[int, str]:
    """Exit code and words of a command that may take 1 GB more than Python and what it imports."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    done = subprocess.run(
        [sys.executable, "-m", "hpcheck", *arguments], capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(("put", "said"), IRREGULAR)
@pytest.mark.parametrize("name", ["curve.csv", "curve.jsonl", "log"])
def test_curves(put: Put, said: str, name: str) -> None:
    put(Path(name))
    code, err = command("read", name)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{name}: {said}" in err


@pytest.mark.parametrize(("put", "said"), IRREGULAR)
def test_configs_and_recommendations(put: Put, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    put(Path("odd.yaml"))
    Path("c.yaml").write_text("data: digits\nmodel: mlp\n")
    for arguments in (["validate", "odd.yaml"], ["train", "c.yaml", "--from", "odd.yaml"]):
        assert run(arguments) == 2
        err = capsys.readouterr().err
        assert "odd.yaml: " in err
        assert said in err


@pytest.mark.parametrize(("put", "said"), IRREGULAR)
def test_records(put: Put, said: str, tmp_path: Path) -> None:
    path = tmp_path / f"{'0' * 16}.jsonl"
    put(path)
    for read in (records.read, lambda path: records.begun_with(path, path.stem)):
        with pytest.raises(StorageError, match=f"cannot be read .{said}"):
            read(path)
    if said.startswith("not"):
        with pytest.raises(StorageError, match=r"not a regular file|symbolic link"):
            Growing(path)


@pytest.mark.parametrize(("put", "said"), IRREGULAR)
def test_tables_that_init_looks_at(put: Put, said: str, tmp_path: Path) -> None:
    put(tmp_path / "odd.csv")
    csv(tmp_path / "right.csv", falling())
    started = time.monotonic()
    assert [found.data["file"] for found in find(tmp_path)] == ["right.csv"]
    assert time.monotonic() - started < SECONDS


def test_a_folder_says_that_it_is_one(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        regular.opened(tmp_path)


def test_what_is_large_but_not_too_large_is_read(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", falling(40))
    assert regular.read_whole(path, path.stat().st_size) == path.read_bytes()
    assert len(csv_format.read(path)[0].rows) == 40
    assert content.LARGEST > 1 << 20


@pytest.mark.parametrize("line", [0, 3])
def test_a_cell_that_is_too_long_is_named(tmp_path: Path, line: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = csv(tmp_path / "a.csv", falling(20)).read_text().splitlines()
    lines[line] += "0" * 140_000
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert run(["read", "a.csv"]) == 2
    err = capsys.readouterr().err
    assert f"a.csv:{line + 1}: a cell is too long" in err
    assert "at most 131,072 characters in a cell" in err


def test_cells_that_are_too_long_in_most_lines_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("epoch,loss\n1," + "0" * 140_000 + "\n")
    assert run(["read", "a.csv"]) == 2
    assert "a.csv:2: a cell is too long" in capsys.readouterr().err
