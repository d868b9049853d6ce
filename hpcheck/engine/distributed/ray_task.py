"""What a Ray worker does: compute one run in a folder of its own, and return the files of it."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpcheck.engine.distributed.wire import error_to_text
from hpcheck.runs.spec import Spec


@dataclass(frozen=True)
class Task:
    """A run, and what it needs that another machine may not have."""

    spec: Spec
    run_id: str
    device: str
    threads: int
    parent: bytes | None  # the snapshot that it continues from
    working_directory: str  # the command's; used where it is here too
    modules: Mapping[str, bytes]  # sources of the user's modules, for where it is not
    scratch: str  # name of its folder: the same when it is tried again, so that it goes on from its checkpoint


@dataclass(frozen=True)
class Outcome:
    """The files that a run left, with their SHA-256, or the error that it ended in."""

    run_id: str
    files: Mapping[str, bytes]
    digests: Mapping[str, str]
    error: str | None = None  # as `wire.error_to_text` tells it


def compute(task: Task) -> Outcome:
    """The run's record and snapshots. An error of the run is returned, so that only a lost worker is tried again."""
    from hpcheck.engine.pool import worker

    folder = private_folder(task.scratch)
    try:
        settle(task, folder)
        if task.parent is not None:
            (folder / f"{getattr(task.spec, 'parent', '')}.pt").write_bytes(task.parent)
        worker.work(task.spec, task.run_id, folder, task.device, task.threads)
        names = (f"{task.run_id}{ending}" for ending in (".jsonl", ".pt", ".best.pt"))
        files = {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}
        outcome = Outcome(task.run_id, files, {name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    except Exception as error:
        outcome = Outcome(task.run_id, {}, {}, error_to_text(error))
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


def settle(task: Task, folder: Path) -> None:
    """Make the user's modules importable: from the command's working directory where that is here, else from copies."""
    if Path(task.working_directory).is_dir():
        os.chdir(task.working_directory)
        return
    os.chdir(folder)
    for name, source in task.modules.items():
        path = folder.joinpath("modules", *name.split("."))
        is_package = any(other.startswith(f"{name}.") for other in task.modules)
        path = path / "__init__.py" if is_package else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source)
    sys.path.insert(0, str(folder / "modules"))


def private_folder(name: str) -> Path:
    """A folder of that name under the system's temporary one, that no other user can have put there."""
    above = Path(tempfile.gettempdir()) / f"hpcheck-{os.getuid()}"
    above.mkdir(mode=0o700, exist_ok=True)
    status = above.lstat()
    if above.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="hpcheck-"))
    (above / name).mkdir(exist_ok=True)
    return above / name
