"""Console logs: `name: value`, `name=value` and `name value` in lines of prose, under the epoch or step that the lines tell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hpcheck.curves.formats import dialects
from hpcheck.curves.formats.content import streamed_lines
from hpcheck.curves.formats.delimited import holds_drawn_table
from hpcheck.curves.formats.printed_table import PrintedTable, is_printed
from hpcheck.curves.formats.thinning import Thinning
from hpcheck.curves.names import NAMES, REMEMBERED, in_english, is_setting, measures, split_of, words
from hpcheck.curves.table import Row, Table, refusal

EPOCH, ITERATION = "epoch", "iteration"
LOOKED_AT = 4000  # lines
FEWEST = 2  # ours: lines with a loss or a metric in words from which on a file is a console log
SAID_BEFORE = {"info", "debug", "root", "main", "epoch", "step", "iter", "batch", "and", "with", "current", "final"}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf)\b"
SPACES = re.compile(r"[ \t]{4,}")  # long stretches cost time in the square of their length
QUOTED = re.compile(r"^\s*[#>]+\s?")  # a log that was pasted as a comment or a quotation
FILLERS = {"is", "was", "of", "at", "now"}
LONGEST = 10_000  # ours: characters of a line that is read; longer ones are data, not words
LONGEST_HEADING = 60  # ours: characters of a line such as "Evaluating ...", which says of which split the next values are
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08+")
WORD = r"[A-Za-z_][\w@/.\-']*+"
PAIR = re.compile(
    rf"(?P<name>(?<![A-Za-z_]){WORD}(?:[ ]\(?{WORD}\)?){{0,3}}?)['\"]?(?P<between>\s*[:=]\s*|\s+)\[?\s*"
    rf"(?P<value>{NUMBER})(?P<unit>%|[a-zA-Z]{{1,3}}(?![\w.]))?(?:/(?P<of>\d+))?"
    rf"(?:\s*\((?P<mean>{NUMBER})\))?(?=$|[\s,;|)\]%}}/(*'\"~]|\.\s|\.$)",
    re.IGNORECASE,
)
SPLIT = re.compile(r"(?<![A-Za-z])(train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?|eval(?:uat(?:e|ion|ing))?|dev)(?![a-z])", re.IGNORECASE)
NO_EPOCH = "".join(f"(?<!{word})" for word in ("total ", "total_", "max ", "max_", "best ", "best_"))  # of all, or the best one so far
IN_EPOCH = re.compile(
    rf"(?<![A-Za-z_]){NO_EPOCH}(?:num_|cur_|current_|global_|train_|n_)?(?:epoch|episode|ep)\b(?:\s*\((\w+)\))?(?:\s*(?:no|nr|number)\b)?['\")]?[\s:=#\[(.]*(\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
IN_STEP = re.compile(
    r"(?<![A-Za-z])(?:global_|train_|num_)?(?:step|iter|iteration|it|updates?)s?\b['\")]?(?:\s*(?:no|nr|number)\b)?[\s:=#\[(.]*(\d[\d,]*)(?!\d*\.\d)(?:\s*/\s*(\d+))?",
    re.IGNORECASE,
)
SPLIT_WORDS, STEP_WORDS = (
    ("train", "val", "test", "eval", "dev"),
    ("step", "it", "update"),
)  # without one of these no match of the two above
TIMM = re.compile(r"\s*(Train): (\d+)(?= \[)")
BRACKETED = re.compile(r"\s*[\[(]\s*(\d+)\s*/\s*\d+\s*[\])]")  # [3/100] at the beginning of a line: what it counts is told nowhere
BEST = re.compile(r"\bbest iteration(?: is)?:?\s*$", re.IGNORECASE)  # the next line repeats that iteration's: LightGBM, XGBoost
BATCH = re.compile(r"(?:\[\s*|batch\s*:?\s*\[?|:\s+|\|\s*)(\d+)(?:\.0+)?\s*/\s*(\d+)", re.IGNORECASE)


def looks(path: Path, head: str) -> bool:
    """Whether several lines name a loss or a metric and its value in words."""
    lines = head.split("\n")[:LOOKED_AT]
    if is_printed(lines):
        return True
    if holds_drawn_table(lines):
        return False  # a model card tells a final loss in words too
    found = 0
    for line in lines:
        found += _tells(line)
        if found >= FEWEST:
            return True
    return False


def _tells(line: str) -> bool:
    line = _plain(ANSI.sub(" ", line[:LONGEST]))
    return dialects.is_one(line) or any(measures(name) for name, _, _ in _pairs(line))


def _plain(line: str) -> str:
    """The line in English, without what quotes it and without long stretches of blanks. Each is looked for only where it can be: a log has
    up to a million lines."""
    if "    " in line or "\t" in line:
        line = SPACES.sub("   ", line)
    if line.lstrip()[:1] in ("#", ">"):
        line = QUOTED.sub("", line)
    return line if line.isascii() else in_english(line)


def read(path: Path) -> list[Table]:
    """A row for each epoch, step or (where none is told) round of names. Batches of validation give way to their last."""
    reader, thinning = _Reader(), Thinning()
    for at, line in thinning.kept(streamed_lines(path)):
        reader.take(at, ANSI.sub("\n", line) if "\x1b" in line or "\b" in line else line)
    rows = tuple(reader.rows())
    if not any(measures(name) for row in rows for name in row.cells):
        raise refusal(path, None, "a console log whose lines name no loss", "", "lines such as 'epoch 3 val_loss: 0.25', or a CSV file")
    notes = ("a console log: the names and values in its lines are read", *([thinning.note] if thinning.note else []))
    return [Table(rows, notes=notes)]


@dataclass
class _Reader:
    """Where in the training the log stands, and the rows so far."""

    epoch: float | None = None
    done: float = 0.0  # share of the epoch
    step: float | None = None
    current: dict[str, Any] = field(default_factory=dict)
    line: int = 1
    heading: str = ""
    by_bracket: bool = False
    repeats: bool = False
    table: PrintedTable = field(default_factory=PrintedTable)
    finished: list[Row] = field(default_factory=list)

    def take(self, at: int, line: str) -> None:
        """One line of the log."""
        for part in (one for one in line.split("\n") if len(one) < LONGEST):
            part = _plain(part)
            special = dialects.parsed(part)
            row = self.table.row(part)
            if row is not None:
                self._count(_counter(row, 1), _counter(row, 0), None)
                self._put(at, {name: cell for name, cell in row.items() if not is_counter(name)})
            elif special is not None and self.repeats:
                self.repeats = False
            elif special is not None:
                counted, cells = special
                self._count(counted.get(EPOCH), counted.get(ITERATION), None)
                self._put(at, cells)
            elif part.strip():
                self.repeats = BEST.search(part) is not None
                self._prose(at, part)

    def _prose(self, at: int, line: str) -> None:
        cells: dict[str, str] = {}
        lower = line.lower()
        start = SPLIT.search(line) if any(one in lower for one in SPLIT_WORDS) else None
        of_line = split_of(start[1]) if start else ""
        for name, value, position in _pairs(line):
            cells.setdefault(_with_split(name, f"{self.heading} {line[:position]}"), value)
        if any(measures(name) for name in cells):
            of_line, self.heading = of_line or split_of(self.heading), ""
        elif start and not cells and len(line) < LONGEST_HEADING:
            self.heading = start[1] if of_line == "val" else ""  # a loss without a split is of training anyway
        epoch = (TIMM.match(line) if "Train: " in line else None) or (IN_EPOCH.search(line) if "ep" in lower else None)
        step = IN_STEP.search(line) if any(one in lower for one in STEP_WORDS) else None
        batch = BATCH.search(line, epoch.end() if epoch else 0) if of_line != "val" and "/" in line else None
        if step and step[2] and epoch:  # step 10/938 of this epoch
            batch, step = step, None
        bracket = BRACKETED.match(line) if not epoch and not step and any(map(measures, cells)) else None
        if bracket and (self.by_bracket or (self.epoch is None and self.step is None)):
            self.by_bracket, epoch, batch = True, re.fullmatch(r"()(\d+)", bracket[1]), None
        done = (float(batch[1].replace(",", "")), float(batch[2])) if batch and not step else None
        self._count(float(epoch[2]) if epoch else None, float(step[1].replace(",", "")) if step else None, done)
        if not epoch and not step and not any("loss" in words(name) for name in cells):  # a list of options is no measurement
            cells = {name: value for name, value in cells.items() if not is_setting(name)}
        if cells:
            self._put(at, cells)

    def counters(self) -> dict[str, float]:
        """The epoch, with the share of it that is done, and the iteration: what the log has told of them."""
        counted = {} if self.epoch is None else {EPOCH: self.epoch + self.done}
        return counted | ({} if self.step is None else {ITERATION: self.step})

    def _count(self, epoch: float | None, step: float | None, batch: tuple[float, float] | None) -> None:
        before = self.counters()
        if epoch is not None and epoch != self.epoch:
            self.epoch, self.done = epoch, 0.0
        if batch is not None and self.epoch is not None and 0 <= batch[0] <= batch[1] and batch[1] > 0:
            self.done = min(batch[0] / (batch[1] + 1), 1.0)
        if step is not None:
            self.step = step
        if before != self.counters():
            self._finish(before)

    def _put(self, at: int, cells: dict[str, str]) -> None:
        if self.epoch is None and self.step is None and any(name in self.current for name in cells if measures(name)):
            self._finish({})
        self.line = self.line if self.current else at
        self.current |= cells

    def _finish(self, counters: dict[str, float]) -> None:
        if self.current:
            self.finished.append(Row(self.line, {**counters, **self.current}))
        self.current = {}

    def rows(self) -> Iterator[Row]:
        """All rows, with their counters."""
        self._finish(self.counters())
        yield from self.finished


def _pairs(line: str) -> Iterator[tuple[str, str, int]]:
    """(name, value, where) of each pair in a line; in `value (mean)`, as meters print it, the mean for validation."""
    for found in PAIR.finditer(line):
        name = _name(found["name"])
        if not name or is_counter(name) or (found["between"].isspace() and not _known(name)):
            continue
        value = found["mean"] if found["mean"] and split_of(_with_split(name, line[: found.start()])) == "val" else found["value"]
        if found["of"] and measures(name) and float(found["of"]) >= float(value) >= 0:
            value = f"{float(value) / max(float(found['of']), 1.0):g}"
        yield name, value + (found["unit"] or "") * (found["unit"] == "%"), found.start()


def _counter(row: dict[str, str], kind: int) -> float | None:
    """The iteration (0) or the epoch (1) among a row's cells."""
    return next((float(cell) for name, cell in row.items() if NAMES["step"][kind].fits(name)), None)


