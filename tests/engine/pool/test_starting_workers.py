"""A worker that is still being set up, which takes seconds on a busy machine, ends with the command as one at work does."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import patiently, running

SCRIPT = """
import functools, os, signal, time
from multiprocessing import forkserver
from hpcheck.engine.pool.executor import Executor
executor = Executor(1, functools.partial(time.sleep, 600))
executor.submit(os.getpid)
print(forkserver._forkserver._forkserver_pid, *executor.pids(), flush=True)
signal.pause()
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
@pytest.mark.parametrize("server_first", [False, True])
def test_it_ends_with_the_command(server_first: bool) -> None:
    command = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    server, *workers = map(int, command.stdout.readline().split())
    try:
        assert running(workers) == workers != []
        if server_first:  # the worker is then nobody's child
            os.kill(server, signal.SIGKILL)
            patiently(lambda: not running([server]), 30)
        command.kill()
        command.wait()
        command.stdout.close()
        patiently(lambda: not running([server, *workers]), 5)
    finally:
        for pid in running([server, *workers]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
