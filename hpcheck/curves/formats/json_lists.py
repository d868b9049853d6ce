"""JSON lists without names: numbers, pairs of a step and a value, or rows below a row of names; the file's name says the quantity."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpcheck.curves.formats.content import refuse_many, text
from hpcheck.curves.formats.file_name import of_quantity
from hpcheck.curves.formats.jsonl import BARE
from hpcheck.curves.names import measures
from hpcheck.curves.numbers import is_number
from hpcheck.curves.table import Row, Table, refusal

STEP = "step"
TENSORBOARD = 3  # numbers in an entry of what TensorBoard's page saves as JSON: wall time, step, value
NAMED = "names for the columns, or a file named after what it holds, such as val_loss.json"


def looks(path: Path, head: str) -> bool:
    """Whether the whole file is one list of numbers or of lists: a console's `[10] loss 0.5` begins as one."""
    return head[:1] == "[" and head[1:].lstrip()[:1] in tuple("[-0123456789nN") and _parsed(text(path)) is not None


def read(path: Path) -> list[Table]:
    """The list as a table."""
    content = _parsed(text(path))
    if content is None:
        raise refusal(path, None, "no list of numbers or of rows", "", NAMED)
    refuse_many(path, len(content))
    first = content[0]
    if isinstance(first, list) and len(first) > 1 and all(isinstance(name, str) for name in first):
        rows = (dict(zip(first, cells, strict=False)) for cells in content[1:] if isinstance(cells, list))
        return [Table(tuple(Row(None, cells) for cells in rows))]
    name = of_quantity(path).removesuffix(path.suffix)
    if not measures(name):
        raise refusal(path, None, "numbers without names", "", NAMED)
    points = pairs(content)
    if points is None:
        raise refusal(path, None, "rows of numbers without names", "", NAMED)
    note = f"the file's name says that its numbers are {name!r}"
    counted = isinstance(first, list)
    lines = tuple(Row(None, {STEP: step, name: value} if counted else {name: value}) for step, value in points)
    return [Table(lines, STEP if counted else "", notes=(note,))]


def pairs(content: Sequence[Any]) -> list[tuple[float, Any]] | None:
    """(step, value) of each entry: a number, counted by its place; a pair; or time, step and value. None for anything else."""
    if all(is_number(one) and not isinstance(one, list) for one in content):
        return [(float(at), value) for at, value in enumerate(content)]
    if not all(isinstance(one, list) and len(one) in (2, TENSORBOARD) and all(map(is_number, one)) for one in content):
        return None
    if any(one[-2] is None for one in content):
        return None
    return [(float(one[-2]), one[-1]) for one in content]


def _parsed(content: str) -> list[Any] | None:
    try:
        found = json.loads(BARE.sub(r' "\1"', content))
    except (ValueError, RecursionError):
        return None
    flat = isinstance(found, list) and bool(found) and all(isinstance(one, list | int | float) or is_number(one) for one in found)
    return found if flat else None
