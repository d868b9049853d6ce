"""Tables that are printed between other lines: a line of names, then lines of as many cells, as YOLO's trainer prints them."""

import re
from dataclasses import dataclass, field

from hpcheck.curves.names import measures
from hpcheck.curves.numbers import is_missing, is_number

APART = re.compile(r"\s{2,}|\t+")
NAME = re.compile(r"[A-Za-z_][\w ./()@%-]*")
COUNTED = re.compile(r"(\d+)(?:/\d+)?")


@dataclass
class PrintedTable:
    """The names of the table that is being printed."""

    names: list[str] = field(default_factory=list)

    def row(self, line: str) -> dict[str, str] | None:
        """The cells of a row under their names; None for the line of names and for every other line."""
        if "  " not in line and "\t" not in line and line.isascii():
            return None  # one cell
        cells = APART.split(line.strip())
        if len(cells) > 1 and all(NAME.fullmatch(cell) for cell in cells) and any(map(measures, cells)):
            self.names = cells
            return None
        if not self.names or len(cells) < len(self.names):
            return None
        found = dict(zip(self.names, cells, strict=False))
        values = {name: cell for name, cell in found.items() if measures(name)}
        if not all(is_number(cell) and not is_missing(cell) for cell in values.values()):
            return None
        counted = {name: COUNTED.match(cell) for name, cell in found.items() if name not in values}
        return values | {name: match[1] for name, match in counted.items() if match}


def is_printed(lines: list[str]) -> bool:
    """Whether there is a table of at least two rows below other lines: one that begins the file is a CSV file."""
    table, rows = PrintedTable(), 0
    for at, line in enumerate(line for line in lines if line.strip()):
        rows += table.row(line) is not None
        if at == 0 and table.names:
            return False
    return rows > 1
