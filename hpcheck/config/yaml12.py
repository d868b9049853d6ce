"""YAML by version 1.2's rules: text to plain values with the line of every key, and plain values back to text."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

KeyPath = tuple[str | int, ...]  # ("batch", "sizes", 0)

MAX_DEPTH = 100  # nested lists and mappings; ours, far above any config and below Python's recursion limit
MAX_VALUES = 100_000  # values once aliases are followed; ours, stops "billion laughs"
LONGEST = 300  # ours: characters of a mapping that is written on one line; a longer one is easier to read below each other
MAX_DIGITS = 1_000  # of a whole number; ours, below the 4,300 at which int() refuses

# The core schema, https://yaml.org/spec/1.2.2/#1032-tag-resolution. `$` would let a final newline pass.
NULL, BOOL, INT, FLOAT, STR = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str"))
CORE_SCHEMA = [
    (NULL, re.compile(r"(?:null|Null|NULL|~|)\Z")),
    (BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")),
    (INT, re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")),
    (FLOAT, re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")),
]


class YamlError(Exception):
    """Text that is not one plain YAML document. `line` counts from 1, `None` where there is none to name."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


@dataclass(frozen=True)
class Document:
    """What a YAML text says: its value, and the line (from 1) on which each key or list item starts."""

    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)


def read(text: str) -> Document:
    """Read one YAML document of plain values: no tags, no key given twice. Raises `YamlError` and nothing else.

    >>> read("lr: 1e-4").value
    {'lr': 0.0001}
    """
    text = text.removeprefix("\ufeff")
    try:
        node = _compose(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"a character that YAML does not allow: {chr(int(error.character))!a}", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(_one_line(error), mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # PyYAML lets "\UFFFFFFFF" through to chr()
        raise YamlError(f"not YAML: {' '.join(str(error).split())}") from None
    if node is None:
        return Document(None)
    reading = _Reading()
    return Document(reading.value(node, ()), reading.lines)


def write(value: Any, width: int = 120) -> str:
    """Plain values as YAML that both 1.1 and 1.2 readers understand alike (`"no"` and `"1e-4"` are quoted when they are text)."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=width)
    return text


class OneLine(dict[str, Any]):
    """A mapping that `write` puts on one line: `{value: 0.1, score: 0.2}`."""


def short_ones_on_a_line(value: Any) -> Any:
    """The mappings within `value` that hold numbers, names and lists of such alone, each to be written on one line.

    >>> short_ones_on_a_line({"reason": "two words", "at": {"value": 0.1}}) == {"reason": "two words", "at": OneLine(value=0.1)}
    True
    """
    if isinstance(value, list | tuple):
        return [short_ones_on_a_line(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_short = all(_fits_a_line(item) for item in value.values()) and len(str(value)) <= LONGEST
    return OneLine(value) if is_short else {key: short_ones_on_a_line(item) for key, item in value.items()}


def _fits_a_line(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return not any(isinstance(item, list | tuple | dict) for item in value) and all(map(_fits_a_line, value))
    return not isinstance(value, dict) and not (isinstance(value, str) and " " in value)


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _one_line(error: yaml.MarkedYAMLError) -> str:
    words = " ".join((error.problem or error.context or "cannot be read").split())
    if "\\t" in words:
        return "not YAML: a tab where YAML wants spaces"
    if isinstance(error, yaml.composer.ComposerError) and "another document" in words:
        return "holds more than one YAML document; keep one"
    return f"not YAML: {words}"


class _Loader(yaml.SafeLoader):
    """Composes nodes by the core schema; constructs nothing, so no tag can ever make an object."""

    yaml_implicit_resolvers = {None: CORE_SCHEMA}  # noqa: RUF012  (PyYAML's own way to declare it)
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if getattr(event, "tag", None) is not None:
            raise YamlError(f"tags are not read here: {event.tag!a}; write the plain value", line)
        if self.depth >= MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} levels deep", line)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would read as something else; writes no anchors."""

    yaml_implicit_resolvers = {**yaml.SafeDumper.yaml_implicit_resolvers, None: CORE_SCHEMA}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Text with line breaks of any kind (U+0085 too, which PyYAML would write as it is and read as `\\n`) is escaped."""
        return self.represent_scalar(STR, data, style=None if data.isprintable() else '"')

    def represent_list(self, data: Any) -> yaml.SequenceNode:
        """A list of scalars is written on one line: `[0.9, 0.95]`."""
        flat = not any(isinstance(item, list | tuple | dict) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)

    def represent_line(self, data: OneLine) -> yaml.MappingNode:
        return self.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)


_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_representer(OneLine, _Dumper.represent_line)
_Dumper.add_representer(list, _Dumper.represent_list)
_Dumper.add_representer(tuple, _Dumper.represent_list)


class _Reading:
    """One walk over composed nodes, gathering values and lines."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.count = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        line = node.start_mark.line + 1
        self.count += 1
        self.lines.setdefault(path, line)
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise YamlError(f"aliases that unfold to more than {MAX_VALUES} values or {MAX_DEPTH} levels", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node.tag, node.value, line)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != STR:
                raise YamlError("a key that is not text; put it in quotes", line)
            key = _scalar(STR, key_node.value, line)
            if key in found:
                raise YamlError(f"the key {key!a:.80} is given twice (first on line {self.lines[(*path, key)]})", line)
            self.lines[(*path, key)] = line
            found[key] = self.value(value_node, (*path, key))
        return found


def _scalar(tag: str, text: str, line: int) -> Any:
    if tag == NULL:
        return None
    if tag == BOOL:
        return text.lower() == "true"
    if tag == INT:
        if len(text) > MAX_DIGITS:
            raise YamlError(f"a number of more than {MAX_DIGITS} digits", line)
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text if base == 10 else text[2:], base)
    if tag == FLOAT:
        return float(text.replace(".", "") if text[-1] in "fFnN" else text)  # float() spells them inf and nan
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise YamlError("half of a surrogate pair, which is not text", line)
    return text
