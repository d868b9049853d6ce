"""The commands that compare: with the committed recommendation, and with the paper."""

from pathlib import Path
from typing import Annotated

import typer

from hpcheck.cli.options import ConfigPath, Overrides, Quiet, load_config
from hpcheck.terminal import exit_codes, stdout


def check(
    config: ConfigPath = None,
    baseline: Annotated[Path, typer.Option("--baseline", metavar="FILE", help="The committed file.")] = Path("recommended.yaml"),
    update: Annotated[bool, typer.Option("--update", help="Write the baseline, or accept what has drifted.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Make all full trainings again, as run does.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print old settings against new.")] = False,
    github: Annotated[bool, typer.Option("--github", help="Write annotations and $GITHUB_STEP_SUMMARY.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write a summary, for a comment.")] = None,
    set_: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON on stdout.")] = False,
    quiet: Quiet = False,
) -> None:
    """Compare the committed recommendation with a fresh one, in CI. Exits with 0 if it still holds, 1 if not, 2 if it cannot be used."""
    from hpcheck.cli import check as checking
    from hpcheck.runs.target import refuse_target

    for named in (markdown, checking.summary_file() if github else None):
        if named is not None:
            refuse_target(named)
    found = checking.check(load_config(config, set_, None), baseline, update, quiet, full)
    (stdout.write_lines if as_json else stdout.write_words)(checking.told(found, diff, as_json))
    if markdown is not None:
        checking.write_markdown(found, markdown)
    if github:
        checking.write_summary(found)
        for line in checking.annotations(found):  # GitHub reads both streams
            (stdout.tell if as_json else stdout.write)(line)
    raise typer.Exit(exit_codes.FINE if update else found.exit_code)


def reproduce(
    what: Annotated[list[str] | None, typer.Argument(metavar="WHAT", help="table1, table2-lenet-12, fig9a, fig7 ...")] = None,
    row: Annotated[int | None, typer.Option("--row", metavar="N", help="Only this row of the table.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say where each experiment stands. Runs nothing.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every experiment that fits in --budget, the cheapest first.")] = False,
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="For --all: 90s, 30m, 2h.")] = "30m",
    records: Annotated[Path | None, typer.Option("--records", metavar="DIR", help="Use the records in DIR/NAME/ too.")] = None,
    set_: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")] = False,
    quiet: Quiet = False,
) -> None:
    """The paper's own tables and figures, run again. Prints the paper's value, ours, and pass or miss. Exits with 1 if a run misses."""
    from hpcheck.reproduce import commands

    asked = commands.Wanted(what or [], row, records, set_ or [])
    states = commands.listed(asked) if list_ or not (what or all_) else commands.run(asked, budget if all_ else None, quiet)
    (stdout.write_lines if as_json else stdout.write_words)(commands.told(states, as_json))
    raise typer.Exit(commands.exit_code(states, list_))
