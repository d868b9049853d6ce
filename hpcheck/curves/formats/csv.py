"""CSV and tables that are drawn: delimiter sniffed, a line that names the columns, decimal commas where the delimiter is none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hpcheck.config.problems import Problem, shown
from hpcheck.curves.formats.content import refuse_many, streamed_lines
from hpcheck.curves.formats.delimited import SHORT, Line, are_names, header_at, is_prose, is_too_long, sniff, split, undrawn, with_index
from hpcheck.curves.formats.file_name import of_quantity
from hpcheck.curves.formats.thinning import Thinning
from hpcheck.curves.formats.transposed import transposed
from hpcheck.curves.names import measures
from hpcheck.curves.numbers import is_missing, is_number
from hpcheck.curves.table import Row, Table, refusal

TENSORBOARD = ["wall time", "step", "value"]  # the header of what TensorBoard's page downloads: the quantity is in the file's name
RUNS_TABLE = {"Name", "State", "Created", "Runtime", "Sweep"}  # columns of the runs table that W&B exports
POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?\s*%?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?\s*%?")
LOOKED_AT = 200  # rows that show whether commas are decimal
WORDS = "words, and neither a table nor names with values"
VALUES = "a log with its values, such as a CSV file or lines of 'val_loss: 0.25'"
NAMED = "a first line with the names of the columns"
TOO_LONG = "a cell is too long"


def looks(path: Path, head: str) -> bool:
    """Every text can be a CSV file: this format is asked last."""
    return True


def read(path: Path) -> list[Table]:
    """The rows of a CSV file. Empty lines, comments (#), rules, words between the rows and headers that are repeated are passed over."""
    thinning = Thinning()
    lines = undrawn([(at, text) for at, text in thinning.kept(streamed_lines(path)) if text.strip(" \t\n,;|")])
    refuse_many(path, len(lines))
    if not lines:
        raise refusal(path, None, "empty file")
    if all(is_number(text) and not is_missing(text) for _, text in lines):
        return [_one_column(path, lines)]
    found = header_at(lines)
    begins = found or 0
    first = lines[begins][0]
    body = [(at, text) for at, text in lines[begins + 1 :] if not text.lstrip().startswith("#")]
    header = with_index(lines[begins][1].lstrip("# \t"), [text for _, text in body])
    delimiter = sniff(header, [text for _, text in body[:20]])
    if is_too_long(header, delimiter):
        raise refusal(path, first, TOO_LONG, f"a line of {len(header.strip()):,} characters", SHORT)
    names = split([header], delimiter)[0]
    across = transposed(names, split([text for _, text in body], delimiter) if len(body) < len(names) else [])
    if across is not None:
        return [across]
    numbers = any(is_number(text) and not is_missing(text) for _, text in body)
    if found is None and body and not any(map(measures, names)) and not any(map(is_number, names)) and not (len(names) == 1 and numbers):
        raise refusal(path, None, WORDS, "", VALUES)
    names = _names(path, first, names)
    if len(RUNS_TABLE.intersection(names)) > 2:
        raise refusal(path, None, "a table of runs, a row for each, and no curve", "", "one run's history, or a chart's data")
    reader = _Rows(path, names, delimiter, _commas_are_decimal(split([text for _, text in body[:LOOKED_AT]], delimiter)))
    reader.take(body)
    notes = [thinning.note] * bool(thinning.note) + [f"{begins} lines above the names are passed over"] * (begins > 0) + reader.notes
    return [_named_by_file(path, Table(tuple(reader.rows), notes=tuple(notes), problems=tuple(reader.problems)))]


@dataclass
class _Rows:
    """The rows so far, under the names that stand above them."""

    path: Path
    names: list[str]
    delimiter: str | None
    commas: bool  # are decimal
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)  # lines of words

    def take(self, body: Sequence[Line]) -> None:
        last = body[-1] if body else None
        for line in body:
            cells = split([line[1]], self.delimiter)[0]
            while len(cells) > len(self.names) and not cells[-1]:
                cells.pop()
            self._line(line, cells, is_last=line is last)
        if len(self.problems) > 1 and self.rows and (self.rows[-1].line or 0) < (self.problems[0].line or 0):
            got = f"{self.problems[0].got} from line {self.problems[0].line} on; {len(self.names)} names"
            raise refusal(self.path, None, "the number of columns changes", got, "the file parted where its columns change")
        too_long = next((one for one in self.problems if one.problem == TOO_LONG), None)
        if len(self.problems) > len(self.rows) and too_long is not None:
            raise refusal(self.path, too_long.line, TOO_LONG, too_long.got, SHORT)
        if len(self.problems) > len(self.rows):
            got = f"{len(self.problems)} of {len(body)} lines have not as many cells as the first"
            raise refusal(self.path, None, "not a table", got, "a line of names above rows of as many cells, or 'name: value' in the lines")
        if not self.rows:
            raise refusal(self.path, None, "only a line of names, without rows" if len(self.names) > 1 else WORDS, "", VALUES)
        if self.passed:
            more = f" and {len(self.passed) - 1} more" * (len(self.passed) > 1)
            self.notes.append(f"line {self.passed[0]}{more}: no row of the table, and passed over")

    def _line(self, line: Line, cells: list[str], is_last: bool) -> None:
        at, text = line
        words = not any(is_number(cell) and not is_missing(cell) for cell in cells)
        if words and are_names(cells, self.names):
            self.notes.append(f"line {at} repeats the header: the file holds more than one run, or a run that was resumed")
            self.names = _names(self.path, at, cells)
        elif len(cells) == len(self.names) and not (words and any(not is_missing(cell) for cell in cells)):
            cells = [_decimal(cell) for cell in cells] if self.commas else cells
            self.rows.append(Row(at, dict(zip(self.names, cells, strict=True))))
        elif is_last and not text.endswith("\n") and len(cells) < len(self.names) and not is_prose(cells):
            self.notes.append(f"line {at}, the last, is cut short and is passed over")
        elif is_too_long(text, self.delimiter):
            self.problems.append(Problem(str(self.path), at, "", TOO_LONG, f"a line of {len(text.strip()):,} characters", SHORT))
        elif is_prose(cells):
            self.passed.append(at)
        else:
            expected = f"{len(self.names)}, as the header has"
            self.problems.append(Problem(str(self.path), at, "", "a row of another length", f"{len(cells)} cells", expected))


