"""The commands around a project: begin one, check its config, see what the machine has."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hpcheck.cli.options import Overrides
from hpcheck.terminal import stdout


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder. Data in it are recognised.")] = Path(),
    preset: Annotated[str | None, typer.Option("--preset", metavar="NAME", help="Write a shipped config, such as quickstart.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    script: Annotated[
        Path | None, typer.Option("--script", metavar="FILE", help="Look at a training script of yours and print the lines to add.")
    ] = None,
    task: Annotated[bool, typer.Option("--task", help="Write a task, a class that can train anything, to begin with.")] = False,
    lightning: Annotated[bool, typer.Option("--lightning", help="Write a config for a LightningModule, and a small one.")] = False,
    hf: Annotated[bool, typer.Option("--hf", help="Print the lines that a script with a Hugging Face Trainer needs.")] = False,
) -> None:
    """Begin a project. Writes a commented hpcheck.yaml, and hpcheck_entry.py for your own model and data."""
    from hpcheck.errors import InputError
    from hpcheck.init import new_project, new_task
    from hpcheck.script import advice

    asked = {"--preset": preset, "--script": script, "--task": task, "--lightning": lightning, "--hf": hf}
    several = [name for name, given in asked.items() if given]
    if len(several) > 1:
        raise InputError(f"{several[0]} and {several[1]} begin different projects; give one of them")
    if script is not None:
        return stdout.write_lines(advice.advice(script))
    if hf:
        return stdout.write_lines(list(new_task.HF))
    if task or lightning:
        return stdout.write_words(new_task.begin(directory, "task" if task else "lightning", force).words)
    return stdout.write_words(new_project.begin(directory, preset, force).words)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON on stdout.")] = False) -> None:
    """What this machine has. Versions, devices, data sets found, free memory and disk, on one screen."""
    from hpcheck.terminal import exit_codes, packages

    try:
        from hpcheck.checklist import doctor as doctors
    except ImportError as error:
        stdout.write_words(packages.broken(error))
        raise typer.Exit(exit_codes.RUN_FAILED) from None

    found = doctors.examine()
    if as_json:
        return stdout.write(stdout.as_json(found))
    return stdout.write_words(doctors.lines(found))


def validate(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="CONFIG", help="Config files; default ./hpcheck.yaml.")] = None,
    set_: Overrides = None,
    skip_others: Annotated[bool, typer.Option("--skip-others", help="Pass over YAML files that are no config of hpcheck.")] = False,
) -> None:
    """Check config files. Lists all their mistakes. Reads no data and runs nothing."""
    from hpcheck import config as configs
    from hpcheck.config.by_content import is_config

    wrong = []
    for path in paths or ([] if skip_others else [Path("hpcheck.yaml")]):
        if skip_others and not is_config(path):
            continue
        try:
            configs.load(path, set_ or [])
            stdout.write(f"ok: {path}")
        except configs.ConfigError as error:
            wrong += error.problems
    if wrong:
        raise configs.ConfigError(wrong)


def schema() -> None:
    """JSON schema of the config, for editors."""
    from hpcheck import config

    stdout.write(json.dumps(config.schema(), indent=2))
