"""Reading and writing a config: load, parse, dump, JSON schema, and the overlay of recommended settings."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints, is_typeddict

import yaml
from pydantic import ValidationError

from hpcheck.config import yaml12
from hpcheck.config.across_sections import of_whole
from hpcheck.config.problems import ConfigError, Finding, Problem, key_text, of_parts, of_validation, unknown_key
from hpcheck.config.recommended import SettingsBlock
from hpcheck.config.run_section import Run
from hpcheck.config.scripts import of_script, with_placeholders, without_placeholders
from hpcheck.config.sections import (
    Batch,
    Budget,
    Config,
    Confirm,
    Data,
    LrRange,
    Model,
    Momentum,
    MomentumRange,
    Optimizer,
    Start,
    Task,
    Train,
    WdGrid,
)
from hpcheck.config.source import Source, read, read_text, run_name
from hpcheck.config.tasks import of_task
from hpcheck.config.types import Section
from hpcheck.config.yaml12 import KeyPath

__all__ = [
    "Batch",
    "Budget",
    "Config",
    "ConfigError",
    "Confirm",
    "Data",
    "LrRange",
    "Model",
    "Momentum",
    "MomentumRange",
    "Optimizer",
    "Problem",
    "Run",
    "Start",
    "Task",
    "Train",
    "WdGrid",
    "digest",
    "dump",
    "from_values",
    "load",
    "overlay",
    "parse",
    "schema",
]

SETTINGS: dict[KeyPath, KeyPath] = {  # key of the config: where recommended.yaml has it in its `settings`
    ("start", "total_batch_size"): ("total_batch_size",),
    ("start", "weight_decay"): ("weight_decay",),
    ("start", "momentum"): ("momentum",),
    ("start", "max_lr"): ("learning_rate", "max"),
    ("start", "min_lr"): ("learning_rate", "min"),
    ("train", "momentum"): ("momentum", "shape"),
    ("budget", "epochs"): ("learning_rate", "epochs"),
}


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read the config file at `path`, then apply `overrides` ("a.b=value"). Raises `ConfigError` with all that is wrong with them."""
    config = parse(read_text(path), str(path), overrides)
    return config if config.name else config.model_copy(update={"name": run_name(path)})


def parse(text: str, source_name: str, overrides: Sequence[str] = ()) -> Config:
    """The config that `text` describes; `source_name` is the file that errors name. Raises `ConfigError` with all that is wrong."""
    return _checked(read(text, source_name, overrides))


def from_values(values: Mapping[str, Any], source_name: str, overrides: Sequence[str] = ()) -> Config:
    """The config that a dict describes, which is read as the YAML it would be written as. Raises `ConfigError` with all that is wrong."""
    try:
        text = yaml12.write(values)
    except yaml.YAMLError as error:
        problem = str(error).partition("\n")[0]
        raise ConfigError([Problem(source_name, None, "", problem, expected="numbers, text, true, false, None, lists and dicts")]) from None
    source = read(text, source_name, overrides)
    source.places = {path: (file, None) for path, (file, _) in source.places.items()}  # of lines that nobody sees
    return _checked(source)


def _checked(source: Source) -> Config:
    """The config of these values. Raises `ConfigError` with all that is wrong with them."""
    findings = [*of_script(source.values), *of_task(source.values), *of_parts(source.values, schema())]
    try:
        config = Config.model_validate(with_placeholders(source.values))
        findings += of_whole(config)
    except ValidationError as error:
        findings = of_validation(error, schema()) + findings
    problems = [source.located(finding) for finding in findings]
    if source.problems or problems:
        raise ConfigError([*source.problems, *problems])
    return config


