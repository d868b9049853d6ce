"""The report of a run directory, written again from its records: after an update of hpcheck, or where the file was lost."""

from pathlib import Path
from typing import NamedTuple

from hpcheck import config as configs
from hpcheck.checklist.data_facts import facts, with_metric
from hpcheck.checklist.lost_records import refuse_foreign_records, refuse_lost_records, refuse_other_answers
from hpcheck.config import Config
from hpcheck.errors import InputError
from hpcheck.recommendation import recommended
from hpcheck.report import page
from hpcheck.runs.directory import RunDirectory, refuse_users_code
from hpcheck.script import resolved
from hpcheck.steps.order import Replays
from hpcheck.steps.step import Asked


class Written(NamedTuple):
    """Where the report is, and in words what recommended.yaml beside it speaks of and the report does not."""

    path: Path
    lost: list[str]


def of_directory(path: Path) -> Written:
    """Write the report into a run directory, by the config that lies there.

    Raises `InputError` where there is no run directory, or its config names the user's own code: what is read from a run directory carries
    values only, and never has code imported (docs/design.md, "A run directory holds data").
    """
    if not (path / "config.yaml").is_file():
        raise InputError(f"{path}: not a run directory (it has no config.yaml); give runs/NAME, or nothing for the newest")
    config = configs.load(path / "config.yaml", [])
    if config.script is not None:  # nothing is launched to write a report
        return _write(resolved.resolved(config, launches=False), RunDirectory(path))
    refuse_users_code(config, path / "config.yaml")
    return _write(config, RunDirectory(path))


def of_config(config: Config) -> Written:
    """Write the report of the run directory that `config` works in. Raises `InputError` where there is none yet."""
    runs = RunDirectory.of(config)
    if not runs.path.is_dir():
        raise InputError(f"{runs.path}: no such run directory yet; `hpcheck run` makes it")
    return _write(config, runs)


def _write(config: Config, runs: RunDirectory) -> Written:
    before = recommended.read(runs.recommended) if runs.recommended.is_file() else {}
    refuse_lost_records(runs, before)
    asked = Asked(config, with_metric(config, facts(config, runs.fingerprints), runs.records))
    readings = list(Replays(asked, runs.find).readings())
    refuse_foreign_records(runs)
    now = recommended.content(runs, asked, readings)
    refuse_other_answers(runs, before, now)
    page.write(runs, asked, readings)
    return Written(runs.path / page.FILE, recommended.lost_words(recommended.topics(before), recommended.topics(now)))
