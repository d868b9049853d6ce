"""Several processes that compute one run together, for tests: forked from a server that has imported torch, joined through gloo."""

import datetime
import multiprocessing
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["hpcheck.engine.pool.preload"])


def together(count: int, folder: Path, function: Callable[..., None], *arguments: Any) -> None:
    """Call `function` with these arguments in each of `count` processes, the working directory of each this one's. All must succeed."""
    meeting = folder / f"meeting-{os.getpid()}-{len(list(folder.glob('meeting-*')))}"
    processes = [SERVER.Process(target=_rank, args=(rank, count, meeting, Path.cwd(), function, arguments)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        if process.exitcode is None:
            process.kill()
    assert [process.exitcode for process in processes] == [0] * count


def _rank(rank: int, count: int, meeting: Path, folder: Path, function: Callable[..., None], arguments: Sequence[Any]) -> None:
    import torch
    import torch.distributed as dist

    os.chdir(folder)
    torch.set_num_threads(1)
    patience = datetime.timedelta(seconds=60)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count, timeout=patience)
    try:
        function(*arguments)
    finally:
        dist.destroy_process_group()
