"""The simulated network as an engine: whole commands run in a second, with real records in a real run directory, and nothing is trained."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hpcheck.engine.pool.pool import Ahead, nothing
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.spec import Spec, TimingSpec
from tests.support.simulated import World


class SimulatedEngine:
    """Stands where `Checklist` has the pool."""

    def __init__(self, world: World) -> None:
        self.world = world

    def execute(
        self,
        jobs: Sequence[tuple[str, Spec]],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        ahead: Ahead = nothing,
    ) -> None:
        for run_id, spec in jobs:
            record = self.world.timed(spec) if isinstance(spec, TimingSpec) else self.world.trained(spec)
            self.world.records[run_id] = record
            writer = RecordWriter(directory / f"{run_id}.jsonl", run_id, spec, {"device": "simulated"})
            writer.keep(0)
            for row in record.rows:
                writer.row(**row)
            writer.finish(record.status, record.result)
        on_poll()

    def close(self) -> None:
        """It holds nothing."""


def simulate(monkeypatch: pytest.MonkeyPatch, world: World | None = None) -> None:
    """Have every command compute its runs so."""
    made = SimulatedEngine(world or World())
    monkeypatch.setattr("hpcheck.checklist.run.engine", lambda config, say=None: made)
    monkeypatch.setattr("hpcheck.drawing.png.draw", lambda *_: None)
