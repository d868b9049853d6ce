"""JSON that somebody else wrote, as plain values: nested no deeper than anything of ours, so that no walk over it is too deep."""

import json
from typing import Any

DEEPEST = 100  # ours: levels of lists and objects; logs have three, and Python walks some 900


def loads(text: str | bytes) -> Any:
    """The value that a text of JSON says. Raises `ValueError` where it is none, or is nested too deep.

    >>> loads('{"a": [1]}')
    {'a': [1]}
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    refuse_deep(value)
    return value


def refuse_deep(value: Any, deepest: int = DEEPEST) -> None:
    """Raise `ValueError` for values that are nested deeper than so many levels."""
    level = [value]
    for _ in range(deepest + 1):
        level = [
            item
            for one in level
            for item in (one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else ())
            if isinstance(item, dict | list | tuple)
        ]
        if not level:
            return
    raise ValueError("nested too deep")
