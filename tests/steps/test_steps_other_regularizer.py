"""The grid over another regularizer than weight decay, on a simulated network whose best dropout is known."""

from dataclasses import dataclass, replace

import pytest

from hpcheck.config import ConfigError
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec
from hpcheck.steps import other_regularizer
from hpcheck.steps.reading import Settings
from tests.support.simulated import World, asked, read

KNOWN = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0)


@dataclass
class BestDropout(World):
    best: float = 0.2

    def trained(self, spec: RunSpec) -> RunRecord:
        record = super().trained(spec)
        more = 4 * abs(dict(spec.model.options).get("dropout", 0.0) - self.best)
        rows = tuple({**row, "val_loss": row["val_loss"] + more * min(1.0, row["step"] / spec.steps)} for row in record.rows)
        return replace(record, rows=rows)


def tried(world: World) -> set[float]:
    return {dict(record.run.model.options).get("dropout", 0.0) for record in world.records.values()}


def test_the_best_dropout_is_found_and_the_space_beside_it_bisected() -> None:
    world, question = BestDropout(best=0.16, noise=0.002), asked()
    reading = read(world, other_regularizer.parse("model.dropout", question.config).decide, question, KNOWN)
    (item,) = reading.evidence
    assert item.setting == "model.dropout"
    assert item.value == pytest.approx(0.15)
    assert tried(world) == {0.0, 0.1, 0.15, 0.2, 0.4}
    assert reading.settings == KNOWN
    assert any("set model.dropout to 0.15 in the config" in remark for remark in reading.remarks)


def test_values_may_be_given_and_todays_is_among_them() -> None:
    found = other_regularizer.parse("model.dropout=0.3,0.5", asked("model.dropout=0.1").config)
    assert found.values == (0.1, 0.3, 0.5)
    assert found.today == 0.1


def test_without_values_they_lie_around_todays() -> None:
    assert other_regularizer.parse("model.dropout", asked("model.dropout=0.2").config).values == (0.0, 0.1, 0.2, 0.3)
    assert other_regularizer.parse("model.dropout", asked().config).values == other_regularizer.FROM_ZERO


def test_a_tie_keeps_todays_value() -> None:
    world, question = World(), asked()
    reading = read(world, other_regularizer.parse("model.dropout", question.config).decide, question, KNOWN)
    assert reading.evidence[0].status == "tied"
    assert reading.evidence[0].value == 0.0
    assert len(reading.remarks) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dropout", "model.OPTION or data.OPTION"),
        ("model.dropuot", "did you mean 'dropout'?"),
        ("model.hidden", "is no number"),
        ("model.dropout=a,b", "numbers with commas"),
        ("start.weight_decay", "model.OPTION or data.OPTION"),
        ("data.augment=1", "data.augment: 1: not one of the choices (expected one of none, mirror, mirror-crop"),
        ("data.val_fraction=0.1,2", "data.val_fraction: 2: out of range (expected a number > 0 and < 1"),
        ("model.dropout=0,nan", "model.dropout: nan is not a finite number"),
        ("model.dropout=1e400", "model.dropout: inf is not a finite number"),
    ],
)
def test_what_is_no_option_to_try_is_refused_in_a_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        other_regularizer.parse(text, asked("data=mine:load").config)
    assert words in str(refused.value)


def test_an_option_of_the_users_own_model_needs_values() -> None:
    config = asked("model.name=mine:build").config
    with pytest.raises(ConfigError, match="values to try"):
        other_regularizer.parse("model.strength", config)
    assert other_regularizer.parse("model.strength=1,2.5", config).values == (1, 2.5)


def test_what_counts_something_is_tried_in_whole_numbers_from_1_on() -> None:
    assert other_regularizer.Over("model", "widen", 10).values == (5, 10, 15, 20)
    assert other_regularizer.Over("model", "depth", 1).values == (1, 2)


def test_a_share_stays_below_1() -> None:
    assert other_regularizer.Over("model", "dropout", 0.8).values == (0.0, 0.4, 0.8)
    assert other_regularizer.Over("data", "scale", 2.0).values == (0.0, 1.0, 2.0, 3.0)
