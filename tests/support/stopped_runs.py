"""Runs that are stopped in the middle and go on."""

from pathlib import Path

import pytest

from hpcheck.engine import arrays, checkpoints
from hpcheck.errors import Stopped
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec
from tests.support.engine_runs import computed


def stop_after(step: int, spec: RunSpec, folder: Path) -> None:
    """Compute `spec` until it is asked to stop during update number `step`."""
    with pytest.MonkeyPatch.context() as patch:
        original = arrays.update

        def update(*arguments: object) -> object:
            nonlocal step
            step -= 1
            if step == 0:
                checkpoints.ask_to_stop()
            return original(*arguments)  # type: ignore[arg-type]

        patch.setattr(arrays, "update", update)
        with pytest.raises(Stopped):
            computed(spec, folder)
    checkpoints._stop.clear()


def gone_on(spec: RunSpec, folder: Path) -> tuple[RunRecord, int]:
    """The record of `spec`, and how many updates were made for it now."""
    with pytest.MonkeyPatch.context() as patch:
        original, made = arrays.update, []

        def update(*arguments: object) -> object:
            made.append(1)
            return original(*arguments)  # type: ignore[arg-type]

        patch.setattr(arrays, "update", update)
        return computed(spec, folder), len(made)
