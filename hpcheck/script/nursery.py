"""A server that has imported torch and what a script imports: each launch of the script is forked from it. It computes nothing."""

import ast
import contextlib
import ctypes
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Ours: libraries whose import starts no thread and computes nothing, so that a fork of it is as a fresh process.
SAFE = {"torch", "torchvision", "numpy", "scipy", "sklearn", "pandas", "PIL", "tqdm", "yaml", "einops", "timm", "matplotlib"}
SOCKET = "nursery"
SET_DEATH_SIGNAL = 1  # Linux's prctl


def can_fork() -> bool:
    """Whether processes can be waited for by a handle."""
    return hasattr(os, "pidfd_open")


def python_of(command: Sequence[str]) -> list[str] | None:
    """What a command gives to this very Python: `[script, ...]` or `["-m", module, ...]`; None for any other command, and where processes
    cannot be waited for by a handle."""
    found = shutil.which(command[0])
    if found is None or not can_fork() or Path(found).parent != Path(sys.executable).parent or not Path(found).samefile(sys.executable):
        return None
    given = [word for at, word in enumerate(command[1:]) if not (word == "-u" and at == 0)]
    if len(given) > 1 and given[0] == "-m":
        return given
    return given if given and given[0].endswith(".py") and Path(given[0]).is_file() else None


def imports_of(given: Sequence[str]) -> list[str]:
    """The safe modules that a script imports by its own text."""
    path = Path(given[0]) if given[0] != "-m" else Path(*given[1].split(".")).with_suffix(".py")
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ["torch"]
    names = {"torch"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return sorted(name for name in names if name.split(".")[0] in SAFE)


def serve(path: str, modules: Sequence[str]) -> None:
    """Import, then fork a child for each request until nobody listens any more."""
    for name in ("hpcheck.script.inside.describing", "hpcheck.script.inside.courses", "hpcheck.script.inside.driven", *modules):
        try:
            importlib.import_module(name)
        except Exception as error:  # the script will say so itself
            print(f"{name}: {error}", file=sys.stderr)
    _warm_up()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen(64)
    os.rename(f"{path}.new", path)  # noqa: PTH104
    children: dict[int, tuple[int, socket.socket]] = {}  # by handle of the process
    while True:
        connections = {connection.fileno(): handle for handle, (_, connection) in children.items()}
        ready, _, _ = select.select([listener.fileno(), *children, *connections], [], [])
        for each in ready:
            if each == listener.fileno():
                _take(listener, children)
            elif each in children:
                _reap(each, children)
            elif connections.get(each) in children:  # the driver let go
                _kill(children[connections[each]][0])
                _reap(connections[each], children)


def _warm_up() -> None:
    """What torch imports when the first optimizer is made."""
    import torch

    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def _take(listener: socket.socket, children: dict[int, tuple[int, socket.socket]]) -> None:
    connection, _ = listener.accept()
    data, files, _, _ = socket.recv_fds(connection, 1 << 20, 1)
    asked = json.loads(data)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        listener.close()
        for handle, (_, other) in children.items():
            os.close(handle)
            other.close()
        connection.close()
        _child(asked, files[0])
    os.close(files[0])
    children[os.pidfd_open(pid)] = pid, connection


def _kill(pid: int) -> None:
    """A launch with what it started; one that has no session of its own yet has started nothing."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def _reap(handle: int, children: dict[int, tuple[int, socket.socket]]) -> None:
    pid, connection = children.pop(handle)
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(OSError):
        connection.sendall(str(code if code >= 0 else 128 - code).encode())
    connection.close()


def _child(asked: dict[str, Any], output: int) -> None:
    """Become the script. Never returns."""
    os.setsid()
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(asked["threads"]))
    code = _run(asked["given"])
    import atexit
    import threading

    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter's own end does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _run(given: Sequence[str]) -> int:
    """Run a script or module as `python` does; returns the exit code."""
    try:
        if given[0] == "-m":
            sys.argv, sys.path[0] = ["-m", *given[2:]], os.getcwd()  # noqa: PTH109
            runpy.run_module(given[1], run_name="__main__", alter_sys=True)
        else:
            script = os.path.abspath(given[0])  # noqa: PTH100
            sys.argv, sys.path[0] = list(given), os.path.dirname(script)  # noqa: PTH120
            runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return int(end.code or 0)
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
