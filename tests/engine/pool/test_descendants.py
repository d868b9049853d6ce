"""What came of a worker ends with it: its forks by the kernel, and all else by whoever ends the worker."""

import os
import signal
import subprocess
import sys

import pytest

from hpcheck.engine.pool.descendants import Descendants
from hpcheck.engine.pool.endings import words
from tests.support.processes import children, patiently, running

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")

TREE = "import subprocess, sys; subprocess.Popen(['sleep', '600']); print(flush=True); sys.stdin.read()"
FORKS = """
import os, signal, sys, threading
from hpcheck.engine.pool.descendants import end_forks_with_this_process
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_forks_with_this_process()
def fork():
    child = os.fork()
    if not child:
        signal.pause()
    print(child, flush=True)
fork()
other = threading.Thread(target=fork)
other.start()
other.join()
sys.stdin.read()
"""


def started(script: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_all_that_came_of_a_process_is_ended_also_once_that_is_gone() -> None:
    with started(TREE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = Descendants()
        found.look([process.pid])
        (inner,) = children(process.pid)
        process.kill()
    assert running([inner]) == [inner]
    found.end()
    patiently(lambda: not running([inner]), 5)
    found.end()  # nothing is left, and no handle


def test_a_fork_ends_with_its_process_and_by_sigterm_whatever_that_does_about_it() -> None:
    """One of another thread ends only by SIGTERM: the kernel would end it with that thread."""
    with started(FORKS) as process:
        assert process.stdout is not None
        first, second = (int(process.stdout.readline()) for _ in range(2))
        assert running([first, second]) == [first, second]
        process.kill()
    patiently(lambda: not running([first]), 5)
    assert running([second]) == [second]

    def is_ended() -> bool:
        if running([second]):  # a first signal may come before the fork has set what it does about it
            os.kill(second, signal.SIGTERM)
        return not running([second])

    patiently(is_ended, 5)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ((-9,), "who was killed again and again, most likely for want of memory: lower it"),
        ((), "who was killed again and again, most likely for want of memory: lower it"),
        ((0, 255, -15), "who was killed again and again, most likely for want of memory: lower it"),
        ((0, 3), "who ended with exit code 3 again and again: your code, or a library that it uses, ends the process (os._exit)"),
        ((-15, -11), "who crashed again and again (SIGSEGV), most likely in a compiled library that your code uses"),
        ((-99,), "who crashed again and again (signal 99), most likely in a compiled library that your code uses"),
    ],
)
def test_an_end_is_told_by_what_it_was(codes: tuple[int, ...], said: str) -> None:
    assert words("who", codes, "lower it") == said
