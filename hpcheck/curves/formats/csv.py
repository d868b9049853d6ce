"""CSV: delimiter sniffed, a header that names the columns, decimal commas where the delimiter is none."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpcheck.config.problems import Problem, shown
from hpcheck.curves.formats.content import text_lines
from hpcheck.curves.formats.file_name import of_quantity
from hpcheck.curves.numbers import is_number
from hpcheck.curves.table import Row, Table, refusal

DELIMITERS = ",;\t|"  # else white space
SHORT = f"at most {csv.field_size_limit():,} characters in a cell"
TENSORBOARD = ["wall time", "step", "value"]  # the header of what TensorBoard's page downloads: the quantity is in the file's name
RUNS_TABLE = {"Name", "State", "Created", "Runtime", "Sweep"}  # columns of the runs table that W&B exports
POINT = re.compile(r"\d\.\d")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


def looks(path: Path, head: str) -> bool:
    """Every text can be a CSV file: this format is asked last."""
    return True


def read(path: Path) -> list[Table]:
    """The rows of a CSV file. Empty lines, comments (#) and headers that are repeated are passed over."""
    lines = [(at, text) for at, text in text_lines(path) if text.strip(" \t\n,;|")]
    if not lines:
        raise refusal(path, None, "empty file")
    first, header = lines[0][0], lines[0][1].lstrip("# \t")
    body = [(at, text) for at, text in lines[1:] if not text.lstrip().startswith("#")]
    delimiter = sniff(header, [text for _, text in body[:20]])
    if is_too_long(header, delimiter):
        raise refusal(path, first, "a cell is too long", f"a line of {len(header.strip()):,} characters", SHORT)
    names = _names(path, first, split([header], delimiter)[0])
    if len(RUNS_TABLE.intersection(names)) > 2:
        raise refusal(path, None, "a table of runs, a row for each, and no curve", "", "one run's history, or a chart's data")
    commas = delimiter != "," and not POINT.search("".join(text for _, text in body))
    rows, notes, problems = [], [], []
    for (at, text), cells in zip(body, split([text for _, text in body], delimiter), strict=True):
        if cells[: len(names)] == names:
            notes.append(f"line {at} repeats the header: the file holds more than one run, or a run that was resumed")
            continue
        while len(cells) > len(names) and not cells[-1]:
            cells.pop()
        if len(cells) == len(names):
            rows.append(Row(at, {name: _decimal(cell) if commas else cell for name, cell in zip(names, cells, strict=True)}))
        elif at == body[-1][0] and not text.endswith("\n") and len(cells) < len(names):
            notes.append(f"line {at}, the last, is cut short and is passed over")
        elif is_too_long(text, delimiter):
            problems.append(Problem(str(path), at, "", "a cell is too long", f"a line of {len(text.strip()):,} characters", SHORT))
        else:
            problems.append(
                Problem(str(path), at, "", "a row of another length", f"{len(cells)} cells", f"{len(names)}, as the header has")
            )
    if len(problems) > len(rows):
        got = f"{len(problems)} of {len(body)} lines have not as many cells as the first"
        raise refusal(path, None, "not a table", got, "a line of names above rows of as many cells, or 'name: value' in the lines")
    return [_named_by_file(path, Table(tuple(rows), notes=tuple(notes), problems=tuple(problems)))]


def _named_by_file(path: Path, table: Table) -> Table:
    """TensorBoard's download of one quantity, with the quantity's name for its column."""
    columns = list(table.columns)
    if [column.lower() for column in columns] != TENSORBOARD:
        return table
    name = of_quantity(path)
    rows = tuple(Row(row.line, {columns[1]: row.cells.get(columns[1]), name: row.cells.get(columns[2])}) for row in table.rows)
    note = f"one quantity of TensorBoard's: the file's name says that {columns[2]!r} is {name!r}"
    return replace(table, rows=rows, counts=columns[1], notes=(*table.notes, note))


def sniff(header: str, rows: Sequence[str]) -> str | None:
    """The delimiter: what splits the header into most names and most rows into as many cells; else None, white space."""
    best, most = "", 1
    for delimiter in DELIMITERS:
        names = split([header], delimiter)[0]
        alike = sum(len(cells) == len(names) for cells in split(rows, delimiter)) >= 0.5 * len(rows)
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
    try:
        list(csv.reader([line], delimiter=delimiter or " ", skipinitialspace=True))
    except csv.Error:
        return len(line) > csv.field_size_limit()
    return False


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell beyond the reader's limit: then the row has another length than the header
        cells = [line]
    return [cell.strip() for cell in cells]


def _names(path: Path, line: int, cells: Sequence[str]) -> list[str]:
    names = [cell or f"column {position}" for position, cell in enumerate(cells, start=1)]
    if all(is_number(cell) for cell in cells):
        raise refusal(path, line, "no header", shown(", ".join(cells)), "a first line with the names of the columns")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refusal(path, line, "a column twice", shown(", ".join(twice)), "one name for each column")
    return names


def _decimal(cell: str) -> str:
    """A cell of a file in which no number has a point: its commas are decimal."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell
