"""The commands that look: what would run, what was found, the report, and curves from anywhere."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hpcheck.cli.options import (
    AsJson,
    ConfigPath,
    CurveFormat,
    From,
    Overrides,
    Quiet,
    Snippet,
    call_of,
    exit_if_abstained,
    load_config,
    print_recommendation,
)
from hpcheck.terminal import stdout


def plan(
    config: ConfigPath = None,
    probe: Annotated[bool, typer.Option("--probe", help="Make 20 steps to tell time and memory.")] = False,
    set_: Overrides = None,
    from_: From = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON on stdout.")] = False,
) -> None:
    """What a search will cost, before anything runs. Checks the config, and says which data it found and which runs come next."""
    from hpcheck.checklist import forecast
    from hpcheck.checklist import probe as probes

    loaded = load_config(config, set_, from_)
    found = forecast.planned(loaded)
    if probe:
        found["probe"] = measured = probes.probe(loaded)
        found["seconds"] = probes.seconds(found["iterations"], measured["seconds_a_step"])
    if as_json:
        return stdout.write(stdout.as_json(found))
    return stdout.write_words([*forecast.plan_lines(found), *(probes.lines(measured, found["iterations"]) if probe else ())])


def show(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG", help="Config, or a recommended.yaml; default ./hpcheck.yaml, else the newest run's."),
    ] = None,
    snippet: Annotated[Snippet | None, typer.Option("--snippet", help="Print code that uses the settings, ready to paste.")] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", min=1, help="How the values move at this batch size, by published rules.")
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", metavar="M", min=0.001, help="The same for this number of epochs.")] = None,
    set_: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """The recommended settings, and where each came from. Or code that uses them, or how they move with batch size and length."""
    from hpcheck.checklist.lost_records import refuse_lost_records
    from hpcheck.config.by_content import is_recommendation
    from hpcheck.config.differences import overrides_between
    from hpcheck.recommendation import other_lengths, recommended, snippets
    from hpcheck.runs.directory import RunDirectory
    from hpcheck.runs.identity import declares_multipliers

    if config is not None and is_recommendation(config):
        return _show_file(config, snippet, batch, epochs, as_json)
    loaded = load_config(config, set_, None, runs_code=False)
    runs = RunDirectory.of(loaded)
    content = recommended.read(runs.recommended, ("settings", "evidence", "provenance"), whole=True)
    refuse_lost_records(runs, content)
    made_with = runs.made_with(str(content["provenance"].get("config"))) or loaded
    arrays = made_with.script is None and made_with.task is None  # what the others told is in one of the two configs alone
    for part in ("data", "model", "optimizer") if arrays else ():
        if getattr(made_with, part).model_dump(exclude={"root"}) != getattr(loaded, part).model_dump(exclude={"root"}):
            stdout.tell(f"the section {part} of this config has changed since these settings were found (hpcheck run finds them again)")
    if batch is not None or epochs is not None:
        return stdout.write_words(other_lengths.lines(content, batch, epochs))
    script = None if made_with.script is None else tuple(made_with.script)
    call = replace(call_of(config, [*(set_ or []), *overrides_between(loaded, made_with)]), script=script)
    if made_with.script is not None or (snippet == "hpcheck" and made_with.task is None):
        from hpcheck.script import snippet as scripts

        if snippet is None:
            print_recommendation(content, runs.path, as_json, call)
        if snippet is not None or not as_json:
            stdout.write(scripts.write(runs.recommended, snippet, made_with.script))
        return None
    if snippet is None:
        return print_recommendation(content, runs.path, as_json, call)
    if made_with.task is not None:
        from hpcheck.tasks import snippet as of_task

        return stdout.write(of_task.write(runs.path, snippet, made_with.model.name))
    optimizer = made_with.optimizer.name, made_with.optimizer.options()
    multiplied = declares_multipliers(made_with.model.name)
    stdout.write(snippets.write(snippet, content["settings"], *optimizer, multiplied), end="")
    for difference in snippets.differences(snippet, *optimizer, multiplied):
        stdout.tell(difference)
    return None


def _show_file(path: Path, snippet: str | None, batch: int | None, epochs: float | None, as_json: bool) -> None:
    """A recommended.yaml by itself, wherever it came from. Raises `InputError` for code of which it does not say with which optimizer."""
    from hpcheck.errors import InputError
    from hpcheck.recommendation import other_lengths, recommended, snippets
    from hpcheck.runs.directory import RunDirectory
    from hpcheck.script import snippet as scripts

    content = recommended.read(path, ("settings", "evidence", "provenance"), whole=True)
    if batch is not None or epochs is not None:
        return stdout.write_words(other_lengths.lines(content, batch, epochs))
    if snippet is None:
        return print_recommendation(content, path.parent, as_json, call_of(None, None))
    if snippet == "hpcheck":
        return stdout.write(scripts.write(path, snippet, None))
    made_with = RunDirectory(path.parent).made_with(str(content["provenance"].get("config")))
    if made_with is None or made_with.script is not None or made_with.task is not None:
        raise InputError(
            f"{path} does not say with which optimizer it was read: give its config, as in hpcheck show CONFIG --snippet {snippet}"
        )
    return stdout.write(snippets.write(snippet, content["settings"], made_with.optimizer.name, made_with.optimizer.options()), end="")


def report(
    of: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run directory or config; default: ./hpcheck.yaml, else the newest.")
    ] = None,
    set_: Overrides = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the HTML report again, from the records. Prints its path."""
    from hpcheck.checklist import rewrite_report

    path, lost = (
        rewrite_report.of_directory(of)
        if of is not None and of.is_dir()
        else rewrite_report.of_config(load_config(of, set_, None, launches=False))
    )
    for words in lost:
        stdout.tell(words)
    stdout.write(str(path))
    if open_:
        typer.launch(str(path))


