"""Caffe's plain-text solver log: iterations, lr, test and train net outputs, and the solver's own constants."""

import re
from collections.abc import Iterator
from pathlib import Path

from hpcheck.curves.formats.content import whole
from hpcheck.curves.numbers import number
from hpcheck.curves.table import Row, Table

COUNTS = "iteration"
SPEAKS = re.compile(r"Iteration \d+, (lr = |Testing net)|Test net output #\d+: ")
ITERATION = re.compile(r"\bIteration (\d+)\b")
TESTING = re.compile(r"\bIteration (\d+), Testing net \(#(\d+)\)")
OUTPUT = re.compile(r"\b(Test|Train) net output #\d+: (.+?) = (\S+)")
STATED = re.compile(r"\b(lr|momentum|weight decay|loss) = (\S+?)(?:,|\s|$)")  # the last two of lr's line in the paper's own logs
CONSTANT = re.compile(r"^\s*(momentum|weight_decay): (\S+)\s*$")


def looks(path: Path, head: str) -> bool:
    """Whether the solver speaks in it."""
    return SPEAKS.search(head) is not None


def read(path: Path) -> list[Table]:
    """The log's values, merged by iteration later. A last line without an end is still being written, and is passed over."""
    text = whole(path).decode("utf-8", errors="replace").replace("\r\n", "\n")
    numbered = list(enumerate(text.splitlines(keepends=True), start=1))
    lines = [(at, line) for at, line in numbered if line.endswith("\n")]
    return [Table(tuple(_rows(lines)), COUNTS, _constants(text))]


def _rows(lines: list[tuple[int, str]]) -> Iterator[Row]:
    """One row for each value that the log states: the iteration it belongs to and the value under its name."""
    tested = trained = None
    net = "test"
    for at, line in lines:
        testing, iteration, output = TESTING.search(line), ITERATION.search(line), OUTPUT.search(line)
        if testing:
            tested, net = testing[1], "test" if testing[2] == "0" else f"test #{testing[2]}"
        elif iteration and not output:
            trained = iteration[1]
            for name, value in STATED.findall(line):
                yield from _row(at, trained, name, value)
        elif output and output[1] == "Test" and tested is not None:
            yield from _row(at, tested, f"{net} {output[2]}", output[3])
        elif output and output[1] == "Train" and trained is not None:
            yield from _row(at, trained, f"train {output[2]}", output[3])


def _row(line: int, iteration: str, name: str, value: str) -> Iterator[Row]:
    """Nothing where the value is no number: the log also prints other things this way."""
    try:
        found = number(value.rstrip(",;"))
    except ValueError:
        return
    if found is not None:
        yield Row(line, {COUNTS: int(iteration), name: found})


def _constants(text: str) -> dict[str, float]:
    """What the solver's parameters at the top say and the lines may not: momentum (unless it is cyclical) and weight decay."""
    head = re.split(r"Iteration \d+", text, maxsplit=1)[0]
    stated: dict[str, float] = {}
    for line in head.splitlines():
        found = CONSTANT.match(line)
        value = number(found[2]) if found and re.fullmatch(r"[\d.eE+-]+", found[2]) else None
        if found and value is not None:
            stated.setdefault(found[1], value)
    if "cyclical_momentum:" in head:
        stated.pop("momentum", None)
    return stated
