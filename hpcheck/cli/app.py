"""The commands: each loads a config, calls the checklist and prints what came out. Nothing here imports torch."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from hpcheck.terminal import exit_codes, stdout

if TYPE_CHECKING:
    from hpcheck.config import Config

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Set learning rate, batch size, momentum and weight decay by Leslie Smith's checklist, with the evidence.",
)

ConfigPath = Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="Config file; default ./hpcheck.yaml, else the newest run's.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Override a config key (dotted).")]
From = Annotated[Path | None, typer.Option("--from", metavar="FILE", help="Start from the settings in a recommended.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the recommendation as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no words.")]
EventFiles = Annotated[bool, typer.Option("--tensorboard", help="Write the runs as TensorBoard event files too.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
CurveFormat = Literal["csv", "jsonl", "tensorboard", "caffe"]
Snippet = Literal["pytorch", "onecycle", "lightning", "hf", "timm"]


class Command(TyperCommand):
    """A command that has stdout for its data alone; its help, which is asked for before it begins, goes there too."""

    def invoke(self, ctx: Any) -> Any:
        with stdout.for_data_alone():
            return super().invoke(ctx)


def _add(name: str, words: str) -> None:
    """Add the command of one step, or of all of them (`run`): they take the same options."""

    @app.command(name, cls=Command, help=words)
    def command(
        config: ConfigPath = None,
        set_: Overrides = None,
        from_: From = None,
        as_json: AsJson = False,
        quiet: Quiet = False,
        tensorboard: EventFiles = False,
        debug: Debug = False,
    ) -> None:
        _steps(None if name == "run" else name, _load(config, set_, from_), as_json, quiet, tensorboard)


_add("run", "The whole checklist, then train: lr-range, batch, momentum, wd-grid, the lr again, train.")
_add("lr-range", "Step 1: the largest stable learning rate, from a range test and short 1cycles (Smith 2018, 4.1).")


@app.command(cls=Command)
def batch(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    measure_again: Annotated[bool, typer.Option("--measure-again", help="Time the steps anew, say on another machine.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
    debug: Debug = False,
) -> None:
    """Step 2: total batch size, compared at equal execution time (4.2)."""
    _steps("batch", _load(config, set_, from_), as_json, quiet, tensorboard, measure_again)


@app.command(cls=Command)
def momentum(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    range_test: Annotated[bool, typer.Option("--range-test", help="Show why rising momentum shows no optimum (Fig. 7b).")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
    debug: Debug = False,
) -> None:
    """Step 3: momentum, each value at its own learning rate, then its shape over the cycle (4.3)."""
    loaded = _load(config, set_, from_)
    if range_test:
        from hpcheck.checklist.look import look
        from hpcheck.steps import momentum_range_test

        return _exit(look("momentum-range-test", momentum_range_test.decide, "momentum", loaded, as_json, quiet, tensorboard))
    return _steps("momentum", loaded, as_json, quiet, tensorboard)


@app.command("wd-grid", cls=Command)
def wd_grid(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    from_snapshot: Annotated[
        bool | None, typer.Option("--from-snapshot/--whole-runs", help="Continue one run at each value (Fig. 12), or a run each.")
    ] = None,
    over: Annotated[str | None, typer.Option("--over", metavar="KEY[=V,V]", help="Another option instead, such as model.dropout.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
    debug: Debug = False,
) -> None:
    """Step 4: weight decay, to one significant figure (4.4)."""
    overrides = [*(set_ or []), *[f"wd_grid.from_snapshot={str(from_snapshot).lower()}"] * (from_snapshot is not None)]
    loaded = _load(config, overrides, from_)
    if over is not None:
        from hpcheck.checklist.look import look
        from hpcheck.steps.other_regularizer import parse

        return _exit(look("wd-grid-over", parse(over, loaded).decide, "lr-reprobe", loaded, as_json, quiet, tensorboard))
    return _steps("wd-grid", loaded, as_json, quiet, tensorboard)


_add("train", "Train with what is recommended, several times; the lr is probed again first where other settings have moved it.")


@app.command(cls=Command)
def plan(
    config: ConfigPath = None,
    probe: Annotated[bool, typer.Option("--probe", help="Make 20 steps to tell time and memory.")] = False,
    set_: Overrides = None,
    from_: From = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON on stdout.")] = False,
    debug: Debug = False,
) -> None:
    """Validate the config, list the runs that are known now and what they may come to; runs nothing but the probe, if asked."""
    from hpcheck.checklist import forecast
    from hpcheck.checklist import probe as probes

    loaded = _load(config, set_, from_)
    found = forecast.planned(loaded)
    if probe:
        found["probe"] = measured = probes.probe(loaded)
        found["seconds"] = probes.seconds(found["iterations"], measured["seconds_a_step"])
    words = [*forecast.plan_lines(found), *(probes.lines(measured, found["iterations"]) if probe else ())]
    stdout.write(stdout.as_json(found) if as_json else "\n".join(words))


@app.command(cls=Command)
def show(
    config: ConfigPath = None,
    snippet: Annotated[Snippet | None, typer.Option("--snippet", help="Print code that uses the settings, ready to paste.")] = None,
    set_: Overrides = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The recommended settings and where each came from."""
    from hpcheck.recommendation import recommended, snippets
    from hpcheck.runs.directory import RunDirectory

    loaded = _load(config, set_, None, runs_code=False)
    runs = RunDirectory.of(loaded)
    content = recommended.read(runs.recommended, ("settings", "evidence", "provenance"))
    made_with = runs.made_with(str(content["provenance"].get("config"))) or loaded
    for part in ("data", "model", "optimizer"):
        if getattr(made_with, part).model_dump(exclude={"root"}) != getattr(loaded, part).model_dump(exclude={"root"}):
            typer.echo(
                f"the section {part} of this config is another than these settings were read with (hpcheck run reads anew)", err=True
            )
    if snippet is None:
        return _print(content, runs.path, as_json)
    optimizer = made_with.optimizer.name, made_with.optimizer.options()
    stdout.write(snippets.write(snippet, content["settings"], *optimizer), end="")
    for difference in snippets.differences(snippet, *optimizer):
        typer.echo(difference, err=True)
    return None


