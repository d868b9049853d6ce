"""One run at a time over several devices: torchrun starts a process for each, and starts all of them again where one is lost."""

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from hpcheck.engine.distributed.mailbox import Mailbox, Order
from hpcheck.engine.pool.pool import POLL_SECONDS, STOP_SECONDS, Ahead, Job, available_cores, cost, nothing
from hpcheck.engine.pool.threads import openmp
from hpcheck.errors import RunFailedError

MOST_RESTARTS = 3  # ours: a process that is killed more often than that in one command is killed for a reason
LOOK_SECONDS = 0.02
RANK = "hpcheck.engine.distributed.ddp_rank"


class Devices:
    """`devices` processes, one a device, that live as long as the command and compute one run after the other together.

    A process that is lost costs the time since the last checkpoint: torchrun starts all of them anew, and they go on from there.
    """

    def __init__(self, device: str, devices: int, threads: int | None) -> None:
        self.device, self.devices, self.threads = device, devices, threads
        self._mailbox: Mailbox | None = None
        self._processes: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._busy = False

    def execute(
        self,
        jobs: Sequence[Job],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        """Run all `jobs`, one by one, and nothing `ahead`. The first failure is raised."""
        directory.mkdir(parents=True, exist_ok=True)
        share = max(1, available_cores() // processes_here(self.devices))
        threads = self.threads or min(share, openmp() or share)
        try:
            for run_id, spec in sorted(jobs, key=cost):
                self._compute(self._started().put(spec, run_id, directory, threads), on_poll)
        except BaseException:
            self.close()
            raise

    def _compute(self, order: Order, on_poll: Callable[[], None]) -> None:
        self._busy, polled = True, time.monotonic()
        while not order.done.exists():
            error = self._started().failure()
            if error is not None:
                raise error
            if self._processes is not None and self._processes.poll() is not None:
                raise RunFailedError(self._why_lost(order))
            time.sleep(LOOK_SECONDS)
            if time.monotonic() - polled >= POLL_SECONDS:
                on_poll()
                polled = time.monotonic()
        self._busy = False
        on_poll()

    def _why_lost(self, order: Order) -> str:
        content = (order.mailbox / "log").read_text(encoding="utf-8", errors="replace")
        last = next((line for line in reversed(content.splitlines()) if line.strip()), "nothing was said")
        return (
            f"{order.spec.label or order.run_id}: the {self.devices} processes of this run ended, or were killed more than "
            f"{MOST_RESTARTS} times, most likely for want of memory: lower the batch size; last words: {last}"
        )

    def _started(self) -> Mailbox:
        if self._mailbox is None:
            self._mailbox = Mailbox.made()
            self._log = (self._mailbox.path / "log").open("wb")
            environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}  # each run sets its own
            # in a session of its own: Ctrl-C in a terminal is the command's to handle
            self._processes = subprocess.Popen(
                [sys.executable, *self._torchrun(), RANK, self.device, str(self._mailbox.path)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        return self._mailbox

    def _torchrun(self) -> list[str]:
        if outer_rank() is not None:
            return ["-m"]  # the first process of the torchrun that this command was started by
        options = ["--standalone", f"--nproc-per-node={self.devices}", f"--max-restarts={MOST_RESTARTS}", "--monitor-interval=0.1"]
        return ["-m", "torch.distributed.run", *options, "-m"]

    def close(self) -> None:
        """End the processes. A run under way leaves a checkpoint after its step; what has not ended soon is killed."""
        mailbox, processes, self._mailbox, self._processes = self._mailbox, self._processes, None, None
        if mailbox is None or processes is None:
            return
        if self._busy:
            processes.terminate()
        else:
            mailbox.say_last()
        try:
            processes.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            processes.kill()
            processes.wait()
        mailbox.remove()  # the end of those that still live
        if self._log is not None:
            self._log.close()
        self._busy = False


def outer_rank() -> int | None:
    """This process's number where the command was itself started by torchrun; None where it was not."""
    return int(os.environ["RANK"]) if {"RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"} <= os.environ.keys() else None


def outer_settings() -> list[str]:
    """What an outer torchrun says of the config, as overrides: so many devices as it has started processes."""
    return [] if outer_rank() is None else [f"run.devices={os.environ['WORLD_SIZE']}"]


def processes_here(devices: int) -> int:
    """How many of them are on this machine."""
    return devices if outer_rank() is None else int(os.environ.get("LOCAL_WORLD_SIZE", devices))


def join_outer(device: str) -> None:
    """Under an outer torchrun all processes but the first become part of its runs, here and for good; the first one is the command."""
    if outer_rank():
        importlib.import_module(RANK).main(device, None)  # never comes back
