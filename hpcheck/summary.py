"""What the terminal shows at the end: what was chosen and why, what it cost, and how well it trains."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN = {"total_batch_size": "batch size", "learning_rate": "learning rate", "momentum": "momentum", "weight_decay": "weight decay"}


def show(content: Mapping[str, Any], console: Console) -> None:
    """Print the recommendation: a row per setting, then results and cost."""
    table = Table(title="Recommended settings", title_justify="left", expand=False)
    for column in ("setting", "value", "interval", "reading", "why"):
        table.add_column(column, overflow="fold")
    for name, label in SHOWN.items():
        table.add_row(label, *map(Text, row(name, content)))
    console.print(table)
    for line in (*result_lines(content), *cost_lines(content)):
        console.print(Text(line))


def row(name: str, content: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Value, interval, how it was read, and why, of one setting."""
    value = content["settings"].get(name)
    evidence = content["evidence"].get(name, {})
    interval = " - ".join(f"{end:.3g}" for end in evidence.get("interval") or ())
    status = evidence.get("status")
    reading = f"{status}, {evidence['confidence']}" if status else "not read: start"
    return describe(name, value), interval, reading, evidence.get("reason", "")


def describe(name: str, value: Any) -> str:
    """A setting's value on one line."""
    if value is None:
        return "none known"
    if name == "learning_rate" and "min" not in value:
        return f"{value['policy']} {value['max']:.3g}, {value['epochs']:g} epochs"
    if name == "learning_rate" and "final" not in value:
        span = f"{value['min']:.3g} - {value['max']:.3g}"
        return f"{value['policy']} {span}, {value['cycle_epochs']:g} epochs a cycle, {value['epochs']:g} epochs"
    if name == "learning_rate":
        return f"1cycle {value['min']:.3g} - {value['max']:.3g}, {value['cycle_epochs']:g} of {value['epochs']:g} epochs"
    if name == "momentum":
        return f"{value['max']:g}" if value["max"] == value["min"] else f"{value['max']:g} - {value['min']:g}"
    return f"{value:g}"


def result_lines(content: Mapping[str, Any]) -> list[str]:
    """One line for each arm of the final training."""
    arms = content.get("results", {}).get("train", {})
    lines = []
    for name, figures in arms.items():
        for split in ("test", "val"):
            if isinstance(figures, Mapping) and split in figures:
                found = figures[split]
                runs = len(found["each"])
                spread = f" +- {found['std']:.4f}" if "std" in found else ""
                lines.append(f"{name}: {split} metric {found['metric']:.4f}{spread} over {runs} run{'s' * (runs > 1)}")
                break
    return lines


def cost_lines(content: Mapping[str, Any]) -> list[str]:
    """What search and training cost."""
    return [
        f"{part}: {spent['runs']} runs, {spent['iterations']} iterations, {spent['epochs']:g} epochs, "
        f"{spent['device_seconds']:g} device-seconds"
        for part, spent in content["provenance"]["cost"].items()
        if spent["runs"]
    ]
