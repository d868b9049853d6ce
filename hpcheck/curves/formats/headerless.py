"""Lines without a header that say themselves what they are: `step split value`, as scripts in the manner of nanoGPT write them."""

import re
from pathlib import Path

from hpcheck.curves.formats.content import text_lines
from hpcheck.curves.names import TRAINING, VALIDATION
from hpcheck.curves.table import Row, Table

LINE = re.compile(r"\s*(\d+)[\s,;]+([A-Za-z_]\w*)[\s,;]+([^\s,;]+)\s*")
STEP = "step"
LOOKED_AT = 50  # lines


def looks(path: Path, head: str) -> bool:
    """Whether the first lines are all a step, a split's name and a value."""
    lines = [line for line in head.split("\n")[:LOOKED_AT] if line.strip()]
    found = [LINE.fullmatch(line) for line in lines]
    splits = {match[2].lower() for match in found if match}
    return len(lines) > 1 and sum(match is not None for match in found) >= 0.9 * len(lines) and bool(splits & (VALIDATION | TRAINING))


def read(path: Path) -> list[Table]:
    """A column for each name: a split's value is its loss, others (hellaswag's share, say) go by their own names."""
    rows, strange = [], 0
    for at, line in text_lines(path):
        found = LINE.fullmatch(line)
        if found:
            name = f"{found[2]} loss" if found[2].lower() in VALIDATION | TRAINING else found[2]
            rows.append(Row(at, {STEP: found[1], name: found[3]}))
        elif line.strip():
            strange += 1
    notes = ["the lines are read as step, split and loss"]
    notes += [f"{strange} lines are none of these and are passed over"] * (strange > 0)
    return [Table(tuple(rows), STEP, notes=tuple(notes))]
