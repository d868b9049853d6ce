"""One launch of the user's command: its environment, the last of its output, whether it lives, and its end."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hpcheck.script import nursery
from hpcheck.script.job import JOB, Job, pulse_in
from hpcheck.script.torchrun import ranks_of

WARDEN = Path(__file__).with_name("warden.py")
KEPT = 1 << 16  # bytes of output that are kept, the last ones
END_SECONDS = 6.0  # ours: so long may a command take to end once it is told to; its warden kills it after 3
LOST = 128 + 9  # the exit code of a launch whose server was killed


class Guarded:
    """A command under a warden, which ends all of it when this process lets go or dies; the last of its output."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        ours, self._lifeline = os.pipe()
        output, theirs = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WARDEN), str(ours), *command],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                pass_fds=[ours],
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(ours)
            os.close(theirs)
        self.output = Output(output)

    def let_go(self) -> None:
        """Have the warden end it, without waiting."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def end(self) -> None:
        self.let_go()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Output:
    """Reads a pipe to its end and keeps the last of it."""

    def __init__(self, pipe: int) -> None:
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What there is, once nobody can write any more."""
        self._thread.join(2.0)
        return self._kept.decode("utf-8", errors="replace")

    def _read(self, pipe: int) -> None:
        while chunk := os.read(pipe, KEPT):
            self._kept += chunk
            del self._kept[:-KEPT]
        os.close(pipe)


class Nursery:
    """The server that a Python script's launches are forked from; None of it where the command is another."""

    def __init__(self, given: list[str]) -> None:
        self.given = given
        self.folder = Path(tempfile.mkdtemp(prefix="hpcheck-script-"))
        self._path = self.folder / nursery.SOCKET
        modules = nursery.imports_of(given)
        self._server = Guarded([sys.executable, "-u", "-m", nursery.__name__, str(self._path), *modules], dict(os.environ))

    def fork(self, environment: dict[str, str], threads: int, output: int) -> socket.socket | None:
        """Ask for a launch; the connection tells its exit code. None where the server has died."""
        while not self._path.exists():
            if self._server.process.poll() is not None:
                return None
            time.sleep(0.01)
        connection = socket.socket(socket.AF_UNIX)
        asked = {"given": self.given, "environment": environment, "folder": str(Path.cwd()), "threads": threads}
        try:
            connection.connect(str(self._path))
            socket.send_fds(connection, [json.dumps(asked).encode()], [output])
        except OSError:
            connection.close()
            return None
        return connection

    def lives(self) -> bool:
        return self._server.process.poll() is None

    def end(self) -> None:
        self._server.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Launcher:
    """Launches one command again and again; from a nursery where that is safe, also the processes of a torchrun."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self._ranks = ranks_of(self.command) if nursery.can_fork() else None
        self._given = nursery.python_of(self.command) if self._ranks is None else self._ranks.given
        self._nursery: Nursery | None = None

    def launch(self, job: Job, threads: int, limit: float) -> "Launch":
        if self._given is not None and (self._nursery is None or not self._nursery.lives()):
            self._nursery = Nursery(self._given)
        environments = [{}] if self._ranks is None else self._ranks.environments()
        return Launch(self.command, job, threads, limit, self._nursery, environments)

    @property
    def forks_ranks(self) -> bool:
        """Whether the processes of one training are forked one by one."""
        return self._ranks is not None

    def by_itself(self) -> None:
        """Launch each as a process of its own from here on: a script that uses a GPU or several processes."""
        self._given = None
        self.close()

    def close(self) -> None:
        if self._nursery is not None:
            self._nursery.end()
            self._nursery = None


def _code_from(connection: socket.socket) -> int:
    """What the server says of a launch's end; LOST where the server itself was killed. Raises `BlockingIOError` where there is no word."""
    try:
        said = connection.recv(16)
    except ConnectionError:
        return LOST
    return int(said) if said else LOST


class Launch:
    """A command that was launched for a job."""

    def __init__(
        self,
        command: Sequence[str],
        job: Job,
        threads: int,
        limit: float,
        server: Nursery | None = None,
        environments: Sequence[dict[str, str]] = ({},),
    ) -> None:
        self.job, self.limit = job, limit
        self.folder = Path(tempfile.mkdtemp(prefix="hpcheck-script-"))
        job.write(self.folder)
        environment = {**os.environ, JOB: str(self.folder), "HPCHECK_DRIVER": str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        environment.pop("HPCHECK_SETTINGS", None)
        environment.setdefault("OMP_NUM_THREADS", str(threads))
        self._guarded: Guarded | None = None
        self._connections: list[socket.socket] = []  # to the server, of each process that has not ended
        self._codes: list[int] = []  # of those that have
        self._code: int | None = None
        if server is not None:
            output, theirs = os.pipe()
            threads = int(environment["OMP_NUM_THREADS"])
            asked = [server.fork({**environment, **more}, threads, theirs) for more in environments]
            os.close(theirs)
            self._output = Output(output)
            self._connections = [one for one in asked if one is not None]
            for connection in self._connections:
                connection.setblocking(False)
            if len(self._connections) < len(asked):
                self.let_go()
                self._code = LOST
        else:
            self._guarded = Guarded(command, environment)
            self._output = self._guarded.output
        self._pulse, self._beat_at = (0, 0, 0), time.monotonic()

    def poll(self) -> int | None:
        """The exit code, 128 and the signal's number where it was killed; None while it runs."""
        if self._guarded is not None:
            return self._guarded.process.poll()
        if self._code is None:
            self._look()
        return self._code

    def _look(self) -> None:
        """Where one process has failed, the others are ended; its word is waited for until the next look, for they fail of its end too."""
        failed = any(self._codes)
        for connection in tuple(self._connections):
            with suppress(BlockingIOError):
                self._codes.append(_code_from(connection))
                connection.close()
                self._connections.remove(connection)
        if failed or not self._connections:
            self._code = LOST if LOST in self._codes else next((code for code in self._codes if code), 0)
            self._drop()

    def is_silent(self) -> bool:
        """Whether it has made no update and no evaluation for longer than the limit."""
        pulse = pulse_in(self.folder)
        if pulse != self._pulse:
            self._pulse, self._beat_at = pulse, time.monotonic()
        return time.monotonic() - self._beat_at > self.limit

    def output(self) -> str:
        """The last of what it wrote, to stdout and stderr."""
        return self._output.text()

    def let_go(self) -> None:
        """Have it ended, without waiting."""
        if self._guarded is not None:
            self._guarded.let_go()
        if self._connections:
            self._drop()
            self._code = self._code if self._code is not None else LOST

    def _drop(self) -> None:
        """Have the server end the processes that run."""
        for connection in self._connections:
            connection.close()
        self._connections = []

    def end(self) -> None:
        """End it where it runs still, and remove its folder."""
        self.let_go()
        if self._guarded is not None:
            self._guarded.end()
        shutil.rmtree(self.folder, ignore_errors=True)
