"""The run directory: where a checklist's config, records, plots and recommendation lie, and the look-up of records by identity."""

import os
from pathlib import Path

from hpcheck import config as configs
from hpcheck import records
from hpcheck.config import Config
from hpcheck.identity import identify
from hpcheck.records import RunRecord, StorageError
from hpcheck.spec import Spec


class RunDirectory:
    """`runs/<name>/`. Records are found by what they compute, read once, and carry the label of whoever asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = path / "records"
        self.plots = path / "plots"
        self.recommended = path / "recommended.yaml"
        self.config = path / "config.yaml"
        self._found: dict[str, RunRecord] = {}

    @classmethod
    def of(cls, config: Config) -> "RunDirectory":
        return cls(Path(config.run.dir) / config.name)

    def create(self, config: Config) -> None:
        """Make the folders and write the resolved config. Raises `StorageError` where that is not possible."""
        try:
            self.records.mkdir(parents=True, exist_ok=True)
            self.plots.mkdir(exist_ok=True)
            write_whole(self.config, configs.dump(config))
        except OSError as error:
            raise StorageError(f"{self.path}: the run directory cannot be written ({error.strerror})") from error

    def find(self, spec: Spec) -> RunRecord | None:
        """The finished record of a run that computes what `spec` does, if there is one."""
        run_id = identify(spec)
        if run_id not in self._found:
            record = records.read(self.records / f"{run_id}.jsonl")
            if record is None or record.run_id != run_id:
                return None
            self._found[run_id] = RunRecord(run_id, spec, record.rows, record.status, record.result, record.environment)
        return self._found[run_id]

    def by_id(self, run_id: str) -> RunRecord | None:
        """The finished record of that name."""
        return self._found.get(run_id) or records.read(self.records / f"{run_id}.jsonl")


def newest(runs: Path) -> RunDirectory | None:
    """The run directory whose config was written last, for commands that are given none."""
    configs_found = sorted(runs.glob("*/config.yaml"), key=lambda path: path.stat().st_mtime)
    return RunDirectory(configs_found[-1].parent) if configs_found else None


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
