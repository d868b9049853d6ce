"""What the driver knows of a user's script: what its describe launch told, the files that it is made of, and so its identity."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcheck import __version__
from hpcheck.engine.pool.pool import MOST_RETRIES, available_cores
from hpcheck.errors import ChangedError, InputError
from hpcheck.files import plain_json
from hpcheck.files.regular import MIB, opened, read_whole
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.files import write_whole
from hpcheck.runs.spec import basis
from hpcheck.runs.told import COUNT, FLAG, LOOPS, WORD, first_wrong
from hpcheck.script import outcome
from hpcheck.script.job import Job, told
from hpcheck.script.launch import Launcher

FILE = "script.json"  # in the run directory: values only, checked against the files before it is believed
LOOK_SECONDS = 0.02
MOST_NAMED = 5  # files that one line names
OF_A_SCRIPT = {"loops": LOOPS, "processes": COUNT, "snapshots": FLAG, "device": WORD}


@dataclass
class Description:
    """`told` is what the describe launch said; `files` are all that a run's identity takes in, with their hashes."""

    command: tuple[str, ...]
    told: dict[str, Any]
    files: dict[str, str]
    version: str = ""
    seeded: bool = True  # False once two runs with one seed were seen to begin otherwise

    @property
    def fingerprint(self) -> str:
        """What identifies the script: command, contents of its files, sizes, groups. Where it lies does not count."""
        here = Path.cwd().resolve()
        files = {_name(Path(path), here): digest for path, digest in self.files.items()}
        sizes = {
            key: self.told.get(key) for key in ("train_examples", "validation", "metric", "metric_is", "groups", "optimizer", "processes")
        }
        content = {"command": list(self.command), "files": files, "version": self.version, **sizes}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def device(self) -> str:
        return str(self.told.get("device", "cpu"))

    @property
    def processes(self) -> int:
        return int(self.told.get("processes", 1))

    def refuse_changed(self) -> None:
        """Raise `ChangedError` where a file is another than when the command looked."""
        for path, digest in self.files.items():
            if hash_of(Path(path)) != digest:
                raise ChangedError(f"{path} changed while the command ran; give the command again")

    def environment(self, threads: int) -> dict[str, Any]:
        """What the record of a measurement says of where it was made."""
        found = {"hpcheck": __version__, "python": platform.python_version(), "device": self.device, "device_name": platform.machine()}
        return {**found, "threads": threads, "data": self.fingerprint[:16], "identity": basis(self.fingerprint, "")}

    def save(self, folder: Path) -> None:
        """Keep it beside the records, for the next command."""
        content = {"command": list(self.command), "told": self.told, "files": self.files, "version": self.version, "seeded": self.seeded}
        write_whole(folder / FILE, json.dumps(content, indent=1, sort_keys=True) + "\n")


def hash_of(path: Path) -> str:
    """The hash of a file's contents; "" where it cannot be read."""
    try:
        with opened(path) as file:  # a name may come from a run directory, and of a device
            digest = hashlib.sha256()
            while part := file.read(MIB):
                digest.update(part)
            return digest.hexdigest()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return ""


