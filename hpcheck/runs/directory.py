"""The run directory: where a checklist's config, records, plots and recommendation lie, and the look-up of records by identity."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpcheck import config as configs
from hpcheck.config import Config
from hpcheck.errors import InputError
from hpcheck.plugins import find as plugins
from hpcheck.runs import records
from hpcheck.runs.files import naming, remove_leftovers, write_whole
from hpcheck.runs.identity import Fingerprints
from hpcheck.runs.lock import RunLock
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec, Spec, computed, gives

RUN_ID = re.compile("[0-9a-f]{16}")


class OutsideError(InputError):
    """Something in a run directory leads out of it; the message says what."""


class RunDirectory:
    """`runs/<name>/`. Records are found by what they compute, read once, and carry the label of whoever asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = path / "records"
        self.plots = path / "plots"
        self.events = path / "tensorboard"  # where `--tensorboard` asks for it
        self.recommended = path / "recommended.yaml"
        self.config = path / "config.yaml"
        self.fingerprints = Fingerprints()
        self.foreign: dict[str, Path] = {}  # by run: a whole record that lay under its name, and is not of it
        self._found: dict[str, RunRecord] = {}
        self._lock: RunLock | None = None
        refuse_ways_out(path)

    @classmethod
    def of(cls, config: Config) -> "RunDirectory":
        return cls(Path(config.run.dir) / config.name)

    def made_with(self, config_hash: str) -> Config | None:
        """The config that lies here, where it is the one of that hash (`provenance.config`); else None: a command has begun since."""
        try:
            config = configs.load(self.config)
        except configs.ConfigError:
            return None
        return config if configs.digest(config) == config_hash else None

    def claim(self) -> None:
        """Take the directory's lock where there is a directory yet. Raises `HeldError` where another process has it."""
        if self._lock is None and self.path.is_dir():
            self._lock = RunLock(self.path)

    def create(self, config: Config) -> None:
        """Make the folders, claim them, clear what a killed process left, write the config. Raises `StorageError`, `HeldError`."""
        for folder in (self.path, self.records, self.plots):
            with naming(folder, "made"):
                folder.mkdir(parents=True, exist_ok=True)
        self.claim()
        try:
            for folder in (self.path, self.records, self.plots):
                remove_leftovers(folder)
            self._remove_old_checkpoints()
            write_whole(self.config, configs.dump(config))
        except BaseException:
            self.release()
            raise

    def _remove_old_checkpoints(self) -> None:
        """Those of finished runs: a process was killed before it could."""
        for path in self.records.glob("*.step*.checkpoint"):
            if self.by_id(path.name.split(".")[0]) is not None:
                with naming(path, "removed"):
                    path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the lock back, for a process that lives on."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def find(self, spec: Spec) -> RunRecord | None:
        """The finished record of a run that computes what `spec` does, if there is one."""
        run_id = self.fingerprints.identify(spec)
        if run_id not in self._found:
            path = self.records / f"{run_id}.jsonl"
            record = records.read(path)
            if record is not None and not _is_of(record, run_id, spec, self.fingerprints):
                self.foreign[run_id] = path
                return None
            if record is None:
                return None
            self._found[run_id] = record
        return replace(self._found[run_id], spec=spec)

    def forget(self, spec: Spec) -> None:
        """Remove the record of a run, so that it is made again when it is asked for."""
        run_id = self.fingerprints.identify(spec)
        self._found.pop(run_id, None)
        with naming(path := self.records / f"{run_id}.jsonl", "removed"):
            path.unlink(missing_ok=True)

    def forget_without_weights(self, specs: Sequence[Spec]) -> list[str]:
        """Remove the records of runs that these go on from and whose weights are gone, so that they are made again; their labels."""
        parents = dict.fromkeys(spec.parent for spec in specs if isinstance(spec, RunSpec) and spec.parent is not None)
        gone = [record for record in map(self.by_id, parents) if record is not None and not self.weights(record.run_id).exists()]
        for record in gone:
            self.forget(record.spec)
        return [record.spec.label for record in gone]

    def weights(self, run_id: str) -> Path:
        """Where a run's last weights are, if it kept them."""
        return self.records / f"{run_id}.pt"

    def by_id(self, run_id: str) -> RunRecord | None:
        """The finished record of that name; None for what is no run's name, and for a record whose content does not give that name."""
        if not RUN_ID.fullmatch(run_id):
            return None
        record = self._found.get(run_id) or records.read(self.records / f"{run_id}.jsonl")
        is_of = record is not None and record.run_id == run_id and gives(record.spec, run_id, record.environment.get("identity"))
        return record if is_of else None


def _is_of(record: RunRecord, run_id: str, spec: Spec, fingerprints: Fingerprints) -> bool:
    """Whether a record says that it is of this run, of what `spec` computes, and of these data: another's under this name would count."""
    as_text = [json.dumps(computed(one), sort_keys=True) for one in (record.spec, spec)]
    data = record.environment.get("data")
    return record.run_id == run_id and as_text[0] == as_text[1] and data in (None, fingerprints.data(spec.data)[:16])


def newest(runs: Path) -> RunDirectory | None:
    """The run directory whose config was written last, for commands that are given none."""
    configs_found = sorted(runs.glob("*/config.yaml"), key=lambda path: path.stat().st_mtime)
    return RunDirectory(configs_found[-1].parent) if configs_found else None


def is_in_one(path: Path) -> bool:
    """Whether a config is the one that lies in a run directory, which may come from anybody."""
    return path.name == "config.yaml" and (path.parent / "records").is_dir()


def refuse_users_code(config: Config, path: Path) -> None:
    """Raise `OutsideError` where a config that lies in a run directory names the user's own code.

    What is read from a run directory carries values only, and never has code imported (docs/design.md, "A run directory holds data").
    Code is named by the user's own config.
    """
    own = plugins.users_names(config.data, config.model, config.optimizer) if config.script is None else [shlex.join(config.script)]
    if own:
        raise OutsideError(
            f"{path} names your own code ({own[0]}), which is not imported from a run directory: give your config, or call it hpcheck.yaml"
        )


def refuse_ways_out(path: Path) -> None:
    """Raise `OutsideError` where the run directory, or something in it, is a symbolic link that leads elsewhere.

    A run directory may come from anybody; nothing is read or written through it elsewhere. `run.dir` may be a link: it is the user's.
    """
    links = [path] if path.is_symlink() else []
    for folder in (path, path / "records", path / "plots", path / "tensorboard"):
        if folder.is_dir():
            links += [folder / entry.name for entry in os.scandir(folder) if entry.is_symlink()]
    inside = Path(os.path.realpath(path.parent)) / path.name
    for link in links:
        target = Path(os.path.realpath(link))
        if not target.is_relative_to(inside):
            raise OutsideError(f"{link}: a symbolic link that leads out of the run directory, to {target}; remove it")