@lru_cache(maxsize=REMEMBERED)
def is_counter(name: str) -> bool:
    """Whether a name counts: those are read for themselves."""
    return any(one.fits(name) for one in NAMES["step"])


@lru_cache(maxsize=REMEMBERED)
def _known(name: str) -> bool:
    """Whether the last words are a quantity's, so that a number after them is its value."""
    parts = name.split(" ")
    return measures(parts[-1]) or is_setting(parts[-1]) or is_setting(" ".join(parts[-2:]))


@lru_cache(maxsize=REMEMBERED)
def _name(name: str) -> str:
    """The name without what stands before it in a sentence: of several words those from the last split or quantity on."""
    parts = name.strip(" '\".-").split(" ")
    parts = parts[1:] if len(parts) > 1 and parts[0].lower() in SAID_BEFORE else parts
    parts = parts[:-1] if len(parts) > 1 and parts[-1].lower() in FILLERS else parts
    if len(parts) > 2:
        known = [at for at, part in enumerate(parts) if split_of(part) or measures(part) or part.lower() in ("learning", "weight")]
        parts = parts[known[0] :] if known else parts[-2:]
    return " ".join(parts).strip(" -.'\"")


def _with_split(name: str, before: str) -> str:
    """A loss's or metric's name with the split that its line told last, where the name itself tells none."""
    if split_of(name) or is_setting(name) or not measures(name):
        return name
    told = SPLIT.findall(before)
    return f"{told[-1].lower()} {name}" if told and words(told[-1]) else name
