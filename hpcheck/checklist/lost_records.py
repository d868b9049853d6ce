"""Records that a recommended.yaml rests on and its run directory no longer has: what is read from the rest would be another answer."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import StorageError


def refuse_lost_records(runs: RunDirectory, content: Mapping[str, Any]) -> None:
    """Raise `StorageError`, with the command that mends it, where records that `content` names are gone or damaged.

    A recommended.yaml without a folder of records beside it (a clone has it alone) is fine.
    """
    if not runs.records.is_dir():
        return
    named = list(dict.fromkeys(runs_named(content)))
    lost = [run_id for run_id in named if runs.by_id(run_id) is None]
    if lost:
        first = runs.records / f"{lost[0]}.jsonl"
        what = "is damaged" if first.exists() else "is gone"
        raise StorageError(
            f"{first} {what}: {len(lost)} of the {len(named)} records that {runs.recommended} rests on cannot be read; "
            f"hpcheck run {runs.config} makes them again"
        )


def runs_named(content: Mapping[str, Any]) -> Iterator[str]:
    """The runs that any part of a recommendation names."""
    for key, value in content.items():
        if key == "runs" and isinstance(value, list):
            yield from (run_id for run_id in value if isinstance(run_id, str))
        elif isinstance(value, Mapping):
            yield from runs_named(value)
