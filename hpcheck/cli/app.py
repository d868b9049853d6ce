"""The application: one table of all commands. Nothing here imports torch."""

from collections.abc import Callable
from typing import Annotated

import typer

from hpcheck import __version__
from hpcheck.cli import project, steps, verify, views
from hpcheck.cli.options import Command
from hpcheck.terminal import stdout

COMMANDS: tuple[tuple[str, Callable[..., None], str | None], ...] = (  # name, function, help where it is not the function's own
    ("run", steps.run, None),
    (
        "lr-range",
        steps.whole_step("lr-range"),
        "Step 1: the learning rate. The largest stable one, from a range test and short 1cycles (Smith 2018, 4.1).",
    ),
    ("batch", steps.batch, None),
    ("momentum", steps.momentum, None),
    ("wd-grid", steps.wd_grid, None),
    ("confirm", steps.confirm, None),
    (
        "train",
        steps.whole_step("train"),
        "Train with what is recommended. The lr is read again first if other settings have moved it.",
    ),
    ("plan", views.plan, None),
    ("show", views.show, None),
    ("report", views.report, None),
    ("read", views.read, None),
    ("init", project.init, None),
    ("check", verify.check, None),
    ("reproduce", verify.reproduce, None),
    ("doctor", project.doctor, None),
    ("validate", project.validate, None),
    ("schema", project.schema, None),
)

HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(context_settings=HELP, no_args_is_help=True, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for name, function, words in COMMANDS:
    app.command(name, cls=Command, help=words, context_settings=HELP)(function)


def _tell_version(asked: bool) -> None:
    if asked:
        stdout.write(f"hpcheck {__version__}")
        raise typer.Exit


@app.callback()
def every_command(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. Also works after the command.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Set learning rate, batch size, momentum and weight decay by Leslie Smith's checklist, with the evidence."""
