"""The commands of the checklist: all of it, or one step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpcheck.cli.options import (
    AsJson,
    ConfigPath,
    EventFiles,
    From,
    Overrides,
    Quiet,
    call_of,
    exit_if_abstained,
    load_config,
    print_recommendation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcheck.config import Config
    from hpcheck.script.call import Call


def whole_step(step: str | None) -> "Callable[..., None]":
    """The command of one step, or of all of them (None): they take the same options."""

    def command(
        config: ConfigPath = None,
        set_: Overrides = None,
        from_: From = None,
        as_json: AsJson = False,
        quiet: Quiet = False,
        tensorboard: EventFiles = False,
    ) -> None:
        run_steps(step, load_config(config, set_, from_), as_json, quiet, tensorboard, call_of(config, set_, from_))

    return command


Sure = Annotated[bool, typer.Option("--sure", help="Train neighbours in lr and weight decay with more seeds, to be surer.")]


def run(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    sure: Sure = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """The whole checklist, one step after another.

    The steps are lr-range, batch, momentum, confirm and train. If confirm.trainings is 0, wd-grid and a second look at the lr are made
    instead of confirm.
    """
    overrides = [*(set_ or []), *_sure(sure)]
    run_steps(None, load_config(config, overrides, from_), as_json, quiet, tensorboard, call_of(config, overrides, from_))


def confirm(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    sure: Sure = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """Train promising settings and yours in full, and compare them. Weight decay is set here too."""
    overrides = [*(set_ or []), *_sure(sure)]
    run_steps("confirm", load_config(config, overrides, from_), as_json, quiet, tensorboard, call_of(config, overrides, from_))


def _sure(sure: bool) -> list[str]:
    return ["confirm.sure=true"] * sure


def batch(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    measure_again: Annotated[bool, typer.Option("--measure-again", help="Time the steps anew, as on another machine.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """Step 2: the batch size, at equal execution time (4.2)."""
    run_steps("batch", load_config(config, set_, from_), as_json, quiet, tensorboard, call_of(config, set_, from_), measure_again)


def momentum(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    range_test: Annotated[bool, typer.Option("--range-test", help="Show that rising momentum has no best value (Fig. 7b).")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """Step 3: momentum. Each value at its own learning rate, then its shape over the cycle (4.3)."""
    loaded = load_config(config, set_, from_)
    if range_test:
        from hpcheck.checklist.look import look
        from hpcheck.steps import momentum_range_test

        return exit_if_abstained(look("momentum-range-test", momentum_range_test.decide, "momentum", loaded, as_json, quiet, tensorboard))
    return run_steps("momentum", loaded, as_json, quiet, tensorboard, call_of(config, set_, from_))


def wd_grid(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    from_snapshot: Annotated[
        bool | None, typer.Option("--from-snapshot/--whole-runs", help="Continue one run for each value (Fig. 12), or whole runs.")
    ] = None,
    over: Annotated[str | None, typer.Option("--over", metavar="KEY[=V,V]", help="Compare another option, such as model.dropout.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """Step 4: weight decay, to one significant figure (4.4)."""
    overrides = [*(set_ or []), *[f"wd_grid.from_snapshot={str(from_snapshot).lower()}"] * (from_snapshot is not None)]
    loaded = load_config(config, overrides, from_)
    if over is not None:
        from hpcheck.checklist.look import look
        from hpcheck.steps.other_regularizer import parse

        return exit_if_abstained(look("wd-grid-over", parse(over, loaded).decide, "lr-reprobe", loaded, as_json, quiet, tensorboard))
    return run_steps("wd-grid", loaded, as_json, quiet, tensorboard, call_of(config, overrides, from_))


def will_need_workers(config: "Config") -> bool:
    """Whether runs will be made by workers of this process: nothing is recorded yet. Code of the user's own is loaded first, since what it
    sets in the environment is the workers' too."""
    from hpcheck.plugins.find import is_users_own

    run = config.run
    if config.script is not None or config.task is not None or run.engine != "local" or run.devices > 1:
        return False
    if any(map(is_users_own, (config.data.name, config.model.name, config.optimizer.name))):
        return False
    return not any((Path(run.dir) / config.name / "records").glob("*.jsonl"))


def run_steps(
    step: str | None,
    config: "Config",
    as_json: bool,
    quiet: bool,
    tensorboard: bool,
    call: "Call",
    measure_again: bool = False,
) -> None:
    """Run one step, or all of them, and print the recommendation; exit 6 where a reading abstained, with what to try. The commands that it
    tells name what the `call` did."""
    from hpcheck.terminal.progress import Progress

    progress = Progress(quiet)
    with progress.waiting(f"{Path(config.run.dir) / config.name}: starting"):  # these imports take half a second
        if will_need_workers(config):
            from hpcheck.engine.pool.executor import start_early

            start_early()
        from hpcheck.checklist.run import Checklist
        from hpcheck.recommendation import recommended
        from hpcheck.recommendation.verdict import has_no_answer
        from hpcheck.report.try_next import after_abstention
        from hpcheck.steps.reading import left_open
    with Checklist(config, progress, tensorboard) as checklist:
        if measure_again:
            checklist.forget_step_times()
        readings = checklist.run_all() if step is None else checklist.run_step(step)
    for step, remark in ((reading.step, remark) for reading in readings for remark in reading.remarks):
        progress.say(f"{step}: {remark}")
    for words in checklist.lost():
        progress.say(words)
    content = recommended.read(checklist.runs.recommended, whole=True)
    if as_json or not quiet:
        print_recommendation(content, checklist.runs.path, as_json, call, to_stderr=True)
    told = has_no_answer(content) and not (as_json or quiet)  # the recommendation ends with the same command
    if not told and (command := after_abstention(readings, checklist.runs.by_id)):
        progress.say(f"to try next: {call.named_in(command)}", whole=True)
    exit_if_abstained(bool(left_open(readings)))
