"""What a task answered, and what its code raised, in a few words."""

from typing import Any

from torch import Tensor

from hpcheck.plugins.user_errors import UsersCodeError, as_theirs


def described(value: Any) -> str:
    """A value in a few words: type, and shape where there is one."""
    if value is None:
        return "nothing"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, list | tuple | dict) else "")


def in_users_words(name: str, error: Exception) -> Exception:
    """The error of a task's code: theirs with its place where it passed through their file, else in one line that names the task."""
    return as_theirs(error) or UsersCodeError(f"task {name}: {type(error).__name__}: {error}")
