"""hpcheck sets learning rate, batch size, momentum and weight decay by Leslie Smith's four-step checklist."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpcheck.api.read import CurvesRead as CurvesRead
    from hpcheck.api.read import read as read
    from hpcheck.api.run import Answer as Answer
    from hpcheck.api.run import run as run
    from hpcheck.script.api import follow as follow
    from hpcheck.script.api import seed as seed
    from hpcheck.script.api import total_batch_size as total_batch_size
    from hpcheck.script.api import use as use

__version__ = "0.1.0"
FOR_SCRIPTS = ("seed", "total_batch_size", "use", "follow")  # what a user's own script calls; nothing is imported before it does
FROM_PYTHON = {"run": "run", "Answer": "run", "read": "read", "CurvesRead": "read"}  # name: the file of `api` that has it


def __getattr__(name: str) -> Any:
    if name in FROM_PYTHON:
        from importlib import import_module

        return getattr(import_module(f"hpcheck.api.{FROM_PYTHON[name]}"), name)
    if name in FOR_SCRIPTS:
        from hpcheck.script import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *FOR_SCRIPTS, *FROM_PYTHON])
