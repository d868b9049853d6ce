"""A folder through which a command hands runs to processes that it did not start itself, and hears how they went."""

import os
import pickle
import select
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpcheck.engine.processes import RunFailedError
from hpcheck.spec import Spec


@dataclass(frozen=True)
class Order:
    """A run to compute, and where its record goes."""

    spec: Spec
    run_id: str
    directory: Path
    threads: int
    mailbox: Path
    number: int

    @property
    def done(self) -> Path:
        return self.mailbox / f"{self.number:06d}.done"


class Mailbox:
    """Orders one after the other, each marked once it is done; the first failure ends all. Only the user can read or write in it.

    What lies in it is pickled: it passes between processes of one command, as what multiprocessing's pipes carry does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        self._line = -1

    @classmethod
    def made(cls) -> "Mailbox":
        """A new one, with the line that tells those who listen that this process lives."""
        box = cls(Path(tempfile.mkdtemp(prefix="hpcheck-")))
        os.mkfifo(box.path / "alive", 0o600)
        box._line = os.open(box.path / "alive", os.O_RDWR | os.O_NONBLOCK)  # held open, never written to
        return box

    def remove(self) -> None:
        """Remove it; whoever listens ends."""
        os.close(self._line)
        shutil.rmtree(self.path, ignore_errors=True)

    def put(self, spec: Spec, run_id: str, directory: Path, threads: int) -> Order:
        """Ask for a run."""
        order = Order(spec, run_id, directory.resolve(), threads, self.path, self._next)
        self._write(f"{self._next:06d}.order", pickle.dumps(order))
        self._next += 1
        return order

    def say_last(self) -> None:
        """Nothing more will be asked for."""
        self._write("last", b"")

    def is_last(self) -> bool:
        return (self.path / "last").exists() or not self.path.exists()

    def next(self) -> Order | None:
        """The oldest run that is asked for and not done, however often this process has been started anew."""
        while (self.path / f"{self._next:06d}.done").exists():
            self._next += 1
        with suppress(FileNotFoundError):
            order: Order = pickle.loads((self.path / f"{self._next:06d}.order").read_bytes())
            return order
        return None

    def fail(self, error: BaseException) -> None:
        """Say why nothing can go on; what another process said first stands."""
        try:
            content = pickle.dumps(error)
            pickle.loads(content)
        except Exception:  # an exception of the user's may be anything
            content = pickle.dumps(RunFailedError(f"{type(error).__name__}: {error}"))
        with suppress(FileExistsError, FileNotFoundError):
            self._write(f"{os.getpid()}.failure", content)
            os.link(self.path / f"{os.getpid()}.failure", self.path / "failed")

    def failure(self) -> BaseException | None:
        with suppress(FileNotFoundError):
            error: BaseException = pickle.loads((self.path / "failed").read_bytes())
            return error
        return None

    def when_abandoned(self, act: Callable[[], None]) -> None:
        """Call `act`, from a thread, when the process that made this is gone, however it ended."""
        threading.Thread(target=_listen, args=(self.path / "alive", act), daemon=True).start()

    def _write(self, name: str, content: bytes) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        temporary.write_bytes(content)
        temporary.replace(self.path / name)


def _listen(path: Path, act: Callable[[], None]) -> None:
    try:
        line = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        gone = os.read(line, 1) == b""  # nobody had it open
    except BlockingIOError:
        gone = False
    except FileNotFoundError:
        gone = True
    if not gone:
        ended = select.poll()
        ended.register(line, select.POLLHUP)
        ended.poll()
    act()