def read(
    curves: Annotated[
        list[Path], typer.Argument(metavar="CURVE", help="CSV, JSON, console log, TensorBoard, MLflow, Caffe; or a directory.")
    ],
    x: Annotated[str | None, typer.Option("--x", metavar="COLUMN", help="Draw and compare against this column: lr or step.")] = None,
    step: Annotated[str | None, typer.Option("--step", metavar="COLUMN", help="What counts iterations or epochs.")] = None,
    lr: Annotated[str | None, typer.Option("--lr", metavar="COLUMN", help="The learning rate.")] = None,
    val_loss: Annotated[list[str] | None, typer.Option("--val-loss", metavar="COLUMN", help="Validation loss; repeat for parts.")] = None,
    train_loss: Annotated[str | None, typer.Option("--train-loss", metavar="COLUMN", help="The training loss.")] = None,
    accuracy: Annotated[str | None, typer.Option("--accuracy", metavar="COLUMN", help="The validation metric.")] = None,
    format_: Annotated[CurveFormat | None, typer.Option("--format", help="Format of the files. Default: found from their content.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw the curves with their clues as boxes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the readings as JSON on stdout.")] = False,
    quiet: Quiet = False,
) -> None:
    """Read validation curves from anywhere. Their clues, the largest lr, and which of several is best (Smith 2018, 3 and 4)."""
    from hpcheck.curves import describe, files, judge
    from hpcheck.curves import terminal as show
    from hpcheck.drawing import png
    from hpcheck.runs.target import refuse_target

    if plot is not None:
        png.refuse_unknown_kind(plot)
        refuse_target(plot)
    given = {"step": step, "lr": lr, "train_loss": train_loss, "accuracy": accuracy}
    wanted = {quantity: name for quantity, name in given.items() if name is not None}
    parts = val_loss or []
    wanted |= {"val_loss": parts[0]} if len(parts) == 1 else {}
    found = judge.read_all(files.load_all(curves, wanted, format_, x, {"val_loss": parts} if len(parts) > 1 else {}))
    if plot is not None:
        png.draw_panels(describe.panels(found), plot)
    show.report(found, as_json, quiet)
    exit_if_abstained(found.abstained)