@cache
def schema() -> dict[str, Any]:
    """JSON schema of the config file, for editors and for the reference page."""
    described = Config.model_json_schema()
    short = {"Data": "string", "Model": "string", "Optimizer": "string", "Task": "string", "MomentumRange": "number"}
    for section, bare in short.items():
        described["$defs"][section] = {"anyOf": [{"type": bare}, described["$defs"][section]]}
    del described["required"]
    described["anyOf"] = [{"required": ["data", "model"]}, {"required": ["script"]}, {"required": ["task"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "title": "hpcheck config"}


def dump(config: Config) -> str:
    """The config with every default written out, as YAML that `parse` reads back equal."""
    return yaml12.write(without_placeholders(config.model_dump(mode="json")))


def digest(config: Config) -> str:
    """16 hex digits that name a config, every default included."""
    return hashlib.sha256(dump(config).encode()).hexdigest()[:16]


def overlay(config: Config, settings: Mapping[str, Any], source_name: str = "recommended.yaml", overrides: Sequence[str] = ()) -> Config:
    """`config` starting from the `settings` of a recommended.yaml: batch size, momentum, weight decay, the cycle's largest and smallest lr
    and the training's length, and rising momentum where it says so; nothing else, so the shape of the cycle stays the config's.
    What `overrides` ("a.b=value") name they set, whatever the recommendation says.

    Values only, so no setting can name code. Raises `ConfigError` for a key or a value that a recommendation cannot have.
    """
    known, findings = _written(settings, SettingsBlock, ("settings",))
    lr = known.get("learning_rate", {})
    read = {**known, "learning_rate": lr if isinstance(lr, Mapping) else {"max": lr}}
    given = {key: value for key, place in SETTINGS.items() if (value := _at(read, place)) is not None}
    if ("start", "max_lr") in given:
        given.setdefault(("start", "min_lr"), None)  # the config's own belongs to its own max_lr
    momentum = given.get(("start", "momentum"))
    if isinstance(momentum, Mapping):
        given["start", "momentum"] = {key: value for key, value in momentum.items() if key != "shape"}
    sections: dict[str, Section] = {"start": config.start, "budget": config.budget, "train": config.train}
    for name, section in sections.items():
        values = {key[1]: value for key, value in given.items() if key[0] == name}
        try:
            sections[name] = type(section).model_validate({**section.model_dump(), **values})
        except ValidationError as error:
            for finding in of_validation(error, schema(), (name,)):
                place = SETTINGS[finding.path[0], finding.path[1]]
                findings.append(replace(finding, path=("settings", *place, *finding.path[2:])))
    if findings:
        raise ConfigError([Problem(source_name, None, key_text(one.path), one.problem, one.got, one.expected) for one in findings])
    return _overridden(config.model_copy(update=sections), overrides, source_name)


def _overridden(config: Config, overrides: Sequence[str], source_name: str) -> Config:
    """`config` with `overrides` put in; another largest lr takes the smallest lr with it, which belonged to the one before."""
    named = {override.partition("=")[0].strip() for override in overrides}
    forgotten = ["start.min_lr=null"] * ("start.max_lr" in named)
    try:
        return parse(dump(config), source_name, [*forgotten, *overrides])
    except ConfigError as error:  # of an override beside what was recommended: the lines are not the file's
        raise ConfigError([replace(problem, line=None) for problem in error.problems]) from None


def _written(values: Mapping[str, Any], block: Any, path: KeyPath) -> tuple[dict[str, Any], list[Finding]]:
    """What of `values` has a key that recommended.yaml is written with (`block`), blocks inside too; and a finding for each other key."""
    keys, known, findings = get_type_hints(block), {}, []
    for key, value in values.items():
        if key not in keys:
            findings.append(unknown_key((*path, key), list(keys)))
            continue
        inner: list[Finding] = []
        known[key], inner = (
            _written(value, keys[key], (*path, key)) if is_typeddict(keys[key]) and isinstance(value, Mapping) else (value, [])
        )
        findings += inner
    return known, findings


def _at(values: Mapping[str, Any], path: KeyPath) -> Any:
    """What lies at `path`; None where there is nothing."""
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
