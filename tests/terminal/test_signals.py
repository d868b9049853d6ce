"""Ctrl-C and SIGTERM end a command in order and quickly; nothing it started outlives it, whatever ended it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcheck.terminal.signals import Interrupted, interruptible
from tests.support.processes import children, patiently, rows, running, said

LONG = """data: {name: digits, val_fraction: 0.25}
model: {name: mlp, hidden: [256, 256]}
budget: {epochs: 300}
start: {max_lr: 0.05, total_batch_size: 32}
train: {repeats: 2}
run: {jobs: 2, threads: 1}
"""
SHELL_CODES = [pytest.param(signal.SIGINT, 130, id="SIGINT"), pytest.param(signal.SIGTERM, 143, id="SIGTERM")]
ALL_CODES = [*SHELL_CODES, pytest.param(signal.SIGHUP, 129, id="SIGHUP")]


@pytest.mark.parametrize(("number", "code"), ALL_CODES)
def test_the_first_signal_is_raised_and_handlers_are_put_back(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, interruptible():  # noqa: PT012
        os.kill(os.getpid(), number)
        time.sleep(1)
    assert caught.value.exit_code == code
    assert signal.getsignal(number) == before


def test_a_second_signal_ends_the_process_at_once() -> None:
    script = (
        "import os, signal, time\nfrom hpcheck.terminal.signals import *\n"
        "with interruptible():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGINT); time.sleep(9)\n"
        "    except Interrupted:\n        os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 143


def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    script = (
        "import os, signal\nfrom hpcheck.terminal.signals import *\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with interruptible():\n    os.kill(os.getpid(), signal.SIGHUP)\nprint('goes on')\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=True, capture_output=True).stdout == b"goes on\n"


def test_a_command_whose_terminal_closes_ends_with_its_own_code_and_not_by_what_it_cannot_write() -> None:
    """The terminal is a real one, whose other end is closed: writing to it fails from then on."""
    script = (
        "import os, signal, time\nfrom hpcheck.terminal.signals import *\nfrom hpcheck.terminal import stdout\n"
        "try:\n    with interruptible():\n        print('ready', flush=True); time.sleep(30)\n"
        "except Interrupted as end:\n    stdout.tell('to go on'); os._exit(end.exit_code)\n"
    )
    ours, theirs = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    assert b"ready" in os.read(ours, 100)
    os.close(ours)
    os.kill(process.pid, signal.SIGHUP)
    assert process.wait(30) == 129


def test_a_closed_terminal_leaves_the_process_that_keeps_account_of_semaphores() -> None:
    """Python's own tracker of resources ignores SIGINT and SIGTERM alone; where it dies, two warnings follow the command's last words."""
    script = (
        "from multiprocessing.resource_tracker import _resource_tracker as tracker\n"
        "from hpcheck.engine.pool.executor import Executor\nimport os, signal, time\n"
        "signal.signal(signal.SIGHUP, lambda *_: None)\npool = Executor(1, print)\nfirst = tracker._pid\n"
        "os.killpg(0, signal.SIGHUP)\ntime.sleep(0.3)\npool.end(1)\ndel pool\nassert tracker._pid == first\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, check=True, capture_output=True, start_new_session=True)
    assert ended.stderr == b""


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`hpcheck train` with two workers busy, in a process group of its own as a terminal has it."""
    (tmp_path / "c.yaml").write_text(LONG)
    command = [sys.executable, "-m", "hpcheck", "train", "c.yaml", "-q"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        patiently(lambda: rows(tmp_path) >= 4)
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def test_a_signal_while_workers_start_leaves_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(LONG)
    command = [sys.executable, "-m", "hpcheck", "train", "c.yaml", "-q"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    patiently(lambda: any("forkserver" in said(Path(f"/proc/{pid}/cmdline")) for pid in children(process.pid)))
    time.sleep(0.2)  # it imports torch for a second and more
    left = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted; to go on where it stopped: hpcheck train c.yaml -q\n")
    patiently(lambda: not running(left), 5)


@pytest.mark.crash
@pytest.mark.parametrize("whole_group", [False, True], ids=["parent alone", "terminal"])
@pytest.mark.parametrize(("number", "code"), ALL_CODES)
def test_a_signal_saves_what_runs_and_says_how_to_go_on(
    grid: subprocess.Popen[str], tmp_path: Path, number: signal.Signals, code: int, whole_group: bool
) -> None:
    workers = children(grid.pid)
    assert len(workers) >= 3  # two workers and the server that forked them
    started = time.monotonic()
    (os.killpg if whole_group else os.kill)(grid.pid, number)
    _, err = grid.communicate(timeout=30)
    seconds = time.monotonic() - started
    assert grid.returncode == code
    assert err == f"interrupted; to go on where it stopped: {shlex.join(['hpcheck', 'train', 'c.yaml', '-q'])}\n"
    print(f"gone after {seconds:.2f} s")
    assert seconds < 5
    patiently(lambda: not running(workers), 5)
    saved = list(tmp_path.glob("runs/c/records/*.checkpoint"))
    assert len(saved) == 2
    before = {path: path.read_bytes() for path in tmp_path.glob("runs/c/records/*.jsonl")}
    again = subprocess.Popen([sys.executable, "-m", "hpcheck", "train", "c.yaml", "-q"], cwd=tmp_path, start_new_session=True)
    try:
        patiently(lambda: all(len(path.read_bytes()) > len(content) for path, content in before.items()))
        assert all(path.read_bytes().startswith(content) for path, content in before.items())  # goes on, in the same files
    finally:
        os.kill(again.pid, signal.SIGINT)
        assert again.wait(30) == 130


@pytest.mark.crash
def test_nothing_is_left_5_s_after_the_parent_s_sigkill(grid: subprocess.Popen[str], tmp_path: Path) -> None:
    left = children(grid.pid)
    assert len(running(left)) >= 3
    os.kill(grid.pid, signal.SIGKILL)
    grid.communicate()
    time.sleep(5)
    assert running(left) == []
    assert json.loads((tmp_path / "runs/c/.lock").read_text())["pid"] == grid.pid
