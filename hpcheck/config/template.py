"""A config file for people to edit: what they chose, and every other key commented out with its default and its meaning."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from hpcheck import config as configs
from hpcheck.config import allowed, yaml12
from hpcheck.config.sections import Config
from hpcheck.config.tasks import PARTS
from hpcheck.config.types import Section
from hpcheck.config.yaml12 import KeyPath

COMMENT_COLUMN = 34  # where the words begin, if the value leaves room


def commented(chosen: Mapping[str, Any], head: str = "") -> str:
    """YAML text that `config.parse` reads as `chosen`: taking the `#` from a commented key changes nothing but what one then edits."""
    lines = [*(f"# {line}".rstrip() for line in head.splitlines())]
    schema = configs.schema()
    for name, field in Config.model_fields.items():
        if name in PARTS and any(chosen.get(other) is not None for other in ("task", "script")):
            continue  # they would stand beside it
        section = section_of(field.annotation)
        if section is not None and (field.default is not None or chosen.get(name) is not None):
            lines += ["", f"{name}:".ljust(COMMENT_COLUMN) + f"# {field.description}"]
            lines += [f"  {line}" for line in _section(section, _folded(chosen.get(name)), schema, name)]
        else:
            lines.append(_line((name,), field, chosen, schema))
    return "\n".join(lines) + "\n"


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a key holds, which may be left out altogether; None for a key that holds none."""
    kinds = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type) and issubclass(one, Section)]
    return kinds[0] if kinds else None


def _section(section: type[Section], chosen: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> Iterator[str]:
    """The keys of a section in the order of their description, then what else was chosen: options of a loader or builder."""
    for key, field in section.model_fields.items():
        yield _line((name, key), field, chosen, schema)
    for key, value in chosen.items():
        if key not in section.model_fields:
            yield f"{key}: {spelled(value)}"


def _line(path: KeyPath, field: FieldInfo, chosen: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """`key: value   # meaning`; commented out where nothing was chosen."""
    key = str(path[-1])
    value = chosen.get(key, plain(field))
    text = f"{key}: {spelled(value)}" if key in chosen else f"# {key}: {spelled(value)}"
    choices = allowed.choices(schema, path)
    words = f"{field.description} ({', '.join(choices)})" if choices else field.description
    return f"{text.ljust(COMMENT_COLUMN - 2)}  # {words}"


def plain(field: FieldInfo) -> Any:
    """A key's default as plain values."""
    default = field.default
    return default.model_dump(mode="json") if isinstance(default, Section) else default


def spelled(value: Any) -> str:
    """A value on one line, as YAML.

    >>> spelled({"max": 0.95, "min": 0.85}), spelled(1e-4), spelled(())
    ('{max: 0.95, min: 0.85}', '0.0001', '[]')
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {spelled(item)}' for key, item in value.items())}}}"
    return re.sub(r"\s*\n\s*", " ", yaml12.write({"key": value}).removeprefix("key:")).strip()


def _folded(chosen: Any) -> Mapping[str, Any]:
    """`resnet18` is short for `{name: resnet18}`."""
    if chosen is None:
        return {}
    return chosen if isinstance(chosen, Mapping) else {"name": chosen}
