"""Imported first by the server that workers are forked from: it ends with the process that started it, also while it imports torch.

That import takes seconds, and many on a busy machine, in which the server looks at nothing. On Linux the kernel sees to it; elsewhere the
server ends once it has imported all. A worker is not ended so: it outlives a server that was killed, and looks after its parent itself.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PARENT = "HPCHECK_SERVER_OF"  # in the environment of the server alone: who started it, which may be gone before this is imported


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends. Processes that are forked from it do not inherit that."""
    started_by = os.environ.pop(PARENT)
    if not sys.platform.startswith("linux"):
        return
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if started_by != str(os.getppid()):
        os._exit(1)


if PARENT in os.environ:
    end_with_parent()
