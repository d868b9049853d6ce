"""What has been computed of a curve, kept while a command runs: readings, pictures and the report ask for it again and again."""

from collections.abc import Callable, Hashable
from contextvars import ContextVar, Token
from typing import Any, TypeVar

Value = TypeVar("Value")
MOST = 8192  # ours: values that a memory holds, about 2 kB each; beyond it the oldest goes


class Memory:
    """Holds what `once` computes between entering and leaving it. Inside another one, that one holds it.

    >>> with Memory() as memory:
    ...     once("sum", lambda: 1 + 1), once("sum", lambda: 0), len(memory)
    (2, 2, 1)
    >>> once("sum", lambda: 0)
    0
    """

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self._token: Token[Memory | None] | None = None

    def __enter__(self) -> "Memory":
        around = _memory.get()
        if around is None:
            self._token = _memory.set(self)
        return self if around is None else around

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _memory.reset(self._token)
            self._token = None

    def __len__(self) -> int:
        return len(self._values)

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The value of `key`, computed where it is not held."""
        if key not in self._values:
            if len(self._values) >= MOST:
                del self._values[next(iter(self._values))]
            self._values[key] = compute()
        value: Value = self._values[key]
        return value


_memory: ContextVar[Memory | None] = ContextVar("memory", default=None)


def once(key: Hashable, compute: Callable[[], Value]) -> Value:
    """The value of `key` by the memory that is entered; computed anew where none is. `key` must say all that the value depends on."""
    memory = _memory.get()
    return compute() if memory is None else memory.once(key, compute)
