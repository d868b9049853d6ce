"""What `torchrun` is asked for, where it starts several processes of one script on this machine and no more: they can be forked then."""

import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COUNT = ("--nproc_per_node", "--nproc-per-node")
PASSED = (
    "--master_port",
    "--master-port",
    "--master_addr",
    "--master-addr",
    "--nnodes",
)  # each with a value; here processes meet by themselves
ONE_MACHINE = {"--nnodes": {"1", "1:1"}, "--master_addr": {"localhost", "127.0.0.1"}, "--master-addr": {"localhost", "127.0.0.1"}}
MOST = 64  # ours: processes that are forked at once


@dataclass(frozen=True)
class Ranks:
    """`given` is what a Python is given: a script or `-m` and a module, with its arguments; `count` is the number of processes."""

    given: list[str]
    count: int

    def environments(self) -> list[dict[str, str]]:
        """What torchrun adds to the environment of each process."""
        together = {
            "WORLD_SIZE": str(self.count),
            "LOCAL_WORLD_SIZE": str(self.count),
            "ROLE_WORLD_SIZE": str(self.count),
            "GROUP_WORLD_SIZE": "1",
            "GROUP_RANK": "0",
            "ROLE_NAME": "default",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
            "TORCHELASTIC_RUN_ID": "none",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "TORCHELASTIC_MAX_RESTARTS": "0",
        }
        return [{**together, "RANK": str(rank), "LOCAL_RANK": str(rank), "ROLE_RANK": str(rank)} for rank in range(self.count)]


def ranks_of(command: Sequence[str]) -> Ranks | None:
    """What a command of this Python's own torchrun starts; None where it is another command, or asks for anything else.

    >>> ranks_of(["python", "train.py"]) is None
    True
    """
    found = shutil.which(command[0])
    if found is None or Path(found).name != "torchrun" or Path(found).parent != Path(sys.executable).parent:
        return None
    count, words = 1, list(command[1:])
    while words and words[0].startswith("--"):
        name, equals, value = words.pop(0).partition("=")
        if name == "--standalone" and not equals:
            continue
        if not equals:
            value = words.pop(0) if words else ""
        if name in COUNT and value.isdecimal() and 1 <= int(value) <= MOST:
            count = int(value)
        elif name not in PASSED or value not in ONE_MACHINE.get(name, {value}):
            return None
    if len(words) > 1 and words[0] == "-m":
        return Ranks(words, count)
    return Ranks(words, count) if words and words[0].endswith(".py") and Path(words[0]).is_file() else None


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
