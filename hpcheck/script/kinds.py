"""The kinds of values that a script and its follower give each other."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Evaluate = Callable[[], Any]
State = tuple[Callable[[], Any], Callable[[Any], object]]


class Hyper(NamedTuple):
    """The hyper-parameters of the next update, of the parameter group with the largest learning rate. All None where nobody sets them."""

    lr: float | None
    momentum: float | None
    weight_decay: float | None


def counted(n: int, go_on: Callable[[], bool]) -> Iterator[int]:
    """0, 1, 2 ... as long as it goes on, whatever `n` is."""
    at = 0
    while go_on():
        yield at
        at += 1
