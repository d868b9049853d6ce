"""What the terminal shows at the end: what was chosen and why, what it cost, and how well it trains."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpcheck.recommendation import verdict, wording
from hpcheck.report.advice import after_training


def show(content: Mapping[str, Any], console: Console, folder: Path) -> None:
    """Print the recommendation, the answer first: the verdict, a row per setting, why to believe it, its cost, what was not tested.

    Then the reasons, where all of it lies and what is next.
    """
    if said := verdict.first_line(content):
        console.print(Text(said, style="bold"))
    table = Table(title="Recommended settings", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("setting", "value", "interval", "reading"):
        table.add_column(column, overflow="fold")
    for name, label in wording.SHOWN.items():
        table.add_row(label, *map(Text, wording.row(name, content)))
    console.print(table)
    for line in [*answer_lines(content), "", *wording.reason_lines(content), "", *place_lines(folder), *exit_lines(content)]:
        console.print(Text(line))


def answer_lines(content: Mapping[str, Any]) -> list[str]:
    """Why to believe the settings, how they trained, what that cost, and what was not tested."""
    said = {
        "why to believe it": wording.belief_line(content),
        "cost": wording.cost_line(content),
        "not tested": wording.untested_line(content),
    }
    lines = [f"{name}: {words}" for name, words in said.items() if words]
    return [*lines[:1], *wording.result_lines(content), *lines[1:]]


def place_lines(folder: Path) -> list[str]:
    """Where the report and the settings lie."""
    named = {"report": folder / "report.html", "settings": folder / "recommended.yaml"}
    return [f"{name}: {path}" for name, path in named.items() if path.exists()]


def exit_lines(content: Mapping[str, Any]) -> list[str]:
    """What to do where the recommendation did not beat the start, or its training overfits; nothing where all is well."""
    return [f"next: {words}" + (f": {command}" if command else "") for words, command in after_training(content)]
