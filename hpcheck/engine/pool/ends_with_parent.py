"""Imported first by the server that workers are forked from: it ends with the process that started it, also while it imports torch.

That import takes seconds, and many on a busy machine, in which the server looks at nothing. On Linux the kernel sees to it; elsewhere the
server ends once it has imported all. A worker is not ended so: it outlives a server that was killed, and looks after its parent itself.
"""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends. Processes that are forked from it do not inherit that."""
    if not sys.platform.startswith("linux"):
        return
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


end_with_parent()
