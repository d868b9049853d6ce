"""The commands of the checklist: all of it, or one step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpcheck.cli.options import AsJson, ConfigPath, EventFiles, From, Overrides, Quiet, exit_if_abstained, load_config, print_recommendation

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcheck.config import Config


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
        run_steps(step, load_config(config, set_, from_), as_json, quiet, tensorboard, given=config)

    return command


Sure = Annotated[bool, typer.Option("--sure", help="Train the neighbours in lr and weight decay twice more, for high confidence.")]


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

    The steps are lr-range, batch, momentum, confirm and train. Where confirm.trainings is 0, wd-grid and a second look at the lr take the
    place of confirm.
    """
    run_steps(None, load_config(config, [*(set_ or []), *_sure(sure)], from_), as_json, quiet, tensorboard, given=config)


def confirm(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    sure: Sure = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """Train the best settings and yours in full, and compare them. A few weight decays are tried first."""
    run_steps("confirm", load_config(config, [*(set_ or []), *_sure(sure)], from_), as_json, quiet, tensorboard, given=config)


def _sure(sure: bool) -> list[str]:
    return ["confirm.sure=true"] * sure


def batch(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    measure_again: Annotated[bool, typer.Option("--measure-again", help="Time the steps anew, say on another machine.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    tensorboard: EventFiles = False,
) -> None:
    """Step 2: the batch size, at equal execution time (4.2)."""
    run_steps("batch", load_config(config, set_, from_), as_json, quiet, tensorboard, measure_again, config)


def momentum(
    config: ConfigPath = None,
    set_: Overrides = None,
    from_: From = None,
    range_test: Annotated[bool, typer.Option("--range-test", help="Show why rising momentum shows no optimum (Fig. 7b).")] = False,
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
    return run_steps("momentum", loaded, as_json, quiet, tensorboard, given=config)


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
) -> None:
    """Step 4: weight decay, to one significant figure (4.4)."""
    overrides = [*(set_ or []), *[f"wd_grid.from_snapshot={str(from_snapshot).lower()}"] * (from_snapshot is not None)]
    loaded = load_config(config, overrides, from_)
    if over is not None:
        from hpcheck.checklist.look import look
        from hpcheck.steps.other_regularizer import parse

        return exit_if_abstained(look("wd-grid-over", parse(over, loaded).decide, "lr-reprobe", loaded, as_json, quiet, tensorboard))
    return run_steps("wd-grid", loaded, as_json, quiet, tensorboard, given=config)


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
    measure_again: bool = False,
    given: Path | None = None,
) -> None:
    """Run one step, or all of them, and print the recommendation; exit 6 where a reading abstained, with what to try. `given` is the
    config's path as it was typed."""
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
        from hpcheck.script import command_line
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
        print_recommendation(content, checklist.runs.path, as_json, to_stderr=True)
    told = has_no_answer(content) and not (as_json or quiet)  # the recommendation ends with the same command
    if not told and (command := after_abstention(readings, checklist.runs.by_id, given, command_line.of_this_call())):
        progress.say(f"to try next: {command}", whole=True)
    exit_if_abstained(bool(left_open(readings)))
