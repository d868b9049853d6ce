"""What a worker raises is heard by a process without torch: its import takes seconds, in which nobody else is heard, and Ctrl-C is late."""

import inspect
import subprocess
import sys

import pytest

from hpcheck import errors
from hpcheck.data.arrays import DataError
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.files import StorageError
from hpcheck.runs.records import NewerRecordError

RAISED = [
    *(kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__),
    *(DataError, UsersCodeError, StorageError, NewerRecordError),
]
HEARD = """
import importlib, multiprocessing.reduction, sys
kind = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
raised = kind() if sys.argv[2] == 'Stopped' else kind('a line')
heard = multiprocessing.reduction.ForkingPickler.loads(multiprocessing.reduction.ForkingPickler.dumps(raised))
print(type(heard) is kind, str(heard) == str(raised), 'torch' in sys.modules)
"""


@pytest.mark.parametrize("kind", RAISED)
def test_it_is_heard_without_torch(kind: type[Exception]) -> None:
    told = subprocess.run([sys.executable, "-c", HEARD, kind.__module__, kind.__name__], capture_output=True, text=True, check=True)
    assert told.stdout == "True True False\n"


def test_that_a_run_has_stopped_is_among_them() -> None:
    assert "Stopped" in {kind.__name__ for kind in RAISED}