def _one_column(path: Path, lines: Sequence[Line]) -> Table:
    """A number a line: the quantity is the one that the file is named after."""
    name = of_quantity(path).removesuffix(path.suffix)
    if not measures(name):
        expected = f"{NAMED}, or a file named after what it holds, such as val_loss.txt"
        raise refusal(path, lines[0][0], "no header", shown(lines[0][1].strip()), expected)
    note = f"a number a line: the file's name says that they are {name!r}"
    return Table(tuple(Row(at, {name: text.strip()}) for at, text in lines), notes=(note,))


def _named_by_file(path: Path, table: Table) -> Table:
    """TensorBoard's download of one quantity, with the quantity's name for its column."""
    columns = list(table.columns)
    if [column.lower() for column in columns] != TENSORBOARD:
        return table
    name = of_quantity(path)
    rows = tuple(Row(row.line, {columns[1]: row.cells.get(columns[1]), name: row.cells.get(columns[2])}) for row in table.rows)
    note = f"one quantity of TensorBoard's: the file's name says that {columns[2]!r} is {name!r}"
    return replace(table, rows=rows, counts=columns[1], notes=(*table.notes, note))


def _names(path: Path, line: int, cells: Sequence[str]) -> list[str]:
    """The names of the columns; one that stands twice is told apart by its place, but for a loss or a metric."""
    names = [cell or f"column {position}" for position, cell in enumerate(cells, start=1)]
    if all(is_number(cell) for cell in cells):
        raise refusal(path, line, "no header", shown(", ".join(cells)), NAMED)
    twice = sorted({name for name in names if names.count(name) > 1})
    if any(map(measures, twice)):
        raise refusal(path, line, "a column twice", shown(", ".join(twice)), "one name for each column")
    return [f"{name}, column {at}" if name in names[: at - 1] else name for at, name in enumerate(names, start=1)]


def _commas_are_decimal(rows: Sequence[Sequence[str]]) -> bool:
    """Whether cells have a comma where a number has its point, and none has a point: a date with points is no number."""
    cells = [cell for row in rows for cell in row]
    return any(map(DECIMAL_COMMA.fullmatch, cells)) and not any(map(POINT.fullmatch, cells))


def _decimal(cell: str) -> str:
    """A cell of a file in which no number has a point: its commas are decimal."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell
