"""JSON by rows: an object a line with missing keys, a list of objects, hpcheck's own sealed records, Hugging Face's trainer_state.json."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpcheck.config.problems import Problem, shown
from hpcheck.curves.formats import mmengine
from hpcheck.curves.formats.content import text_lines
from hpcheck.curves.table import Row, Table, refusal
from hpcheck.files.plain_json import refuse_deep
from hpcheck.runs import records
from hpcheck.runs.record_content import is_number

SEALED = re.compile(r"\t[0-9a-f]{8}\n?$")
BETWEEN = re.compile(r"[\s,]*")
LARGEST_PRINTED = 4 << 20  # ours: characters that are tried as Python's own notation, which takes a hundred times as much memory
EXPECTED = "an object a line, a list of objects, or an array for each quantity"
METRIC = "metric"
NOTEBOOK = '"nbformat"'
BARE = re.compile(r"(?<=[:\[,])\s*([+-]?(?:nan|inf))\b", re.IGNORECASE)  # printed by Python and by C, and no JSON


def looks(path: Path, head: str) -> bool:
    """Whether it begins as JSON does, and not as a console's `[time]` or `[epoch]`, nor as options that a console log begins with."""
    if head[:1] == "{":
        return not _goes_on_as_text(head)
    return head[:1] == "[" and head[1:].lstrip()[:1] in ("{", "]")


def _goes_on_as_text(head: str) -> bool:
    """Whether an object of several lines is followed by what is no JSON."""
    if head.split("\n", 1)[0].strip() != "{":
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(head)
    except (ValueError, RecursionError):
        return False  # damaged, or longer than what is looked at
    return head[end:].lstrip()[:1] not in ("", "{", ",")


def read(path: Path) -> list[Table]:
    """The objects of the file as rows; objects inside objects become `outer/inner`."""
    lines = [(at, text) for at, text in text_lines(path) if text.strip()]
    if not lines:
        raise refusal(path, None, "empty file")
    if SEALED.search(lines[0][1]):
        return [_record(path, len(lines))]
    whole = _whole("".join(text for _, text in lines)) if len(lines) == 1 or _object(lines[0][1]) is None else None
    if whole is not None:
        return [mmengine.settled(Table(tuple(Row(None, dict(flat(entry))) for entry in whole)))]
    rows, notes, problems = [], [], []
    for at, text in lines:
        found = _object(text)
        if found is not None:
            rows.append(Row(at, dict(flat(found))))
        elif at == lines[-1][0] and not text.endswith("\n"):
            notes.append(f"line {at}, the last, is cut short and is passed over")
        else:
            problems.append(Problem(str(path), at, "", "not a JSON object", shown(text.strip()), "one object a line, such as {...}"))
    if len(problems) > len(rows):
        if any(NOTEBOOK in text for _, text in lines[-20:]):
            raise refusal(path, None, "a notebook", "", "the log that it printed, as a text file")
        raise refusal(path, problems[0].line, "JSON that holds neither rows nor columns of numbers", problems[0].got, EXPECTED)
    return [mmengine.settled(Table(tuple(rows), notes=tuple(notes), problems=tuple(problems)))]


def _whole(text: str) -> list[Mapping[str, Any]] | None:
    """The entries of a file that is one JSON value, or several over many lines each: objects in a list, in a `log_history`, under keys
    that count them, or one after another. None for anything else."""
    content = parsed(text)
    if content is None:
        return _one_after_another(text)
    if isinstance(content, dict) and content.keys() >= {"cells", "nbformat"}:
        return None
    entries = _longest_list(content) if isinstance(content, dict) else content
    if isinstance(content, dict) and entries and isinstance(content.get(METRIC), str) and "value" in entries[0]:
        entries = [{METRIC: content[METRIC], **entry} for entry in entries]  # trackio's `get metric`: the name stands above its values
    if isinstance(content, dict) and entries is None and len(content) > 1 and all(isinstance(one, dict) for one in content.values()):
        counted = [key for key in content if re.fullmatch(r"\D*\d+", key)]
        entries = [{"step": int(re.sub(r"\D", "", key)), **content[key]} for key in counted] if len(counted) == len(content) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        return None
    return entries


def _longest_list(content: Mapping[str, Any], depth: int = 0) -> list[Mapping[str, Any]] | None:
    """The longest list of objects in it: a trainer's `log_history`, a script's `epochs`."""
    lists = [value for value in content.values() if isinstance(value, list) and value and all(isinstance(one, dict) for one in value)]
    if depth == 0:
        lists += filter(None, (_longest_list(value, 1) for value in content.values() if isinstance(value, dict)))
    return max(lists, key=len, default=None)


def _one_after_another(text: str) -> list[Mapping[str, Any]] | None:
    decoder, at, entries = json.JSONDecoder(), 0, []
    text = BARE.sub(r' "\1"', text)
    while at < len(text):
        try:
            entry, at = decoder.raw_decode(text, at)
            refuse_deep(entry)
        except (ValueError, RecursionError):
            return None
        entries.append(entry)
        at = BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too
    return entries if entries and all(isinstance(entry, dict) for entry in entries) else None


def parsed(text: str) -> Any:
    """The text as one value of JSON, or as Python prints it; None where it is neither."""
    quoted = BARE.sub(r' "\1"', text.strip())
    for parse in (json.loads, ast.literal_eval)[: 1 if len(quoted) > LARGEST_PRINTED else 2]:
        try:
            found = parse(quoted)
            refuse_deep(found)
            return found
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None


def _object(text: str) -> Mapping[str, Any] | None:
    """One line's object, as JSON or as Python prints a dict; None where it is neither."""
    content = parsed(text)
    return content if isinstance(content, dict) else None


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}/")
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
    spec = content[0].get("spec")
    decay = spec.get("weight_decay") if isinstance(spec, Mapping) else None
    constants = {"weight_decay": float(decay)} if decay is not None and is_number(decay) else {}
    return Table(rows, "step", constants, tuple(notes), diverged=status == "diverged")
