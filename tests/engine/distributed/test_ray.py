"""The Ray engine's own part: what is committed, and what becomes of a signal. (The rest is in `test_conformance.py`.)"""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from hpcheck.engine.distributed import ray
from hpcheck.engine.distributed.ray_task import Outcome
from hpcheck.runs.files import StorageError
from hpcheck.terminal.signals import Interrupted
from tests.support.engine_runs import RUN, computed


def test_a_signal_while_waiting_is_the_commands_to_handle() -> None:
    def wait(*_: object, timeout: float) -> NoReturn:
        raise SystemError("returned a result with an exception set") from Interrupted()

    with pytest.raises(Interrupted):
        ray._ended(SimpleNamespace(wait=wait), [])


def test_the_first_whole_record_stands_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    made, runs = tmp_path / "made", tmp_path / "runs"
    made.mkdir(), runs.mkdir()
    record = computed(RUN, made)
    name = f"{record.run_id}.jsonl"
    content = (made / name).read_bytes()
    digests = {name: hashlib.sha256(content).hexdigest()}
    with pytest.raises(StorageError, match="damaged on its way"):
        ray.commit(Outcome(record.run_id, {name: content[:-1]}, digests), runs)
    assert not list(runs.iterdir())
    ray.commit(Outcome(record.run_id, {name: content}, digests), runs)
    again = content.replace(b"0.", b"1.")  # made twice, with other seconds
    ray.commit(Outcome(record.run_id, {name: again}, {name: hashlib.sha256(again).hexdigest()}), runs)
    assert (runs / name).read_bytes() == content
