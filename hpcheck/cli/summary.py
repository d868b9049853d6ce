"""What the terminal shows at the end: what was chosen and why, what it cost, how well it trains, and what to do next."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from hpcheck.recommendation import verdict, wording
from hpcheck.report.advice import next_of
from hpcheck.script.call import Call
from hpcheck.terminal.wrap import wrapped

COLUMNS = ("setting", "value", "interval", "result")
GAP = 3  # characters between two columns
NOTHING_NAMED = Call()  # hpcheck.yaml, or the newest run


def show(content: Mapping[str, Any], console: Console, folder: Path, call: Call = NOTHING_NAMED) -> None:
    """Print the recommendation: fitted to a terminal; a line as long as it is where nobody's terminal is the reader."""
    for line, is_bold in lines(content, folder, console.width if console.is_terminal else None, call):
        console.print(Text(line, style="bold" if is_bold else ""), soft_wrap=True)


def lines(content: Mapping[str, Any], folder: Path, width: int | None = None, call: Call = NOTHING_NAMED) -> Iterator[tuple[str, bool]]:
    """Its lines, the answer first, and which are bold: the verdict, a row for each setting, what it rests on, what it cost, what was
    not tested; then the reasons, where all of it lies and what is next."""
    if said := verdict.first_line(content):
        head, rest = verdict.parts(said)
        for words, is_bold in ((head, True), (rest, False)):
            yield from ((line, is_bold) for line in wrapped(words, width, hangs=False).split("\n") if words)
        yield "", False
    for at, row in enumerate(table([COLUMNS, *((label, *wording.row(name, content)) for name, label in wording.SHOWN.items())], width)):
        yield row, at == 0
    yield "", False
    for line in [*answer_lines(content), "", *wording.reason_lines(content)]:
        yield wrapped(line, width), False
    yield "", False
    for line in [*place_lines(folder), *exit_lines(content, width, call)]:  # paths and commands, to be copied
        yield line, False


def table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """The rows in columns; below each other where the terminal is too narrow for them."""
    wide = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    if width is None or sum(wide) + GAP * (len(wide) - 1) <= width:
        return [(" " * GAP).join(f"{cell:<{of}}" for cell, of in zip(row, wide, strict=True)).rstrip() for row in rows]
    head, *others = rows
    stacked = []
    for name, *cells in others:
        stacked += [name, *(f"  {label}: {cell}" for label, cell in zip(head[1:], cells, strict=True) if cell)]
    return stacked


def answer_lines(content: Mapping[str, Any]) -> list[str]:
    """Why to believe the settings, how they trained, what that cost, and what was not tested."""
    said = {
        "how sure": wording.belief_line(content),
        "cost": wording.cost_line(content),
        "not tested": wording.untested_line(content),
    }
    told = [f"{name}: {words}" for name, words in said.items() if words]
    return [*told[:1], *wording.result_lines(content), *told[1:]]


def place_lines(folder: Path) -> list[str]:
    """Where the report and the settings lie."""
    named = {"report": folder / "report.html", "settings": folder / "recommended.yaml"}
    return [f"{name}: {path}" for name, path in named.items() if path.exists()]


def exit_lines(content: Mapping[str, Any], width: int | None, call: Call) -> list[str]:
    """What to do next; a command that has no room beside its words stands below them."""
    told = []
    for words, command in next_of(content, call):
        said = f"next: {words[:1].lower()}{words[1:]}"
        whole = f"{said}: {command}" if command else said
        told += (
            [whole]
            if width is None or len(whole) <= width
            else [wrapped(f"{said}:", width), f"  {command}"]
            if command
            else [wrapped(said, width)]
        )
    return told
