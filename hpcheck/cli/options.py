"""What the commands share: their options, how a config is found, how a command ends. Nothing here imports torch."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from hpcheck.script import command_line
from hpcheck.terminal import exit_codes, stdout

if TYPE_CHECKING:
    from hpcheck.config import Config
    from hpcheck.script.call import Call

ConfigPath = Annotated[Path | None, typer.Argument(metavar="CONFIG", help="Config file; default ./hpcheck.yaml, else the newest run's.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Override a config key: budget.epochs=10.")]
From = Annotated[Path | None, typer.Option("--from", metavar="FILE", help="Start from the settings in a recommended.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the recommendation as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no words.")]
EventFiles = Annotated[bool, typer.Option("--tensorboard", help="Write the runs as TensorBoard event files too.")]
CurveFormat = Literal["tensorboard", "sqlite", "caffe", "optuna", "json", "list", "jsonl", "mlflow", "headerless", "console", "csv"]
Snippet = Literal["hpcheck", "pytorch", "onecycle", "lightning", "hf", "timm"]


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


def load_config(
    path: Path | None, overrides: list[str] | None, from_: Path | None, runs_code: bool = True, launches: bool = True
) -> "Config":
    """The config to act on: the file given, ./hpcheck.yaml, or that of the newest run where it names no code; with overlays applied."""
    from hpcheck import config as configs
    from hpcheck.engine.distributed.ddp import outer_settings
    from hpcheck.runs import directory as rundir

    if (script := command_line.of_this_call()) is not None:
        return _load_script(path, script, overrides or [], from_)
    default = Path("hpcheck.yaml")
    newest = rundir.newest(Path("runs")) if path is None and not default.exists() else None
    fallback = default if newest is None else newest.config
    of_newest = path is None and fallback != default
    if of_newest:
        stdout.tell(f"config: {fallback}, the config of the newest run, as -s had changed it")
    loaded = configs.load(path or fallback, [*(overrides or []), *outer_settings()])
    if (of_newest or (path is not None and rundir.is_in_one(path))) and runs_code and (launches or loaded.script is None):
        rundir.refuse_users_code(loaded, path or fallback)
    return _begun_from(loaded, overrides or [], from_, runs_code and launches)


def _load_script(path: Path | None, script: list[str], overrides: list[str], from_: Path | None) -> "Config":
    """The config given, or an empty one, for this command. The newest run is not looked at."""
    from hpcheck import config as configs

    given = [f"script={json.dumps(script)}", *overrides]
    if path is not None:
        return _begun_from(configs.load(path, given), overrides, from_, True)
    loaded = configs.parse("{}", command_line.PLACE, given)
    named = loaded if loaded.name else loaded.model_copy(update={"name": command_line.run_name(script)})
    return _begun_from(named, overrides, from_, True)


def _begun_from(loaded: "Config", overrides: list[str], from_: Path | None, launches: bool) -> "Config":
    """The config starting from what its script or its task tells, and from a recommendation."""
    from hpcheck import config as configs

    if loaded.script is not None:
        from hpcheck.script import resolved

        loaded = resolved.resolved(loaded, launches)
    if loaded.task is not None:
        from hpcheck.tasks import resolved as tasks

        loaded = tasks.resolved(loaded, launches)
    if from_ is None:
        return loaded
    from hpcheck.recommendation import recommended

    begun = configs.overlay(loaded, recommended.read(from_)["settings"], str(from_), overrides)
    if loaded.task is not None:
        return tasks.placed(begun, loaded)
    return begun if loaded.script is None else resolved.placed(begun)


def exit_if_abstained(abstained: bool) -> None:
    if abstained:
        raise typer.Exit(exit_codes.ABSTAINED)


def call_of(config: Path | None, overrides: list[str] | None, from_: Path | None = None) -> "Call":
    """What this call names, for the commands that are told to be tried next."""
    from hpcheck.script.call import Call

    script = command_line.of_this_call()
    return Call(config, tuple(overrides or ()), from_, None if script is None else tuple(script))


def print_recommendation(content: dict[str, Any], folder: Path, as_json: bool, call: "Call", to_stderr: bool = False) -> None:
    from hpcheck.cli import summary

    if as_json:
        stdout.write(stdout.as_json(content))
    else:
        console = stdout.console(to_stderr)
        if to_stderr:
            console.print()  # the answer stands apart from what was said on the way
        summary.show(content, console, folder, call)
