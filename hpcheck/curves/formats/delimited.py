"""Lines as cells: what parts them, where the names stand, and which lines are no rows; tables drawn with rules become plain ones."""

import csv
import re
from collections.abc import Sequence

from hpcheck.curves.names import measures
from hpcheck.curves.numbers import is_missing, is_number

DELIMITERS = ",;\t|"  # else white space
SHORT = f"at most {csv.field_size_limit():,} characters in a cell"
LOOKED_AT = 20  # rows by which a delimiter and a line of names show themselves
BELOW = 4  # ours: lines below the names of which most must be rows
DEEPEST_HEADER = 100  # ours: lines of text that may stand above the names
ALIKE = 0.5  # ours: share of the rows that have as many cells as the line of names
BARS = str.maketrans(dict.fromkeys("│┃║┆┊", "|"))
RULE = re.compile(r"(?=(?:[^=\-_*\u2500-\u257f]*[=\-_*\u2500-\u257f]){2})[\s|+:=\-_*\u2500-\u257f]{3,}")  # two strokes and nothing else

Line = tuple[int, str]  # its number, from 1, and its text


def undrawn(lines: Sequence[Line]) -> list[Line]:
    """The lines of a table without the rules between them and the bars around them: Markdown, tabulate, rich and psql draw those. Of a text
    with such a table in it, the table alone.

    >>> undrawn([(1, "| epoch | loss |"), (2, "|---|---|"), (3, "| 1 | 0.5 |")])
    [(1, ' epoch | loss '), (3, ' 1 | 0.5 ')]
    """
    kept = [(at, text) for at, text in lines if not RULE.fullmatch(text.rstrip("\n"))]
    if len(kept) == len(lines):
        return list(lines)
    table = _barred(kept)
    return table or [(at, text.translate(BARS)) for at, text in kept]


def holds_drawn_table(lines: Sequence[str]) -> bool:
    """Whether there is a table with rules and bars that names a loss or a metric."""
    numbered = list(enumerate(lines, start=1))
    kept = [(at, text) for at, text in numbered if not RULE.fullmatch(text.rstrip("\n"))]
    return len(kept) < len(numbered) and bool(_barred(kept))


def _barred(lines: Sequence[Line]) -> list[Line]:
    """The lines of the first table that stands between bars and names a loss or a metric, without those; none where there is none."""
    table: list[Line] = []
    for at, text in (*lines, (0, "")):
        plain = text.translate(BARS).strip()
        if plain.startswith("|"):
            table.append((at, _without_bars(plain)))
        else:
            if len(table) > 1 and any(map(measures, table[0][1].split("|"))):
                return table
            table = []
    return []


def _without_bars(text: str) -> str:
    return text[1:].removesuffix("|")


def header_at(lines: Sequence[Line]) -> int | None:
    """Where the line of names stands: the first line, or where the rows do not go with that, a later one that names a loss or metric. None
    where there is none with rows below it."""
    for at in range(min(len(lines), DEEPEST_HEADER)):
        rows = [text for _, text in lines[at + 1 : at + 1 + LOOKED_AT]]
        header = with_index(lines[at][1].lstrip("# \t"), rows)
        delimiter = sniff(header, rows)
        names = split([header], delimiter)[0]
        if len(names) < 2 or all(map(is_number, names)):
            continue
        if at and (not any(map(measures, names)) or any(is_number(name) and not is_missing(name) for name in names)):
            continue
        below = split(rows[:BELOW], delimiter)
        if sum(_is_row(cells, len(names)) for cells in below) > ALIKE * len(below):
            return at
    return None


def _is_row(cells: Sequence[str], count: int) -> bool:
    return len(cells) == count and any(is_number(cell) and not is_missing(cell) for cell in cells)


def with_index(header: str, rows: Sequence[str]) -> str:
    """The line of names with one for the rows' own numbers, where a printed data frame has none for them."""
    names = header.split()
    counted = [row.split() for row in rows[:LOOKED_AT]]
    alone = not any(delimiter in header for delimiter in DELIMITERS)
    if alone and len(names) > 1 and counted and all(len(cells) == len(names) + 1 and cells[0].isdigit() for cells in counted):
        return f"index {header}"
    return header


def is_prose(cells: Sequence[str]) -> bool:
    """Whether most cells are no numbers: a line of words between the rows."""
    return sum(is_number(cell) and not is_missing(cell) for cell in cells) < ALIKE * len(cells)


def are_names(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the cells are names once more: of the same columns, or of others when a run was resumed and logs more."""
    return cells[: len(names)] == list(names) or (
        len(cells) > 1 and not any(is_number(cell) and not is_missing(cell) for cell in cells) and bool(set(cells) & set(names))
    )


def sniff(header: str, rows: Sequence[str]) -> str | None:
    """The delimiter: what splits the header into most names and most rows into as many cells; else None, white space."""
    best, most = "", 1
    for delimiter in DELIMITERS:
        names = split([header], delimiter)[0]
        alike = sum(len(cells) == len(names) for cells in split(rows, delimiter)) >= ALIKE * len(rows)
        if alike and len(names) > most:
            best, most = delimiter, len(names)
    if best:
        return best
    return None if len(header.split()) > 1 and all(len(row.split()) == len(header.split()) for row in rows[:1]) else ","


def split(lines: Sequence[str], delimiter: str | None) -> list[list[str]]:
    """The cells of each line, stripped; a quoted cell does not go over the end of its line."""
    if delimiter is None:
        return [line.split() for line in lines]
    return [_cells(line, delimiter) for line in lines]


def is_too_long(line: str, delimiter: str | None) -> bool:
    """Whether a cell of the line is longer than Python's reader of CSV takes."""
    if len(line) <= csv.field_size_limit():
        return False
    try:
        list(csv.reader([line], delimiter=delimiter or " ", skipinitialspace=True))
    except csv.Error:
        return True
    return False


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' not in line and len(line) <= csv.field_size_limit():  # nearly every line: split at once
        return [cell.strip() for cell in line.rstrip("\n").split(delimiter)]
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell beyond the reader's limit: then the row has another length than the header
        cells = [line]
    return [cell.strip() for cell in cells]
