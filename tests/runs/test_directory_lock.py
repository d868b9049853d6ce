"""One process at a time works in a run directory; the next one says who, and a dead holder is no obstacle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcheck.__main__ import run
from hpcheck.runs.directory import OutsideError, RunDirectory
from hpcheck.runs.files import remove_leftovers, write_whole
from hpcheck.runs.lock import LOCK, HeldError, RunLock

HOLD = """
import sys, time
from pathlib import Path
from hpcheck.runs.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_the_second_process_exits_4_at_once_and_says_who_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("data: digits\nmodel: mlp\n")
    Path("runs/c").mkdir(parents=True)
    process = holder(Path("runs/c"))
    try:
        started = time.monotonic()
        assert run(["run", "c.yaml"]) == 4
        assert time.monotonic() - started < 5
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: runs/c: process {process.pid} on ")
        assert "works in this run directory" in line
        assert sorted(path.name for path in Path("runs/c").iterdir()) == [LOCK]
        assert run(["plan", "c.yaml"]) == 0  # reading takes no lock
    finally:
        end(process)


def test_a_dead_holder_is_no_obstacle(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    lock = RunLock(tmp_path)
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    lock.release()


@pytest.mark.parametrize("said", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1, "host": "\\u001b[31m", "started": ""}'])
def test_whatever_a_lock_file_says_the_error_is_one_printable_line(tmp_path: Path, said: str) -> None:
    lock = RunLock(tmp_path)
    (tmp_path / LOCK).write_text(said)
    with pytest.raises(HeldError) as caught:
        RunLock(tmp_path)
    assert str(caught.value).isprintable()
    lock.release()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "victim")
    with pytest.raises(OutsideError):
        RunDirectory(tmp_path / "run")
    assert (tmp_path / "victim").read_text() == "kept"


@pytest.mark.parametrize("place", ["", "records", "plots"])
def test_links_out_of_the_run_directory_are_refused_and_links_inside_are_not(tmp_path: Path, place: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "run" / place
    folder.mkdir(parents=True)
    (folder / "inside").symlink_to(tmp_path / "run")
    RunDirectory(tmp_path / "run")
    (folder / "outside").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutsideError, match="outside: a symbolic link that leads out of the run directory"):
        RunDirectory(tmp_path / "run")


def test_the_folder_of_all_runs_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk" / "name").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    RunDirectory(tmp_path / "runs" / "name")


@pytest.mark.parametrize("name", ["../../etc/passwd", "0123456789abcdef/../x", "0123456789abcdeg", "", "0123456789abcdef\n"])
def test_what_is_no_run_s_name_is_looked_for_nowhere(tmp_path: Path, name: str) -> None:
    assert RunDirectory(tmp_path).by_id(name) is None


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.yaml.123.tmp", ".b.jsonl.9.tmp", "mine.tmp", ".mine.tmp", ".c.x.tmp"):
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".c.x.tmp", ".mine.tmp", "mine.tmp"]


def test_a_file_that_is_replaced_by_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "victim").read_text() == "kept"
    assert (tmp_path / "link").read_text() == "new"