def saved(folder: Path, command: Sequence[str], version: str, reads: Sequence[str], check: bool = True) -> Description | None:
    """The description that lies in a run directory, where it is of this command and (unless `check` is off) its files are unchanged."""
    try:
        content = plain_json.loads(read_whole(folder / FILE, MIB))
        found = Description(tuple(content["command"]), content["told"], content["files"], content["version"], content["seeded"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_told(found.told) or not isinstance(found.files, dict) or not isinstance(found.seeded, bool):
        return None
    if found.command != tuple(command) or found.version != version:
        return None
    if check and (
        {str(Path(one).resolve()) for one in reads} - found.files.keys() or any(hash_of(Path(at)) != one for at, one in found.files.items())
    ):
        return None
    return found


def is_told(told: Any) -> bool:
    """Whether these are values such as a describe launch tells: in a run directory that came from elsewhere they may be anything."""
    return first_wrong(told, OF_A_SCRIPT) is None


def described(
    command: Sequence[str],
    seed: int,
    batch_size: int | None,
    reads: Sequence[str],
    version: str,
    limit: float,
    launcher: Launcher,
    say: Callable[[str], None] = lambda _: None,
) -> Description:
    """Launch the script once, as it is, for two updates and an evaluation. Raises `UsersCodeError` where it cannot be followed."""
    missing = [one for one in reads if not Path(one).is_file()]
    if missing:
        raise InputError(f"script_reads: there is no file {missing[0]}")
    job, started = Job("describe", seed=seed, total_batch_size=batch_size), time.monotonic()
    found = None
    for left in reversed(range(1 + MOST_RETRIES)):
        found = found or _looked_at(command, job, limit, launcher, is_last=not left)
    assert found is not None
    given = {str(path.resolve()): hash_of(path) for path in (*files_in(command[1:]), *map(Path, reads))}
    files: Mapping[str, str] = found.pop("files")
    opened = found.pop("reads", [])
    if wrong := first_wrong(found, OF_A_SCRIPT):
        raise UsersCodeError(f"{outcome.named(command)}: {wrong}")
    say(f"{outcome.named(command)}: {in_words(found)} ({time.monotonic() - started:.1f} s to look at it)")
    if unnamed := _unnamed(opened, given):
        say(f"{outcome.named(command)} reads {', '.join(unnamed)}: name it in script_reads, or runs are not made anew when it changes")
    if not found["seed_asked"]:
        say(f"{outcome.named(command)} never calls hpcheck.seed: if its runs draw random numbers, comparisons are not paired")
    return Description(tuple(command), found, {**files, **given}, version)


def files_in(words: Sequence[str]) -> list[Path]:
    """The files that words of a command name, also as `--config=FILE`."""
    paths = [Path(part) for word in words for part in dict.fromkeys((word, word.partition("=")[2])) if part]
    return [path for path in paths if path.is_file()]


def _unnamed(opened: Sequence[str], given: Mapping[str, str]) -> list[str]:
    """The files of settings in the working directory that a script opened and nobody named."""
    here = Path.cwd().resolve()
    found = dict.fromkeys(Path(one).resolve() for one in opened)
    inside = [path for path in found if path.is_relative_to(here) and str(path) not in given]
    return [str(path.relative_to(here)) for path in inside[:MOST_NAMED]]


def _looked_at(command: Sequence[str], job: Job, limit: float, launcher: Launcher, is_last: bool) -> dict[str, Any] | None:
    """What one launch told. None where it was killed from outside, unless it is the last that is made."""
    launch = launcher.launch(job, available_cores(), limit)
    try:
        while (code := launch.poll()) is None:
            time.sleep(LOOK_SECONDS)
            if launch.is_silent():
                raise outcome.silent(command, job, launch.folder, limit, "")
        found, output = told(launch.folder, "described"), launch.output()
        if found is not None or (outcome.was_killed(code, output) and not is_last):
            return found
        if outcome.ran_out(output):
            raise InputError(f"{outcome.named(command)} ran out of memory at its own batch size; lower it, or give start.total_batch_size")
        raise outcome.failure(command, job, launch.folder, code, output, "looking at the script")
    finally:
        launch.end()


def in_words(found: Mapping[str, Any]) -> str:
    """What the script is."""
    groups = f", {len(found['groups'])} parameter groups" if len(found["groups"]) > 1 else ""
    examples = f"{found['train_examples']} training examples, " if found["train_examples"] else ""
    processes = f", {found['processes']} processes" if found["processes"] > 1 else ""
    own = f"lr {found['lr']:g}, weight decay {found['weight_decay']:g}" if found["lr"] is not None else "no torch optimizer"
    return (
        f"{found['optimizer'] or 'an optimizer of its own'}{groups}, {examples}{found['validation']} validation examples, batch size "
        f"{found['total_batch_size']}, {own}{processes}, on {found['device']}"
    )


def _name(path: Path, here: Path) -> str:
    """A file's name in an identity: from the working directory on where it lies in there."""
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name
