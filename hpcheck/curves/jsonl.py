"""JSON lines: one object a line with missing keys, hpcheck's own sealed records, and Hugging Face's trainer_state.json."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpcheck.config.problems import Problem, shown
from hpcheck.curves.table import Row, Table, refusal, text_lines
from hpcheck.runs import records

SEALED = re.compile(r"\t[0-9a-f]{8}\n?$")
BARE = re.compile(r"(?<=[:\[,])\s*([+-]?(?:nan|inf))\b", re.IGNORECASE)  # printed by Python and by C, and no JSON


def read(path: Path) -> Table:
    """The objects of the file as rows; objects inside objects become `outer/inner`."""
    lines = [(at, text) for at, text in text_lines(path) if text.strip()]
    if not lines:
        raise refusal(path, None, "empty file")
    if SEALED.search(lines[0][1]):
        return _record(path, len(lines))
    whole = _whole("".join(text for _, text in lines)) if len(lines) == 1 or _object(lines[0][1]) is None else None
    if whole is not None:
        return Table(tuple(Row(None, dict(_flat(entry))) for entry in whole))
    rows, notes, problems = [], [], []
    for at, text in lines:
        found = _object(text)
        if found is not None:
            rows.append(Row(at, dict(_flat(found))))
        elif at == lines[-1][0] and not text.endswith("\n"):
            notes.append(f"line {at}, the last, is cut short and is passed over")
        else:
            problems.append(Problem(str(path), at, "", "not a JSON object", shown(text.strip()), "one object a line, such as {...}"))
    return Table(tuple(rows), notes=tuple(notes), problems=tuple(problems))


def _whole(text: str) -> list[Mapping[str, Any]] | None:
    """The entries of a file that is one JSON value: a list of objects, or an object with a `log_history`; None for anything else."""
    try:
        content = json.loads(BARE.sub(r' "\1"', text))
    except (ValueError, RecursionError):
        return None
    entries = content.get("log_history") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    return entries


def _object(text: str) -> Mapping[str, Any] | None:
    """One line's object, as JSON or as Python prints a dict; None where it is neither."""
    quoted = BARE.sub(r' "\1"', text.strip())
    for parse in (json.loads, ast.literal_eval):
        try:
            content = parse(quoted)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return content if isinstance(content, dict) else None
    return None


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        elif value is not None:
            yield f"{prefix}{key}", value


def _record(path: Path, count: int) -> Table:
    """One of hpcheck's own records, finished or not."""
    content = list(records.lines(path))
    if not content:
        raise refusal(path, 1, "torn or altered line", "", "a record of hpcheck as it was written")
    rows = tuple(Row(at, line["row"]) for at, line in enumerate(content, start=1) if isinstance(line.get("row"), Mapping))
    if not rows:
        raise refusal(path, None, "a record without evaluations", "", "the record of a training run")
    notes = [f"line {len(content) + 1} is torn or altered: read up to there"] * (len(content) < count)
    status = content[-1].get("status")
    notes += ["the run is not finished"] * (status is None and not notes)
    decay = content[0].get("spec", {}).get("weight_decay")
    constants = {"weight_decay": float(decay)} if isinstance(decay, int | float) else {}
    return Table(rows, "step", constants, tuple(notes), diverged=status == "diverged")
