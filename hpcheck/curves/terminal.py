"""Readings on the terminal, and as plain values for JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpcheck.analysis.choice import Choice
from hpcheck.curves import describe
from hpcheck.curves.columns import SPOKEN
from hpcheck.curves.compare import Comparison, extremes
from hpcheck.curves.judge import CurveReading, Found
from hpcheck.curves.load import Loaded
from hpcheck.curves.training_only import comparable, in_words
from hpcheck.terminal import stdout
from hpcheck.terminal.wrap import wrapped

PLAIN = Box("    \n" * 8)  # columns alone, for programs and files
WIDEST = 10_000  # characters of a row in a file


def report(found: Found, as_json: bool, quiet: bool) -> None:
    """The reading on stdout, as a table or as JSON; the notes on stderr."""
    if not quiet:
        for note in notes(found):
            stdout.tell(note)
    if as_json:
        stdout.write(stdout.as_json(content(found)))
    else:
        show(found, stdout.console())


def show(found: Found, console: Console) -> None:
    """A headline, the clues and the conclusions of each curve, then the comparison."""
    for reading in found.readings:
        _say(console, [describe.headline(reading), taken(reading.loaded)])
        if reading.clues:
            rows: list[Sequence[str]] = [in_words(reading.loaded, describe.clue_row(clue, reading.loaded.unit)) for clue in reading.clues]
            _tell(console, describe.CLUE_COLUMNS, rows)
        _say(console, in_words(reading.loaded, describe.conclusions(reading)))
        console.print()
    if found.comparison is not None:
        rows = [describe.compared_row(found.comparison, *scores) for scores in found.comparison.choice.scores]
        if rows:
            _tell(console, describe.COMPARED_COLUMNS, rows)
        compared = comparable([reading.loaded for reading in found.readings])
        _say(console, in_words(compared[0], describe.comparison_lines(found.comparison)))


def taken(loaded: Loaded) -> str:
    """Which columns were taken for what."""
    counted = [] if "step" in loaded.columns else ["the rows as steps"]
    return "read: " + ", ".join([f"{column} as {SPOKEN[quantity]}" for quantity, column in loaded.columns.items()] + counted)


def _say(console: Console, lines: Sequence[str]) -> None:
    width = console.width if console.is_terminal else None
    for line in lines:
        console.print(Text(wrapped(stdout.printable(line), width)), soft_wrap=True)


def _tell(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that fits the terminal. Into a file or a pipe each row is a line as long as it is. No line ends with spaces."""
    is_read_by_people = console.is_terminal
    table = Table(*columns, box=SIMPLE_HEAD if is_read_by_people else PLAIN, show_lines=is_read_by_people, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        cells = [list(map(stdout.printable, cell.split("\n"))) for cell in row]
        table.add_row(*(Text(("\n" if is_read_by_people else ", ").join(lines)) for lines in cells))
    drawn = stdout.drawn(table, console.width if is_read_by_people else WIDEST)
    head, *others = "\n".join(line.rstrip() for line in drawn.split("\n")).strip("\n").split("\n")
    console.print(Text(head, style="bold"), soft_wrap=True)
    for line in others:
        if line or is_read_by_people:
            console.print(Text(line), soft_wrap=True)


def notes(found: Found) -> list[str]:
    """What the files' readers passed over or took for granted, each with its file."""
    return [stdout.printable(f"{reading.loaded.path}: {note}") for reading in found.readings for note in reading.loaded.notes]


def content(found: Found) -> dict[str, Any]:
    """Everything that was read, for JSON."""
    comparison = None if found.comparison is None else _comparison(found.comparison)
    return {"curves": [_curve(reading) for reading in found.readings], "comparison": comparison, "abstained": found.abstained}


def _curve(reading: CurveReading) -> dict[str, Any]:
    curve, loaded = reading.curve, reading.loaded
    return {
        "file": str(loaded.path),
        "format": loaded.format,
        "loss_of": loaded.of,
        "label": curve.label,
        "columns": dict(loaded.columns),
        "evaluations": loaded.evaluations,
        "step": [curve.step[0], curve.step[-1]],
        **{name: extremes(curve, name) for name in describe.SPOKEN},
        "clues": [asdict(clue) for clue in reading.clues],
        "range": None if reading.range is None else _range(reading),
        "sweep": None if reading.sweep is None else {"learns_from": reading.sweep.learns_from, "diverges_at": reading.sweep.diverges_at},
        "abstained": reading.abstained or None,
        "notes": list(loaded.notes),
    }


def _range(reading: CurveReading) -> dict[str, Any] | None:
    found = reading.range
    if found is None:
        return None
    choices = {"lr_limit": _choice(found.lr_limit), "stable_lr": _choice(found.stable_lr)}
    return {**choices, "turned": found.turned, "too_fast": found.too_fast}


def _choice(choice: Choice) -> dict[str, Any]:
    return {name: getattr(choice, name) for name in ("value", "interval", "confidence", "status", "reason", "tied", "edge", "judged_by")}


def _comparison(found: Comparison) -> dict[str, Any]:
    by_name = found.varied.name == "curve"
    candidates = [
        {
            "value": None if by_name else value,
            "curves": found.members[value],
            "score": describe.metric_or_loss(found, score),
            "error": error,
            "verdict": describe.verdict(found.choice, value, score) or None,
        }
        for value, score, error in found.choice.scores
    ]
    best = found.choice.value
    return {
        "varies": list(found.varied.settings),
        "compared_at": found.at,
        "over": found.x,
        "span": found.span,
        "judged_by": found.choice.judged_by,
        "status": found.choice.status,
        "best": None if best is None else found.members[best],
        "value": None if best is None or by_name else best,
        "confidence": found.choice.confidence,
        "candidates": candidates,
        "loss_and_metric_disagree": found.disagree,
        "left_out": found.left_out,
        "stopped_early": found.stopped,
        "unfinished": found.unfinished,
        "mean_overfits": found.overfits,
        "try_next": found.try_next,
        "too_short_to_tell": found.too_short,
        "lines": describe.comparison_lines(found),
    }
