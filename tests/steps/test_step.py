"""Steps are replayed from nothing: what they ask for depends on their own records alone."""

from dataclasses import replace

from hpcheck.config import parse
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, Spec, run_id
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked, Facts, Missing, Steps, replay

ASKED = Asked(parse("data: digits\nmodel: mlp\n", "test"), Facts(1000, 100))
SETTINGS = Settings(32, 0.1, 0.01, 0.95, 0.85, 1e-4, 25)
RUN = RunSpec(DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd"), 32, 20, constant(0.1), constant(0.9), 0.0, (10, 20))


def finished(spec: Spec, loss: float) -> RunRecord:
    row = {"step": 20, "lr": 0.1, "momentum": 0.9, "train_loss": loss, "val_loss": loss, "metric": 0.5, "seconds": 0.1}
    return RunRecord(run_id(spec, ""), spec, (row,), "finished")


def bisecting(asked: Asked, settings: Settings) -> Steps:
    """Two runs, then one that depends on which was better."""
    low, high = yield [replace(RUN, seed=1), replace(RUN, seed=2)]
    better = 10 if low.column("val_loss")[0] < high.column("val_loss")[0] else 20
    (last,) = yield [replace(RUN, seed=better)]
    return Reading("test", settings, (), remarks=(f"seed {last.run.seed}",))


def store(*found: RunRecord) -> dict[str, RunRecord]:
    return {record.run_id: record for record in found}


def test_a_step_asks_again_until_nothing_is_missing() -> None:
    records: dict[str, RunRecord] = {}

    def lookup(spec: Spec) -> RunRecord | None:
        return records.get(run_id(spec, ""))

    def seeds_missing() -> list[int]:
        outcome = replay(bisecting, ASKED, SETTINGS, lookup)
        return [spec.seed for spec in outcome.specs if isinstance(spec, RunSpec)] if isinstance(outcome, Missing) else []

    assert seeds_missing() == [1, 2]
    records |= store(finished(replace(RUN, seed=2), 0.1))
    assert seeds_missing() == [1]
    records |= store(finished(replace(RUN, seed=1), 0.5), finished(replace(RUN, seed=99), 0.0))
    assert seeds_missing() == [20]
    records |= store(finished(replace(RUN, seed=20), 0.5))
    assert seeds_missing() == []
    reading = replay(bisecting, ASKED, SETTINGS, lookup)
    assert isinstance(reading, Reading)
    assert reading.remarks == ("seed 20",)
    assert reading.runs == tuple(run_id(replace(RUN, seed=seed), "") for seed in (1, 2, 20))


def test_unrelated_records_and_their_order_change_nothing() -> None:
    own = [finished(replace(RUN, seed=seed), 1 / seed) for seed in (1, 2, 20)]
    others = [finished(replace(RUN, seed=seed), 0.0) for seed in range(100, 120)]

    def outcome(records: dict[str, RunRecord]) -> object:
        return replay(bisecting, ASKED, SETTINGS, lambda spec: records.get(run_id(spec, "")))

    assert outcome(store(*own, *others)) == outcome(store(*others[::-1], *own[::-1])) == outcome(store(*own))
