"""A folder through which a command hands runs to processes that it did not start itself, and hears how they went."""

import json
import os
import select
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpcheck.engine.distributed.wire import error_from_text, error_to_text, spec_from_text, spec_to_text
from hpcheck.runs.spec import Spec


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
    """Orders one after the other, each marked once it is done; the first failure ends all. Only the user can read or write in it."""

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
        told = {"spec": spec_to_text(spec), "run_id": run_id, "directory": str(order.directory), "threads": threads}
        self._write(f"{self._next:06d}.order", json.dumps(told))
        self._next += 1
        return order

    def say_last(self) -> None:
        """Nothing more will be asked for."""
        self._write("last", "")

    def is_last(self) -> bool:
        return (self.path / "last").exists() or not self.path.exists()

    def next(self) -> Order | None:
        """The oldest run that is asked for and not done, however often this process has been started anew."""
        while (self.path / f"{self._next:06d}.done").exists():
            self._next += 1
        with suppress(FileNotFoundError):
            told = json.loads((self.path / f"{self._next:06d}.order").read_text(encoding="utf-8"))
            spec = spec_from_text(told["spec"])
            return Order(spec, told["run_id"], Path(told["directory"]), told["threads"], self.path, self._next)
        return None

    def fail(self, error: BaseException) -> None:
        """Say why nothing can go on; what another process said first stands."""
        with suppress(FileExistsError, FileNotFoundError):
            self._write(f"{os.getpid()}.failure", error_to_text(error))
            os.link(self.path / f"{os.getpid()}.failure", self.path / "failed")

    def failure(self) -> BaseException | None:
        with suppress(FileNotFoundError):
            return error_from_text((self.path / "failed").read_text(encoding="utf-8"))
        return None

    def when_abandoned(self, act: Callable[[], None]) -> None:
        """Call `act`, from a thread, when the process that made this is gone, however it ended."""
        threading.Thread(target=_listen, args=(self.path / "alive", act), daemon=True).start()

    def _write(self, name: str, content: str) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        temporary.write_text(content, encoding="utf-8")
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
