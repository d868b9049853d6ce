"""What the commands share: their options, how a config is found, how a command ends. Nothing here imports torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from hpcheck.terminal import exit_codes, stdout

if TYPE_CHECKING:
    from hpcheck.config import Config

ConfigPath = Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="Config file; default ./hpcheck.yaml, else the newest run's.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Override a config key (dotted).")]
From = Annotated[Path | None, typer.Option("--from", metavar="FILE", help="Start from the settings in a recommended.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the recommendation as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no words.")]
EventFiles = Annotated[bool, typer.Option("--tensorboard", help="Write the runs as TensorBoard event files too.")]
CurveFormat = Literal["tensorboard", "caffe", "json", "jsonl", "mlflow", "headerless", "console", "csv"]
Snippet = Literal["pytorch", "onecycle", "lightning", "hf", "timm"]


class Command(TyperCommand):
    """A command that has stdout for its data alone; its help, which is asked for before it begins, goes there too."""

    def invoke(self, ctx: Any) -> Any:
        from hpcheck.plugins.user_errors import as_theirs

        with stdout.for_data_alone():
            try:
                return super().invoke(ctx)
            except BaseException as error:  # an EOFError, an Exit or a KeyboardInterrupt of the user's code would mean something to typer
                theirs = as_theirs(error)
                if theirs is None:
                    raise
                raise theirs from None


def load_config(path: Path | None, overrides: list[str] | None, from_: Path | None, runs_code: bool = True) -> "Config":
    """The config to act on: the file given, ./hpcheck.yaml, or that of the newest run where it names no code; with overlays applied."""
    from hpcheck import config as configs
    from hpcheck.engine.distributed.ddp import outer_settings
    from hpcheck.recommendation import recommended
    from hpcheck.runs import directory as rundir

    default = Path("hpcheck.yaml")
    newest = rundir.newest(Path("runs")) if path is None and not default.exists() else None
    fallback = default if newest is None else newest.config
    of_newest = path is None and fallback != default
    if of_newest:
        stdout.tell(f"config: {fallback}, that of the newest run, with what was set for it by -s")
    loaded = configs.load(path or fallback, [*(overrides or []), *outer_settings()])
    if of_newest and runs_code:
        rundir.refuse_users_code(loaded, fallback)
    return loaded if from_ is None else configs.overlay(loaded, recommended.read(from_)["settings"], str(from_), overrides or ())


def exit_if_abstained(abstained: bool) -> None:
    if abstained:
        raise typer.Exit(exit_codes.ABSTAINED)


def print_recommendation(content: dict[str, Any], folder: Path, as_json: bool, to_stderr: bool = False) -> None:
    from hpcheck.cli import summary

    if as_json:
        stdout.write(stdout.as_json(content))
    else:
        summary.show(content, stdout.console(to_stderr), folder)
