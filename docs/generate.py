"""Write the pages that follow from the code: commands.md, config.md and hpcheck.schema.json. Run it after changing a command or a key.

python docs/generate.py
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from hpcheck import config as configs
from hpcheck.cli.app import app
from hpcheck.config import allowed
from hpcheck.config.sections import Config
from hpcheck.config.template import plain, section_of, spelled
from hpcheck.reproduce import page

DOCS = Path(__file__).parent
EXIT_CODES = {  # hpcheck/terminal/exit_codes.py, in words
    0: 'all is well; "these values are tied" is an answer too',
    1: "`check`: a setting has drifted from the committed one. `reproduce`: a run missed the paper's value",
    2: "something that you gave was wrong",
    3: "a run failed, or hpcheck itself",
    4: "another process uses the run directory",
    5: "a file could not be written",
    6: "a step gave no answer, because its curves could not be read or no learning rate was known",
    130: "stopped by Ctrl-C (143: by SIGTERM; 129: the terminal was closed, except under `nohup`). Run the command again to go on",
    141: "the program that read the output closed it (`| head`)",
}


def commands() -> str:
    """Every command with its arguments and options, as its --help says them."""
    group: Any = get_command(app)
    listed = [(name, group.commands[name]) for name in group.commands]
    lines = ["# Commands", "", "Generated from `--help` by `python docs/generate.py`.", "", group.help, ""]
    lines += ["| command | does |", "|---|---|", *(f"| [`{name}`](#{name}) | {cell(command.help)} |" for name, command in listed)]
    for name, command in listed:
        lines += ["", f"## {name}", "", f"`{usage(name, command)}`", "", command.help, ""]
        lines += ["| option | means |", "|---|---|", *(f"| {spelling(one)} | {cell(meaning(one))} |" for one in command.params)]
    lines += ["", "## Exit codes", "", "| code | means |", "|---|---|", *(f"| {code} | {words} |" for code, words in EXIT_CODES.items())]
    return "\n".join(lines) + "\n"


def usage(name: str, command: Any) -> str:
    return " ".join(["hpcheck", name, "[OPTIONS]", *(argument(one) for one in command.params if one.param_type_name == "argument")])


def argument(parameter: Any) -> str:
    """CONFIG, in brackets where it may be left out, with dots where several may stand."""
    given = (parameter.metavar or parameter.name.upper()).removesuffix("...")
    return (given if parameter.required else f"[{given}]") + "..." * (parameter.nargs == -1)


def spelling(parameter: Any) -> str:
    """`--set`, `-s` KEY=VALUE."""
    if parameter.param_type_name == "argument":
        return f"`{argument(parameter)}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or choices(parameter) or 'VALUE'}"
    return ", ".join(f"`{option}{value}`" for option in (*parameter.opts, *parameter.secondary_opts))


def choices(parameter: Any) -> str:
    """`a\\|b` where an option is one of some words; typer keeps them in its own place since it is without click."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    words = get_args(annotation) if get_origin(annotation) is Literal else getattr(getattr(parameter, "type", None), "choices", ())
    return "\\|".join(words)


def meaning(parameter: Any) -> str:
    default = getattr(parameter, "default", None)
    told = "" if default in (None, False, ()) or callable(default) or str(default) == "." else f" Default: `{default}`."
    words = parameter.help or ""
    return f"{words}{'' if words.endswith('.') else '.'}{told}"


def config() -> str:
    """Every key of the config with its default, what is allowed and what it means."""
    schema = configs.schema()
    lines = ["# Config reference", "", "Generated from the one description of the config by `python docs/generate.py`.", ""]
    lines += ["`hpcheck schema` prints the same as a JSON schema, kept as [hpcheck.schema.json](hpcheck.schema.json) for editors.", ""]
    lines += ["An editor with the YAML language server completes and checks a config that says where the schema lies:", ""]
    lines += ["```yaml", "# yaml-language-server: $schema=hpcheck.schema.json", "```", ""]
    lines += [
        "Only `data` and `model` are required, or one of `task` and `script` in their place. A bare string is short for `{name: ...}` in"
    ]
    lines += ["`data`, `model`, `optimizer` and `task`.", ""]
    top = {name: field for name, field in Config.model_fields.items() if not section_of(field.annotation)}
    lines += ["| key | default | allowed | means |", "|---|---|---|---|", *(row((name,), field, schema) for name, field in top.items())]
    for name, field in Config.model_fields.items():
        section = section_of(field.annotation)
        if section is not None:
            lines += ["", f"## {name}", "", str(section.__doc__), ""]
            lines += ["| key | default | allowed | means |", "|---|---|---|---|"]
            lines += [row((name, key), inner, schema) for key, inner in section.model_fields.items()]
    return "\n".join(lines) + "\n"


def row(path: tuple[str, ...], field: Any, schema: dict[str, Any]) -> str:
    default = "required" if field.is_required() else f"`{spelled(plain(field))}`"
    return f"| `{'.'.join(path)}` | {default} | {cell(allowed.allowed(schema, path))} | {cell(field.description)} |"


def cell(text: str) -> str:
    """Text inside one cell of a Markdown table, where `<` would begin a tag."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split()) if text.strip() else text.strip()


def schema_file() -> str:
    return json.dumps(configs.schema(), indent=2) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "config.md": config,
    "hpcheck.schema.json": schema_file,
    "results/paper.md": page.markdown,
    "results/paper-jpeg.md": page.history,
}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
