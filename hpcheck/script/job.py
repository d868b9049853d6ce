"""What a driver asks of a launched script, and what the script tells it: a small file each way, named by an environment variable."""

import json
import mmap
import os
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JOB = "HPCHECK_JOB"  # the folder of a job
PHASE, UPDATES, BEATS = range(3)  # cells of a pulse
PULSE = struct.Struct("=3q")
STARTED, FOLLOWING, EVALUATING, ENDED = range(4)  # phases of a launched script


class ScriptError(Exception):
    """A script does something that cannot be followed: what, and what to change. It ends the script; where that catches it, the driver
    still hears of it."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        folder = folder_of_job()
        if folder is not None:
            tell(folder, "refused", {"words": words, "at": time.time()})


@dataclass(frozen=True)
class Job:
    """One launch. `mode`: "describe" tells what the script is, "run" makes one run, "time" takes the time of its updates."""

    mode: str
    seed: int
    total_batch_size: int | None = None  # None: what the script gives itself
    run_id: str = ""
    records: str = ""  # the folder of the record and of snapshots, absolute
    spec: Mapping[str, Any] | None = None
    fingerprint: str = ""
    threads: int = 0
    goes_on: bool = False  # after its last update the script goes on, to save what it saves
    told: Mapping[str, Any] = field(default_factory=dict)  # what the describe launch told
    since: float = 0.0  # when the search began: what was written after it may be of another launch

    def write(self, folder: Path) -> None:
        (folder / "job.json").write_text(json.dumps(asdict(self)), encoding="utf-8")
        (folder / "pulse").write_bytes(PULSE.pack(STARTED, 0, 0))


def folder_of_job() -> Path | None:
    """The folder of the job that this process was launched for; None where nobody drives."""
    given = os.environ.get(JOB)
    return Path(given) if given else None


def read_job(folder: Path) -> Job:
    return Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))


class Pulse:
    """How far a script is, in memory that the driver looks into: it still knows after the script has died. `cells[UPDATES]` may be written
    by itself, in under 0.1 us."""

    def __init__(self, folder: Path) -> None:
        with (folder / "pulse").open("r+b") as file:
            self.cells = memoryview(mmap.mmap(file.fileno(), PULSE.size)).cast("q")

    @property
    def updates(self) -> int:
        return int(self.cells[UPDATES])

    def beat(self, phase: int, updates: int) -> None:
        self.cells[PHASE], self.cells[UPDATES] = phase, updates
        self.cells[BEATS] += 1


def pulse_in(folder: Path) -> tuple[int, int, int]:
    """Phase, updates and beats as the script last told them."""
    found: tuple[int, int, int] = PULSE.unpack((folder / "pulse").read_bytes())
    return found


def tell(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Leave `content` for the driver; what another rank told first stands."""
    path = folder / f"{name}.json"
    temporary = folder / f".{name}.{os.getpid()}"
    temporary.write_text(json.dumps(content), encoding="utf-8")
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def told(folder: Path, name: str) -> dict[str, Any] | None:
    """What the script left under this name."""
    with suppress(FileNotFoundError):
        found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return found
    return None
