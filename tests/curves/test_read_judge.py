"""One curve: clues, the lr limit of a range test, the bracket of a sweep, or an abstention with its reason and no number."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpcheck.analysis.curve import Curve
from hpcheck.curves import describe
from hpcheck.curves.judge import CurveReading, Found, is_logarithmic, read_one
from hpcheck.curves.load import Loaded
from hpcheck.drawing import png
from tests.support.read_cases import falling, noise, ramp, turning


def loaded(losses: Sequence[float], lr: Sequence[float] | float = math.nan) -> Loaded:
    count = len(losses)
    rates = np.full(count, lr) if isinstance(lr, float) else np.array(lr)
    curve = Curve(np.arange(10.0, 10 * count + 1, 10), rates, np.array(losses), label="a")
    return Loaded(Path("a.csv"), "csv", curve, {"step": "iteration"}, count)


def read(losses: Sequence[float], lr: Sequence[float] | float = math.nan) -> CurveReading:
    return read_one(loaded(losses, lr))


def test_a_range_test_that_turns_gives_its_limit() -> None:
    found = read(turning(), ramp(60))
    assert found.range is not None
    assert found.range.turned
    assert found.range.lr_limit.value == pytest.approx(0.41, abs=0.08)  # the loss rises from two thirds of the ramp on
    assert describe.conclusions(found)[0].startswith("lr limit 0.")


def test_a_range_test_that_does_not_turn_gives_at_least_its_end() -> None:
    found = read(falling(60), ramp(60))
    assert found.range is not None
    assert not found.range.turned
    assert found.range.lr_limit.value == pytest.approx(0.6)
    lines = describe.conclusions(found)
    assert lines[0].startswith("lr limit at least 0.6")
    assert "a larger lr" in lines[1]


def test_a_logarithmic_sweep_brackets_and_sets_no_limit() -> None:
    losses = [*([2.3] * 10), *np.linspace(2.3, 0.5, 20), *([0.5] * 10), *([math.nan] * 5)]
    found = read((np.array(losses) + 0.01 * np.array(noise(45))).tolist(), np.geomspace(1e-5, 10, 45).tolist())
    assert found.range is None
    assert found.sweep is not None
    assert found.sweep.diverges_at == pytest.approx(np.geomspace(1e-5, 10, 45)[40])
    assert "only brackets" in describe.conclusions(found)[0]


def test_a_short_rise_of_lr_is_linear_however_it_is_spaced() -> None:
    assert not is_logarithmic(np.geomspace(0.01, 0.1, 30))
    assert is_logarithmic(np.geomspace(1e-4, 1.0, 30))
    assert not is_logarithmic(np.linspace(1e-4, 1.0, 30))


def test_a_curve_without_lr_is_read_for_its_clues_alone() -> None:
    found = read(falling())
    assert (found.range, found.sweep, found.abstained) == (None, None, "")
    assert [clue.kind for clue in found.clues] == ["plateau"]
    assert describe.clue_row(found.clues[0], "iteration")[1].startswith("iteration ")
    assert "lr" not in describe.headline(found)


def test_a_fall_while_lr_comes_down_is_not_underfitting() -> None:
    losses = (np.linspace(2.3, 0.7, 40) + 0.05 * np.array(noise(40))).tolist()
    steady, annealed = read(losses, 0.1), read(losses, np.linspace(0.5, 0.001, 40).tolist())
    assert [clue.kind for clue in steady.clues] == ["underfitting"]
    assert describe.conclusions(steady) == []
    assert annealed.clues == ()
    assert "the lr comes down there" in describe.conclusions(annealed)[0]


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (noise(), "does not leave its noise"),
        ([2.3] * 40, "is flat"),
        ([2.0, 1.5, 1.2], "fewer than 8"),
        ([math.nan] * 40, "no finite validation loss"),
        ([math.inf] * 40, "no finite validation loss"),
    ],
)
def test_what_cannot_be_read_is_an_abstention_with_a_reason(losses: list[float], reason: str) -> None:
    found = read(losses, 0.1)
    assert reason in found.abstained
    assert describe.conclusions(found) == [f"abstained: {found.abstained}"]


@pytest.mark.parametrize("losses", [noise(60), [2.3] * 60, [math.nan] * 60])
def test_a_range_test_that_cannot_be_read_gives_no_number(losses: list[float]) -> None:
    found = read(losses, ramp(60))
    assert found.range is not None
    assert found.abstained
    assert (found.range.lr_limit.value, found.range.stable_lr.value) == (None, None)


def test_pictures_show_raw_values_trend_limit_and_clues() -> None:
    found = read(turning(), ramp(60))
    (panel,) = describe.panels(Found((found,)))
    assert panel.x_label == "learning rate"
    assert panel.series[0].raw == tuple(found.curve.val_loss)
    assert len(panel.series[0].smooth) == 60
    assert panel.marks[0][1].startswith("limit 0.")
    assert {box.text for box in panel.boxes} == {clue.meaning for clue in found.clues}


def test_a_name_with_a_formula_is_drawn_as_it_stands(tmp_path: Path) -> None:
    plain = loaded(falling())
    (panel,) = describe.panels(Found((read_one(replace(plain, curve=replace(plain.curve, label="_a$b"))),)))
    assert panel.title == " _a$b"
    assert png.literal(panel.title) == r" _a\$b"
    png.draw_panels((panel,), tmp_path / "a.svg")
    assert "_a$b" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_a_training_loss_that_was_not_logged_last_is_not_drawn_as_diverged() -> None:
    plain = loaded(falling())
    train = np.array([*falling()[:-1], math.nan])
    curve = replace(plain.curve, accuracy=np.linspace(0.002, 0.5, 40), train_loss=train)
    found = read_one(replace(plain, curve=curve, columns={**plain.columns, "accuracy": "accuracy"}))
    loss, metric = describe.panels(Found((found,)))
    assert len(loss.series[1].raw) == 39
    assert math.isfinite(loss.series[1].smooth[-1])
    assert metric.higher_is_better


def test_a_sweep_is_followed_by_a_range_test_to_twice_where_it_diverges() -> None:
    losses = [*([2.3] * 10), *np.linspace(2.3, 0.5, 20), *([0.5] * 10), *([math.nan] * 5)]
    found = read((np.array(losses) + 0.01 * np.array(noise(45))).tolist(), np.geomspace(1e-5, 10, 45).tolist())
    assert found.sweep is not None
    assert found.sweep.diverges_at is not None
    assert describe.conclusions(found)[1].startswith(
        f"follow it with a linear range test to about {2 * found.sweep.diverges_at:.2g}, twice"
    )
