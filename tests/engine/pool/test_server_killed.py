"""The server that workers are forked from is killed: a new one takes its place, and no worker of the old one stays."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path

import pytest

from hpcheck.engine.pool import executor
from hpcheck.engine.pool.executor import Executor
from hpcheck.engine.pool.pool import Pool
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from tests.support.engine_runs import RUN
from tests.support.processes import patiently, running

SERVER = forkserver._forkserver  # type: ignore[attr-defined]


DYING_SECONDS = 1.0


def slowly(pid: int, number: int) -> None:
    """SIGKILL as it is on a busy machine: the process has a while to go."""

    def kill() -> None:
        with suppress(ProcessLookupError):
            KILL(pid, number)

    threading.Timer(DYING_SECONDS, kill).start()


KILL = os.kill


@pytest.fixture
def going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has closed its socket and has not ended yet, as a killed one is on a busy machine for longer than some tries take."""
    monkeypatch.setattr(os, "kill", slowly)
    SERVER._stop()
    process = subprocess.Popen(["sleep", "600"])
    closed = socket.socket(socket.AF_UNIX)
    closed.bind(str(tmp_path / "socket"))
    closed.close()
    reads, writes = os.pipe()
    os.close(reads)
    SERVER._forkserver_pid, SERVER._forkserver_address, SERVER._forkserver_alive_fd = process.pid, str(tmp_path / "socket"), writes
    yield process
    process.kill()
    process.returncode = process.returncode or -9  # the pool has waited for it


def test_one_that_is_going_is_waited_for(going: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pool, spec = Pool("cpu", 1, 1), replace(RUN, steps=2, evaluate_after=(0, 2))
    pool.execute([(identify(spec), spec)], tmp_path / "records")
    pool.close()
    assert records.read(tmp_path / "records" / f"{identify(spec)}.jsonl") is not None
    assert not running([going.pid])
    assert going.pid != SERVER._forkserver_pid


def wait_for_sigterm() -> None:
    """A run that takes a while to stop: it ends after SIGTERM, and its worker lives on."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set() if executor.is_at_work() else os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    asked.wait()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_workers_at_work_end_with_the_pool_that_has_lost_its_server() -> None:
    pool = Executor(1, print)
    pid = pool.ask(os.getpid)
    future = pool.submit(wait_for_sigterm)
    patiently(future.running)
    server = SERVER._forkserver_pid
    os.kill(server, signal.SIGKILL)
    assert future.exception(120) is not None
    pool.end(4.0)
    patiently(lambda: not running([pid]), 30)  # at once, or by SIGKILL after 4 s where the machine is so busy
