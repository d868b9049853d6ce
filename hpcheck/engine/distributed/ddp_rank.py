"""What each process of a run over several devices does: join the others, compute what the first one is told, again and again."""

import datetime
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from hpcheck.engine.checkpoints import ask_to_stop, stop_asked
from hpcheck.engine.distributed import team
from hpcheck.engine.distributed.mailbox import Mailbox, Order
from hpcheck.engine.pool import worker
from hpcheck.errors import InputError, Stopped

IDLE_SECONDS = 0.02
PATIENCE = datetime.timedelta(days=1)  # ours: the others may load data for long; a lost process is noticed by torchrun, not by waiting
WAIT, COMPUTE, END = range(3)
PARENT = os.getppid()


def main(device_name: str, mailbox: Mailbox | None) -> NoReturn:
    """Serve until the command has nothing more to ask, has gone, or this process is told to end. The first process has the mailbox."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ask_to_stop)
    os.dup2(2, 1)
    if mailbox is not None:
        mailbox.when_abandoned(_end)
    try:
        device = own_device(device_name)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        join("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        serve(device, mailbox)
    except Exception as error:
        if mailbox is not None and not lost_another(error):
            mailbox.fail(error)
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        os._exit(1)  # at once: leaving a group that has lost a process may wait for it; torchrun starts all of them anew
    dist.destroy_process_group()
    sys.stderr.flush()
    os._exit(0)  # at once: of the group's own threads one may live on, and an ordinary end has been aborted for it


def join(backend: str) -> None:
    """Meet the other processes.

    torchrun keeps one store over its restarts, with the addresses of the processes that it has killed: who is quicker than the others
    would call those. So each start has its own part of the store. Several machines count their restarts apart, and share one part.
    """
    store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
    store.set_timeout(PATIENCE)
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        store = PrefixStore(f"start-{os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)


def own_device(name: str) -> torch.device:
    """One device each. Raises `InputError` where the machine has too few."""
    device = worker.resolve_device(name)
    if device.type == "mps":
        raise InputError("run.devices: mps is one device; take device cpu, or run.devices 1")
    if device.type != "cuda":
        return device
    number, here = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= here:
        raise InputError(f"run.devices: {os.environ['LOCAL_WORLD_SIZE']} on this machine, which has {here} CUDA devices")
    return torch.device("cuda", number)


def serve(device: torch.device, mailbox: Mailbox | None) -> None:
    """Compute what is asked for until the end is said."""
    asks = team.is_first() and mailbox is not None
    while True:
        order = mailbox.next() if asks and mailbox is not None else None
        over = stop_asked() or (asks and mailbox is not None and mailbox.is_last())
        word = team.agreed(END if over else WAIT if order is None else COMPUTE)
        if word == END:
            return
        if word == WAIT:
            time.sleep(IDLE_SECONDS)
            continue
        told: Order = team.told(order)
        try:
            worker.work(told.spec, told.run_id, told.directory, str(device), told.threads)
        except Stopped:
            return
        except Exception as error:
            if not lost_another(error):
                _fail(told.mailbox, error)
            raise
        if team.is_first():
            told.done.touch()


def lost_another(error: Exception) -> bool:
    """Whether the error says no more than that another process is gone."""
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)  # gloo has no class of its own for it


def _fail(mailbox: Path, error: BaseException) -> None:
    """Tell the command, and end: the others may wait for this process for ever."""
    if mailbox.is_dir():  # on the command's machine
        Mailbox(mailbox).fail(error)
    else:
        sys.excepthook(type(error), error, error.__traceback__)
    os._exit(1)


def _end() -> None:
    """The command is gone: so is the torchrun that it started, which would start this process again, and this process."""
    if os.getppid() == PARENT > 1:  # otherwise the command was the parent
        os.kill(PARENT, signal.SIGTERM)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], Mailbox(Path(sys.argv[2])) if len(sys.argv) > 2 else None)
