"""The standard library's pool of processes, and all that we use of its private attributes; torch is imported in the workers, never here.

Workers are forked from a server that has imported torch once and computed nothing, so a start costs milliseconds. loky, which could be told
to kill its workers without a private attribute, starts each by a new interpreter, which would import torch anew in every one.
"""

import errno
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver, resource_tracker
from types import ModuleType
from typing import Any, TypeVar, cast

from hpcheck.engine.pool.descendants import Descendants, end_of_this_process
from hpcheck.engine.pool.ends_with_parent import PARENT
from hpcheck.engine.pool.handles import Handle

PRELOAD = ["hpcheck.engine.pool.ends_with_parent", "hpcheck.engine.pool.preload"]  # in this order
CLOSED = (None, errno.EBADF)  # of an error: the handle is closed, as multiprocessing finds it, or as the system does
WHERE_SECONDS = 0.3  # ours: before a worker that does not end is killed, so long has it to say where it is
ASK_SECONDS = 0.3  # ours: how often a caller that waits for an answer looks whether the pool still lives
MANAGER_SECONDS = 1.0  # ours: its thread has nothing left to wait for once the workers are gone
Answer = TypeVar("Answer")


class Executor:
    """At most `workers` processes, each started when there is work for it; `start` is called first in each."""

    def __init__(self, workers: int, start: Callable[[], None]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        _start_tracker()  # a pool has locks, and the first one would start it
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(start,))
        self._handles: dict[int, Handle] = {}  # by process id

    def submit(self, work: Callable[..., Answer], *arguments: Any) -> Future[Answer]:
        """Hand work to a worker. Raises `BrokenProcessPool` where a worker was killed before, an idle one too, or where the server was."""
        _start_server()  # it runs, unless it was killed
        try:
            with _without_main():
                future = self._pool.submit(_at_work, work, *arguments)
            self._take_handles()
            return future
        except (ConnectionError, EOFError) as error:  # the server that forks workers is gone, or going
            if isinstance(error, ConnectionRefusedError | EOFError):
                _end_server()  # on a busy machine it counts as running for a while, in which each further try would find it closed
            raise BrokenProcessPool(str(error)) from error
        except OSError as error:
            if error.errno not in CLOSED:
                raise
            raise BrokenProcessPool(str(error)) from error  # the pool is closing, since a worker was killed at this moment

    def ask(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        """What `work` returns. Raises as `submit` does, and what `work` raises."""
        future = self.submit(work, *arguments)
        while True:
            try:
                return future.result(ASK_SECONDS)
            except TimeoutError:
                if future.done():
                    return future.result()
                if self.cancel_forgotten([future]):
                    raise BrokenProcessPool("a worker was killed") from None

    def cancel_forgotten(self, futures: Iterable[Future[Any]]) -> bool:
        """Cancel what a broken pool will never tell of: work that was handed in while it broke. Returns whether there was any."""
        manager = self._manager()
        if not self._pool._broken or (manager is not None and manager.is_alive()):
            return False
        cancelled = [future.cancel() for future in futures]  # all of them
        return any(cancelled)

    def _manager(self) -> threading.Thread | None:
        """The thread that hands out work and collects answers; it ends when the pool breaks."""
        return cast(threading.Thread | None, self._pool._executor_manager_thread)  # typeshed has another class

    def pids(self) -> list[int]:
        """The worker processes."""
        return list(self._pool._processes or {})

    def end(self, seconds: float) -> list[int]:
        """End the workers, and what came of them: by SIGTERM, and after so many seconds by SIGKILL. Then every future is done, save
        forgotten ones. Returns the exit codes of the workers that were not killed here."""
        if self._pool._processes == {}:
            _end_server()
        self._take_handles()
        manager, descendants = self._manager(), Descendants()  # `shutdown` forgets the manager
        descendants.look(list(self._handles))
        self._ask_all_to_end()
        self._pool.shutdown(wait=False, cancel_futures=True)
        until, ended = time.monotonic() + seconds, list[Handle]()
        for end in (until - WHERE_SECONDS, until):
            if end == until:  # these are stuck
                for handle in self._handles.values():
                    handle.ask_where()
            while self._handles and (left := end - time.monotonic()) > 0:
                ended += self._ended(min(left, ASK_SECONDS))
                descendants.look(list(self._handles))
                if manager is None or not manager.is_alive():  # one that was at work has stopped, and waits for a pool that is gone
                    self._ask_all_to_end()
        for handle in self._handles.values():
            handle.kill()
            handle.close()
        self._handles = {}
        descendants.end()
        if manager is not None:
            manager.join(MANAGER_SECONDS)
        return [handle.exit_code() for handle in ended]

    def _ended(self, seconds: float) -> list[Handle]:
        """The workers that end within so many seconds; they are forgotten."""
        ends = {handle.end: pid for pid, handle in self._handles.items()}
        ended = [self._handles.pop(ends[end]) for end in connection.wait(list(ends), seconds)]  # type: ignore[index]
        for handle in ended:
            handle.close()
        return ended

    def _take_handles(self) -> None:
        """Of the workers that have been started since."""
        for pid, process in list((self._pool._processes or {}).items()):
            if pid not in self._handles:
                self._handles[pid] = Handle(process)

    def _ask_all_to_end(self) -> None:
        for handle in self._handles.values():
            handle.ask_to_end()


def _begin(start: Callable[[], None]) -> None:
    """The first that a worker does: look after its parent, and only then what takes long. On a busy machine `start` imports for seconds."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    start()


def _end_with(parent_sentinel: int) -> None:
    connection.wait([parent_sentinel])
    try:
        end_of_this_process()
    finally:
        os._exit(1)


def start_early() -> None:
    """Start the server that workers are forked from before there is work: it imports torch while this process imports what it needs. It
    ends with this process."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    _start_server()


def is_at_work() -> bool:
    """Whether this process, a worker, computes something; an idle one has nothing to save when it is asked to end."""
    return bool(_works)


@contextmanager
def _without_main() -> Iterator[None]:
    """Within the body a new worker is told of no main module. It needs none, since it imports what it computes by name; and the main module
    may be a person's script that calls `hpcheck.run`, which the worker would call again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


_works: list[Callable[..., Any]] = []  # what this worker computes: at most one


def _at_work(work: Callable[..., Answer], *arguments: Any) -> Answer:
    _works.append(work)
    try:
        return work(*arguments)
    finally:
        _works.pop()


def _start_server() -> None:
    """Start the server that workers are forked from with SIGINT, SIGTERM and SIGHUP blocked in it and in them: each may go to the whole
    process group, and is the parent's to handle. (A worker takes SIGTERM once it knows what to do with it.)"""
    _start_tracker()  # the server would start it, and it unblocks two of the signals
    with _blocked():
        os.environ[PARENT] = str(os.getpid())
        try:
            forkserver.ensure_running()
        finally:
            del os.environ[PARENT]


def _start_tracker() -> None:
    """Start the process that removes named semaphores once all others are gone. It ignores SIGINT and SIGTERM by itself, but not a closed
    terminal's SIGHUP; a signal that is blocked when it starts stays blocked in it."""
    with _blocked():
        resource_tracker.ensure_running()


@contextmanager
def _blocked() -> Iterator[None]:
    """Within the body a process begins with the signals blocked that the parent handles."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_server() -> None:
    """Kill the server and wait for its end: it has closed already, or no worker has come of it yet. It may be importing torch still, and
    would then fork a worker for a command that is gone, which writes a traceback over the last words."""
    server = forkserver._forkserver  # multiprocessing starts another where it is wanted
    pid = server._forkserver_pid  # type: ignore[attr-defined]
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        with suppress(FileNotFoundError):  # of its socket
            server._stop()  # type: ignore[attr-defined]
