"""What the user's code changes for the whole process is put back after it: hpcheck, and the user's next run, go on as they were."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put back after the body: the working directory, which the run directory is found from; the rights of new files; what is done at
    Ctrl-C and the like; torch's default dtype and device, its threads and whether it keeps gradients; what numpy does about overflow. A
    warning that the body has made an error is a warning again; one that it has silenced stays silent. stdout and stderr are open again."""
    folder, mask, streams = Path.cwd(), _mask(), (sys.stdout, sys.stderr)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    settings, filters = (_of_torch(), _of_numpy()), list(warnings.filters)
    try:
        yield
    finally:
        os.chdir(folder)
        os.umask(mask)
        _open_again()
        sys.stdout, sys.stderr = map(_reopened, streams)
        kept = [one for one in warnings.filters if one[0] != "error" or one in filters]
        if len(kept) != len(warnings.filters):
            warnings.filters[:] = kept  # type: ignore[index]  # a list, whatever typeshed says
        for before, now in zip(settings, (_of_torch(), _of_numpy()), strict=True):
            for name, (value, put) in now.items():
                old = before[name][0] if before else AT_FIRST.get(name, value)  # the body has imported torch or numpy
                if old != value:
                    put(old)
        for number, handler in handlers.items():
            found = signal.getsignal(number)
            ours = getattr(found, "__module__", "").startswith("hpcheck.")  # a first Ctrl-C has changed what the second does
            if found != handler and not ours and threading.current_thread() is threading.main_thread():
                signal.signal(number, handler)


Settings = dict[str, tuple[Any, Callable[[Any], object]]]  # by name: the value, and what puts one
AT_FIRST = {"dtype": "float32", "device": "cpu", "gradients": True}  # of a process that has imported torch and changed nothing


def _of_torch() -> Settings:
    """Empty where nobody has imported torch."""
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "get_default_device"):  # not there, or only half imported
        return {}
    return {
        "dtype": (str(torch.get_default_dtype()).removeprefix("torch."), lambda name: torch.set_default_dtype(getattr(torch, name))),
        "device": (str(torch.get_default_device()), lambda name: torch.set_default_device(None if name == "cpu" else name)),
        "gradients": (torch.is_grad_enabled(), torch.set_grad_enabled),
        "threads": (torch.get_num_threads(), torch.set_num_threads),
    }


def _of_numpy() -> Settings:
    """Empty where nobody has imported numpy."""
    numpy: Any = sys.modules.get("numpy")
    if not hasattr(numpy, "seterr"):
        return {}
    return {"floating point": (numpy.geterr(), lambda kept: numpy.seterr(**kept))}


def _open_again() -> None:
    """Give the descriptors of stdout and stderr to nothing where they were closed: the next file would be given them, and what is told with
    it."""
    for number in (1, 2):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)


def _reopened(stream: TextIO) -> TextIO:
    """The stream, or stderr anew where it was closed."""
    if getattr(stream, "closed", False):
        return open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    return stream


def _mask() -> int:
    """The rights that new files are not given; the system tells them only where others are set."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
