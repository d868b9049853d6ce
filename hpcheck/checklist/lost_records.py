"""Records that a recommended.yaml rests on and its run directory no longer has: what is read from the rest would be another answer."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpcheck.recommendation.recommended import plain
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import StorageError

SAME = ("hpcheck", "config", "data")  # of the provenance: with another version, config or data set an answer may be another
SAID = ("value", "status")  # of a setting's evidence: what its runs alone decide


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


def refuse_foreign_records(runs: RunDirectory) -> None:
    """Raise `StorageError`, with the command that mends it, where a record that was looked for says that it is of another run: one that
    was edited, or came from elsewhere. Without it the answer is another, or there is none."""
    if runs.foreign:
        number = len(runs.foreign)
        more = f" (and {number - 1} more)" if number > 1 else ""
        raise StorageError(
            f"{next(iter(runs.foreign.values()))}{more} is not of the run that it is named after: it was altered, or is of another run "
            f"or other data; hpcheck run {runs.config} makes it again"
        )


def refuse_other_answers(runs: RunDirectory, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `StorageError`, with the command that mends it, where the records no longer say what recommended.yaml has from them: one of the
    two was altered since, or a command was killed before it had written what it found.

    Args:
        runs: where both lie.
        before: what recommended.yaml says.
        now: what it would say, read anew from the records.
    """
    if any(before.get("provenance", {}).get(key) != now["provenance"][key] for key in SAME):
        return
    for name, had in before.get("evidence", {}).items():
        item = now["evidence"].get(name)
        if item is None:
            other = "do not"
        elif had.get("runs") == item.get("runs") and _said(had) != _said(item):
            other = f"say otherwise ({item.get('reason')})"
        else:
            continue
        raise StorageError(
            f"{runs.recommended}: what it says of {name} ({had.get('reason')}), its records {other}: it or they were altered, or a command "
            f"was killed before it wrote; hpcheck run {runs.config} reads them anew. If you do not trust them, remove "
            f"{runs.records} before: they are made again"
        )


def _said(evidence: Mapping[str, Any]) -> str:
    """In the form that the file gives back: a part without a value is left out there."""
    said = [plain(evidence.get(key)) for key in SAID]
    return repr([{key: part for key, part in one.items() if part is not None} if isinstance(one, dict) else one for one in said])


def runs_named(content: Mapping[str, Any]) -> Iterator[str]:
    """The runs that any part of a recommendation names."""
    for key, value in content.items():
        if key == "runs" and isinstance(value, list):
            yield from (run_id for run_id in value if isinstance(run_id, str))
        elif isinstance(value, Mapping):
            yield from runs_named(value)
