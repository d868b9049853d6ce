"""MLflow's files: a metric's own file of `timestamp value step` lines, and `mlruns/` with a directory for each run."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpcheck.curves.formats.content import text, text_lines
from hpcheck.curves.formats.file_name import of_quantity
from hpcheck.curves.formats.folders import files_below
from hpcheck.curves.names import NAMES
from hpcheck.curves.numbers import is_number, number
from hpcheck.curves.table import Row, Table, refusal

LINE = re.compile(r"(\d{12,14}) (\S+) (-?\d+)\s*")
METRICS, PARAMS = "metrics", "params"
STEP = "step"


def looks(path: Path, head: str) -> bool:
    """Whether the first lines are a time in milliseconds, a value and a step."""
    lines = [line for line in head.split("\n")[:10] if line.strip()]
    return bool(lines) and all(LINE.fullmatch(line) for line in lines)


def holds(path: Path) -> bool:
    """Whether a directory is one of MLflow's: a run's, an experiment's, or all of `mlruns/`."""
    return bool(_runs(path))


def read(path: Path) -> list[Table]:
    """One metric's file, or a table for each run below a directory."""
    if path.is_file():
        note = f"one metric of MLflow's: the file's name says that it is {of_quantity(path)!r}"
        return [Table(tuple(counted(_points(path, of_quantity(path)), STEP)), STEP, notes=(note,))]
    tables = []
    runs = _runs(path)
    for run in runs:
        rows = counted([row for name, file in _metrics(run).items() for row in _points(file, name)], STEP)
        if rows:
            tables.append(Table(tuple(rows), STEP, constants=_constants(run), run=_name(run) if len(runs) > 1 else ""))
    if not tables:
        raise refusal(path, None, "no metric in any run of MLflow's", "", "a directory with metrics/ that hold lines")
    return tables


def _runs(path: Path) -> list[Path]:
    """The directories with `metrics/` in them in which a file is of MLflow's."""
    found: dict[Path, None] = {}
    for file in files_below(path):
        below = [parent for parent in file.parents if parent.name == METRICS and (parent.parent == path or path in parent.parents)]
        if below and below[-1].parent not in found and file.stat().st_size < 1 << 30:
            with file.open("rb") as opened:
                first = opened.readline(200).decode("utf-8", errors="replace")
            if LINE.fullmatch(first):
                found[below[-1].parent] = None
    return list(found)


def _metrics(run: Path) -> Mapping[str, Path]:
    """The name of each metric (those with slashes lie in directories), and its file."""
    return {str(file.relative_to(run / METRICS)): file for file in files_below(run / METRICS)}


def _points(path: Path, name: str) -> list[Row]:
    found = ((at, LINE.fullmatch(line)) for at, line in text_lines(path))
    return [Row(at, {STEP: line[3], name: line[2]}) for at, line in found if line]


def counted(rows: Sequence[Row], step: str) -> list[Row]:
    """The rows of metrics, counted by their order where none was logged with a step: MLflow then writes 0 for all."""
    if len({str(row.cells[step]) for row in rows}) > 1:
        return list(rows)
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        (name,) = (column for column in row.cells if column != step)
        found.append(Row(row.line, {**row.cells, step: seen[name]}))
        seen[name] += 1
    return found


def _constants(run: Path) -> dict[str, float]:
    """Weight decay and momentum among the run's parameters."""
    found = {}
    folder = run / PARAMS
    for quantity in ("weight_decay", "momentum"):
        for file in files_below(folder) if folder.is_dir() else ():
            value = text(file).strip() if any(one.fits(file.name) for one in NAMES[quantity]) else ""
            if value and is_number(value) and (read_as := number(value)) is not None:
                found[quantity] = read_as
    return found


def _name(run: Path) -> str:
    """The name that the run was given, else its directory's."""
    given = run / "tags" / "mlflow.runName"
    return text(given).strip() if given.is_file() and not given.is_symlink() else run.name
