"""A task looked at in the process of the tests."""

from collections.abc import Callable
from typing import Any


class Here:
    """Stands for a worker process: the task is looked at in this one."""

    def __init__(self, workers: int, start: Callable[[], None]) -> None: ...

    def ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)

    def end(self, seconds: float) -> list[int]:
        return []