@app.command(cls=Command)
def report(
    of: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run directory or config; default: ./hpcheck.yaml, else the newest.")
    ] = None,
    set_: Overrides = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    debug: Debug = False,
) -> None:
    """Write the HTML report of a run directory again, from its records; prints its path."""
    from hpcheck.checklist import rewrite_report

    path, lost = rewrite_report.of_directory(of) if of is not None and of.is_dir() else rewrite_report.of_config(_load(of, set_, None))
    for words in lost:
        typer.echo(words, err=True)
    stdout.write(str(path))
    if open_:
        typer.launch(str(path))


@app.command(cls=Command)
def read(
    curves: Annotated[
        list[Path], typer.Argument(metavar="CURVE...", help="CSV, JSON lines, TensorBoard event file or directory, Caffe log.")
    ],
    x: Annotated[
        str | None, typer.Option("--x", metavar="COLUMN", help="Draw and compare against this column: the lr's or a step's.")
    ] = None,
    step: Annotated[str | None, typer.Option("--step", metavar="COLUMN", help="What counts iterations or epochs.")] = None,
    lr: Annotated[str | None, typer.Option("--lr", metavar="COLUMN", help="The learning rate.")] = None,
    val_loss: Annotated[str | None, typer.Option("--val-loss", metavar="COLUMN", help="The validation loss.")] = None,
    train_loss: Annotated[str | None, typer.Option("--train-loss", metavar="COLUMN", help="The training loss.")] = None,
    accuracy: Annotated[str | None, typer.Option("--accuracy", metavar="COLUMN", help="The validation metric.")] = None,
    format_: Annotated[CurveFormat | None, typer.Option("--format", help="Read the files as this; else by what they hold.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw the curves with their clues as boxes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the readings as JSON on stdout.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Read validation curves from anywhere: their clues, the largest lr, and which of several is best (Smith 2018, 3 and 4)."""
    from hpcheck.curves import describe, files, judge
    from hpcheck.curves import terminal as show
    from hpcheck.drawing import png

    given = {"step": step, "lr": lr, "val_loss": val_loss, "train_loss": train_loss, "accuracy": accuracy}
    wanted = {quantity: name for quantity, name in given.items() if name is not None}
    found = judge.read_all(files.load_all(curves, wanted, format_, x))
    if plot is not None:
        png.draw_panels(describe.panels(found), plot)
    show.report(found, as_json, quiet)
    _exit(found.abstained)


@app.command(cls=Command)
def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to start; data in it are recognised.")] = Path(),
    preset: Annotated[str | None, typer.Option("--preset", metavar="NAME", help="A shipped config instead, such as quickstart.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    debug: Debug = False,
) -> None:
    """Write a commented hpcheck.yaml, and hpcheck_entry.py for your own model and data."""
    from hpcheck.init import new_project

    stdout.write("\n".join(new_project.begin(directory, preset, force).words))


@app.command(cls=Command)
def check(
    config: ConfigPath = None,
    baseline: Annotated[Path, typer.Option("--baseline", metavar="FILE", help="The committed one.")] = Path("recommended.yaml"),
    update: Annotated[bool, typer.Option("--update", help="Write the baseline, or accept what has drifted.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print old settings against new.")] = False,
    github: Annotated[bool, typer.Option("--github", help="Write annotations and $GITHUB_STEP_SUMMARY.")] = False,
    set_: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON on stdout.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Regenerate the recommendation and compare it with the committed one: exit 0 same, 1 drifted, 2 unusable (for CI)."""
    from hpcheck.cli import check as checking

    found = checking.check(_load(config, set_, None), baseline, update, quiet)
    for line in checking.told(found, update, diff, as_json):
        stdout.write(line)
    if github:
        checking.write_summary(found)
        for line in checking.annotations(found):  # GitHub reads both streams
            typer.echo(line, file=sys.stderr if as_json else stdout.stream())
    raise typer.Exit(exit_codes.FINE if update else found.exit_code)


@app.command(cls=Command)
def reproduce(
    what: Annotated[list[str] | None, typer.Argument(metavar="[WHAT]...", help="table1, table2-lenet-12, fig9a, fig7 ...")] = None,
    row: Annotated[int | None, typer.Option("--row", metavar="N", help="That row of the table alone.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say where each experiment stands; runs nothing.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every experiment that fits in --budget, the cheapest first.")] = False,
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="For --all: 90s, 30m, 2h.")] = "30m",
    records: Annotated[Path | None, typer.Option("--records", metavar="DIR", help="Use the records in DIR/NAME/ too.")] = None,
    set_: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The paper's own tables and figures: its value, ours, pass or miss. Exit 1 where something that was run misses."""
    from hpcheck.reproduce import commands

    asked = commands.Wanted(what or [], row, records, set_ or [])
    states = commands.listed(asked) if list_ or not (what or all_) else commands.run(asked, budget if all_ else None, quiet)
    stdout.write("\n".join(commands.told(states, as_json)))
    raise typer.Exit(commands.exit_code(states, list_))


@app.command(cls=Command)
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")] = False, debug: Debug = False) -> None:
    """Versions, devices, data sets found, free memory and disk: one screen."""
    from hpcheck.terminal import doctor as doctors

    found = doctors.examine()
    stdout.write(stdout.as_json(found) if as_json else "\n".join(doctors.lines(found)))


@app.command(cls=Command)
def validate(
    paths: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help="Config files.")], set_: Overrides = None, debug: Debug = False
) -> None:
    """Check config files and name all that is wrong with them; no data are read and nothing runs."""
    from hpcheck import config as configs

    wrong = []
    for path in paths:
        try:
            configs.load(path, set_ or [])
            stdout.write(f"ok: {path}")
        except configs.ConfigError as error:
            wrong += error.problems
    if wrong:
        raise configs.ConfigError(wrong)


@app.command(cls=Command)
def schema() -> None:
    """JSON schema of the config, for editors."""
    from hpcheck import config

    stdout.write(json.dumps(config.schema(), indent=2))


def _load(path: Path | None, overrides: list[str] | None, from_: Path | None, runs_code: bool = True) -> "Config":
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
        typer.echo(f"config: {fallback}, that of the newest run, with what was set for it by -s", err=True)
    loaded = configs.load(path or fallback, [*(overrides or []), *outer_settings()])
    if of_newest and runs_code:
        rundir.refuse_users_code(loaded, fallback)
    return loaded if from_ is None else configs.overlay(loaded, recommended.read(from_)["settings"], str(from_), overrides or ())


def _steps(step: str | None, config: "Config", as_json: bool, quiet: bool, tensorboard: bool, measure_again: bool = False) -> None:
    """Run one step, or all of them, and print the recommendation; exit 6 where a reading abstained."""
    from hpcheck.checklist.run import Checklist
    from hpcheck.recommendation import recommended
    from hpcheck.terminal.progress import Progress

    progress = Progress(quiet)
    with Checklist(config, progress, tensorboard) as checklist:
        if measure_again:
            checklist.forget_step_times()
        readings = checklist.run_all() if step is None else checklist.run_step(step)
    for step, remark in ((reading.step, remark) for reading in readings for remark in reading.remarks):
        progress.say(f"{step}: {remark}")
    for words in checklist.lost():
        progress.say(words)
    if as_json or not quiet:
        _print(recommended.read(checklist.runs.recommended), checklist.runs.path, as_json, to_stderr=True)
    _exit(any(reading.abstained for reading in readings))


def _exit(abstained: bool) -> None:
    if abstained:
        raise typer.Exit(exit_codes.ABSTAINED)


def _print(content: dict[str, Any], folder: Path, as_json: bool, to_stderr: bool = False) -> None:
    from rich.console import Console

    from hpcheck.recommendation import wording

    if as_json:
        stdout.write(stdout.as_json(content))
    else:
        wording.show(content, Console(file=None if to_stderr else stdout.stream(), stderr=to_stderr, highlight=False), folder)
