"""The layout of a setting's small plot: no label lies on another, every mark is inside, and both back ends draw what it says."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.drawing import layout, layout_png, layout_svg
from hpcheck.drawing.panels import Candidate, SettingPlot

DECAYS = tuple(
    Candidate(value, score, 0.3, tied=value == 1e-3) for value, score in ((0.0, 96.0), (1e-4, 97.2), (1e-3, 97.4), (3.2e-3, 97.5))
)
PLOT = SettingPlot("Weight decay", "0.0032", "accuracy, %", DECAYS, 3.2e-3, 1e-4, (5.7e-4, 5.7e-3), True, True, "full trainings")
LRS = (Candidate(0.0035, 1.75), Candidate(0.055, 0.165), Candidate(0.082, 0.129), Candidate(0.22, 0.2), Candidate(0.44, math.inf))
RATE = SettingPlot("Learning rate", "0.0082 to 0.082", "validation loss", LRS, 0.082, None, (0.042, 0.09), True)
NOTHING = SettingPlot("Batch size", "32", "", (), note="not tested: yours stays")

scores = st.floats(-1e6, 1e6) | st.sampled_from([0.5, math.inf, math.nan])
candidates = st.builds(
    Candidate, st.floats(1e-9, 1e9) | st.sampled_from([0.0, 1.0, 2.0]), scores, st.floats(0, 10) | st.just(math.nan), st.booleans()
)


def of(plot: SettingPlot, kind: str) -> list[layout.Mark]:
    return [mark for mark in layout.setting(plot).marks if mark.kind == kind]


@settings(deadline=None, max_examples=150)
@given(st.lists(candidates, max_size=9), st.booleans(), st.booleans(), st.data())
def test_labels_do_not_lie_on_one_another_and_marks_are_inside(
    tried: list[Candidate], log: bool, higher: bool, data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from([None, 0.3, *(one.value for one in tried)]))
    plot = SettingPlot("Weight decay", "0.0032", "accuracy, %", tuple(tried), chosen, 0.7, (0.1, 1.0), log, higher, "short runs")
    for size in (layout.WIDE, layout.NARROW):
        found = layout.setting(plot, size)
        for index, one in enumerate(found.words):
            assert one.box[0] >= -1
            assert one.box[2] <= size.width + 1
            assert not any(layout.overlap(one, other) for other in found.words[:index]), (one, found.words)
        for mark in found.marks:
            assert layout.RADIUS <= mark.x <= size.width - layout.RADIUS
            assert layout.HEAD <= mark.y <= size.height - layout.FOOT + layout.RADIUS


def test_the_better_score_stands_higher_for_an_accuracy_and_lower_for_a_loss() -> None:
    worst, *_, best = layout.setting(PLOT).marks
    assert best.kind == "chosen"
    assert best.y < worst.y
    (taken,) = of(RATE, "chosen")
    assert all(mark.y < taken.y for mark in of(RATE, "other"))


def test_a_zero_on_a_log_axis_stands_left_of_the_others_under_its_own_label() -> None:
    found = layout.setting(PLOT)
    assert found.marks[0].x < found.marks[1].x - layout.RADIUS
    assert "0" in [one.words for one in found.words if one.kind == "value"]


def test_one_that_diverged_and_one_far_worse_stand_at_the_edge() -> None:
    assert [mark.kind for mark in layout.setting(RATE).marks] == ["beyond", "other", "chosen", "other", "diverged"]


def test_equal_dots_stand_side_by_side() -> None:
    twins = SettingPlot("Batch size", "32", "accuracy", (Candidate(32, 0.9), Candidate(32, 0.9), Candidate(64, 0.95)), log_x=True)
    first, second, _ = layout.setting(twins).marks
    assert first.y == second.y
    assert second.x - first.x >= 2 * layout.RADIUS


def test_the_start_and_the_chosen_value_are_named_below_their_dots() -> None:
    below = {one.words: one.kind for one in layout.setting(PLOT).words}
    assert below["0.0032"] == "chosen" or below["0.0032"] == "answer"
    assert "yours" in below


def test_a_chosen_value_that_was_not_tried_is_a_line() -> None:
    found = layout.setting(SettingPlot("Momentum", "0.9", "loss", (Candidate(0.95, 0.2), Candidate(0.99, 0.3)), chosen=0.9))
    assert [one.kind for one in found.strokes].count("set") == 1


@pytest.mark.parametrize("plot", [PLOT, RATE, NOTHING], ids=lambda plot: plot.title)
def test_the_svg_draws_every_mark_and_word_of_the_layout(plot: SettingPlot) -> None:
    text = layout_svg.svg(plot, layout.WIDE)
    found = layout.setting(plot)
    assert text.count('class="mark ') == len(found.marks)
    assert text.count("<text") == len(found.words)


def test_a_setting_that_was_not_compared_says_so() -> None:
    assert [one.words for one in layout.setting(NOTHING).words] == ["Batch size", "32", "not tested: yours stays"]


def test_the_same_plots_give_the_same_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        layout_png.draw([RATE, NOTHING, NOTHING, PLOT], tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_picture_that_shows_the_same_plots_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.png"
    layout_png.draw([PLOT], path)
    before = path.stat().st_mtime_ns
    layout_png.draw([PLOT], path)
    assert path.stat().st_mtime_ns == before
    layout_png.draw([RATE], path)
    assert path.stat().st_mtime_ns != before
