"""What a config allows at a key, in words, from the JSON schema: so that no range is written twice."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpcheck.config.yaml12 import KeyPath

Node = Mapping[str, Any]
BOUNDS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
TYPES = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false", "null": "null"}


def allowed(schema: Node, path: KeyPath) -> str:
    """What may stand at `path`: `a whole number >= 1 and <= 200`, or "" when the schema has no such key."""
    return " or ".join(_spelled(schema, node) for node in _at(schema, path))


def choices(schema: Node, path: KeyPath) -> list[str]:
    """The words that may stand at `path`, when it takes one of a few."""
    return [word for node in _at(schema, path) for word in node.get("enum", [])]


def keys(schema: Node, path: KeyPath) -> list[str]:
    """The keys of the mapping at `path`."""
    return [key for node in _at(schema, path) for key in node.get("properties", {})]


def elsewhere(schema: Node, word: str) -> str | None:
    """The dotted key of a section that has a key called `word`."""
    return next((f"{section}.{word}" for section in keys(schema, ()) if word in keys(schema, (section,))), None)


def _at(schema: Node, path: KeyPath) -> list[Node]:
    """The alternatives that may stand at `path`, references followed."""
    nodes = [schema]
    for key in path:
        inner = (node.get("items") if isinstance(key, int) else node.get("properties", {}).get(key) for node in nodes)
        nodes = [one for node in inner if node is not None for one in _alternatives(schema, node)]
    return nodes


def _alternatives(schema: Node, node: Node) -> Iterator[Node]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if "anyOf" not in node:
        yield node
    for one in node.get("anyOf", []):
        yield from _alternatives(schema, one)


def _spelled(schema: Node, node: Node) -> str:
    if "enum" in node:
        return f"one of {', '.join(map(str, node['enum']))}"
    kind = node.get("type", "")
    if kind == "object":
        return f"a mapping with keys {', '.join(node['properties'])}"
    if kind == "array":
        size = f"1 to {node['maxItems']}" if node.get("minItems") else f"at most {node['maxItems']}"
        item = " or ".join(_spelled(schema, one) for one in _alternatives(schema, node["items"]))
        return f"a list of {size} values, each {item}"
    bounds = [f"{sign} {node[bound]}" for bound, sign in BOUNDS.items() if bound in node]
    return f"{TYPES.get(kind, kind)} {' and '.join(bounds)}".rstrip()
