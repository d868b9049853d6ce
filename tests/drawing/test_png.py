"""Pictures of readings: what part is shown, where words go, and files that come out the same each time."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcheck.drawing import curve_layout, frame, marks, scale
from hpcheck.drawing import png as plots
from hpcheck.drawing import svg as picture
from hpcheck.drawing.layout import overlap
from hpcheck.drawing.panels import Box, Panel, Series
from hpcheck.steps.reading import Reading
from hpcheck.text import number
from tests.support import report_cases as cases


def panel(*series: Series, **more: object) -> Panel:
    return Panel("title", "iteration", "validation loss", series, **more)  # type: ignore[arg-type]


def line(*ys: float) -> Series:
    return Series("a", tuple(map(float, range(len(ys)))), ys, ys)


def test_a_curve_that_ends_above_its_start_is_seen_to_its_end() -> None:
    view = scale.view(panel(line(2.2, 2.4, 3.1, 3.3, 3.2)))
    assert view is not None
    assert view.y[0] < 2.2
    assert view.y[1] > 3.2


def test_a_divergence_does_not_squash_the_picture() -> None:
    view = scale.view(panel(line(2.3, 0.3, 0.2, 640.0, 8e4, math.inf, math.nan)))
    assert view is not None
    assert view.y[1] == pytest.approx(2.3 + 0.2 * 2.1, rel=0.05)
    assert view.cut


def test_an_accuracy_is_shown_whole_whatever_it_starts_from() -> None:
    view = scale.view(panel(line(0.1, 0.9, 0.98)))
    assert view is not None
    assert view.y[0] < 0.1
    assert view.y[1] > 0.98
    assert not view.cut


def test_where_higher_is_better_what_is_far_below_the_start_is_cut() -> None:
    view = scale.view(panel(line(-0.1, 0.8, -1e6), higher_is_better=True))
    assert view is not None
    assert -0.5 < view.y[0] < -0.1
    assert view.cut


def test_nothing_finite_is_no_picture(tmp_path: Path) -> None:
    assert scale.view(panel(line(math.nan, math.inf))) is None
    assert scale.view(panel()) is None
    assert plots.draw("train", (panel(line(math.nan)),), tmp_path) == []


def test_curves_that_end_close_together_are_shown_where_they_end() -> None:
    close = panel(cases.falling("a", 0.10), cases.falling("b", 0.12))
    apart = panel(cases.falling("a", 0.1), cases.falling("b", 1.9))
    found = [scale.view(one) for one in (close, apart, replace(close, whole=True))]
    assert [view is not None and view.zoomed for view in found] == [True, False, False]
    assert found[0] is not None
    assert 0.12 < found[0].y[1] < 0.5


def test_a_second_half_that_one_curve_alone_reaches_is_not_zoomed_to() -> None:
    view = scale.view(panel(cases.falling("a", 0.10, steps=60), cases.falling("b", 0.12, steps=20)))
    assert view is not None
    assert not view.zoomed


def test_a_curve_that_ends_far_worse_than_the_others_leaves_the_picture() -> None:
    view = scale.view(panel(*(cases.falling(str(to), to) for to in (0.1, 0.11, 0.13, 0.14)), cases.falling("far", 2.0)))
    assert view is not None
    assert view.y[1] < 0.5


def test_a_range_test_is_shown_around_its_marks() -> None:
    view = scale.view(panel(cases.ramp(until=3.0, blows_up=False), marks=((0.3, "limit 0.3"),)))
    assert view is not None
    assert 0.3 < view.x[1] < 0.7


def test_the_clues_of_a_zoomed_picture_are_in_it() -> None:
    early = panel(cases.falling("a", 0.10), cases.falling("b", 0.12), boxes=(Box(0.0, 30.0, "still falling"),))
    view = scale.view(early)
    assert view is not None
    assert view.y[1] > 2.0


@pytest.mark.parametrize("size", [frame.WIDE, frame.NARROW], ids=lambda size: size.name)
@pytest.mark.parametrize("reading", cases.everything(), ids=lambda reading: reading.step)
def test_no_words_of_a_picture_overlap_or_leave_it(reading: Reading, size: frame.Size) -> None:
    for one in reading.panels:
        view = scale.view(one)
        assert view is not None
        words = curve_layout.placed(one, view, size).words
        for index, first in enumerate(words):
            left, _, right, lower = first.box
            assert left >= -1, first
            assert right <= size.width + 1, first
            assert lower <= size.height + 1, first
            assert [other.words for other in words[index + 1 :] if overlap(first, other, -1)] == [], first


def test_curves_are_named_at_their_ends_without_the_words_that_all_begin_with() -> None:
    (one,) = cases.wd_grid().panels
    view = scale.view(one)
    assert view is not None
    layout = curve_layout.placed(one, view, frame.WIDE)
    names = {words.series: words for words in layout.words if words.kind in ("curve", "chosen")}
    assert [names[index].words for index in range(len(one.series))] == [
        "0",
        "1e-05",
        "0.0001",
        "0.0003",
        "0.001",
        "0.003",
        "0.01",
        "0.03",
        "0.1",
    ]
    assert [words.words for words in layout.words if words.kind == "chosen"] == ["0.001"]
    assert "weight decay" in [words.words for words in layout.words]
    ends = [curve.pieces[-1][-1][1] for curve in layout.curves]
    assert sorted(range(9), key=ends.__getitem__) == sorted(range(9), key=lambda index: names[index].y)


def test_a_box_says_what_it_means_where_it_hides_no_curve() -> None:
    (one,) = cases.train().panels
    view = scale.view(one)
    assert view is not None
    layout = curve_layout.placed(one, view, frame.WIDE)
    assert [words.words for words in layout.words if words.kind == "clue"] == ["plateau", "overfitting"]


def test_what_a_box_means_stands_whole_below_the_picture() -> None:
    words = "plateau (flat), iteration 885 to 1011: the loss has become horizontal, which is the goal: going on so gains nothing more"
    lines = plots.clue_lines(panel(line(2.0, 1.0), boxes=(Box(0.0, 1.0, "flat", f"{words} [section 3.1, Remark 2]"),)))
    assert " ".join(" ".join(lines).split()) == f"1 {words}"


@pytest.mark.parametrize(
    ("span", "log", "expected"),
    [
        ((0.0, 1.0), False, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((0.0008, 0.012), True, [0.001, 0.002, 0.005, 0.01]),
        ((1e-5, 10.0), True, [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0]),
    ],
)
def test_ticks_are_round_numbers(span: tuple[float, float], log: bool, expected: list[float]) -> None:
    assert scale.ticks(span, log) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(3, 9))
def test_ticks_lie_inside_and_are_not_too_many(low: float, width: float, most: int) -> None:
    found = scale.ticks((low, low + width), False, most)
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)
    assert 1 <= len(found) <= most + 2


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0005, "0.0005"), (1e-5, "1e-5"), (3.2e-6, "3.2e-6"), (25000.0, "25,000"), (0.0, "0"), (math.inf, "inf"), (128, "128")],
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert number(value) == words


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 30)), max_size=20))
def test_no_two_labels_of_a_row_overlap(given: list[tuple[float, float]]) -> None:
    spans = sorted((left, left + width) for left, width in given)
    rows = scale.rows(spans)
    for row in set(rows):
        ends = [span for span, at in zip(spans, rows, strict=True) if at == row]
        assert all(first[1] <= second[0] for first, second in pairwise(ends))


def test_the_same_clue_over_one_stretch_is_one_box() -> None:
    found = marks.merged([Box(0.5, 0.6, "divergence"), Box(0.46, 0.6, "divergence"), Box(0.1, 0.2, "plateau")])
    assert [(box.text, box.from_x, box.to_x) for box in found] == [("plateau", 0.1, 0.2), ("divergence", 0.46, 0.6)]


def test_a_box_surrounds_its_curve_and_stays_in_the_picture() -> None:
    one = replace(panel(line(2.0, 1.0, 0.5, 0.4)), boxes=(Box(1.0, 2.0, "plateau"), Box(math.nan, math.nan, "no-signal")))
    view = scale.view(one)
    assert view is not None
    (box,) = marks.drawn(one, view)
    assert box.low < scale.share(0.5, view.y, False) < scale.share(1.0, view.y, False) < box.high
    assert 0 <= box.left < box.right <= 1


def test_a_smoothed_curve_that_stops_marks_the_divergence() -> None:
    assert marks.ends_early((2.0, 1.0, math.nan), (2.0, 1.0, 9.0)) == 1
    assert marks.ends_early((2.0, 1.0, 0.5), (2.0, 1.0, 0.5)) is None
    assert marks.ends_early((), (2.0, 1.0)) is None


@pytest.mark.parametrize("reading", cases.everything(), ids=lambda reading: reading.step)
def test_each_step_is_drawn_as_png_and_svg(reading: Reading, tmp_path: Path) -> None:
    png, svg = plots.draw(reading.step, reading.panels, tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()[:500]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([png.name, svg.name])


def test_a_picture_is_drawn_again_only_where_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, honest = [], plots.draw_panels
    monkeypatch.setattr(plots, "draw_panels", lambda panels, path, shows: (drawn.append(path.suffix), honest(panels, path, shows)))
    panels = cases.batch().panels
    plots.draw("batch", panels, tmp_path)
    plots.draw("batch", panels, tmp_path)
    assert drawn == [".png", ".svg"]
    (tmp_path / "batch.svg").write_text("<svg/>")
    plots.draw("batch", panels, tmp_path)
    assert drawn == [".png", ".svg", ".svg"]
    plots.draw("batch", (replace(panels[0], title="another"), *panels[1:]), tmp_path)
    assert drawn[3:] == [".png", ".svg"]


def test_the_same_reading_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        plots.draw("batch", cases.batch().panels, tmp_path / folder)
    for name in ("batch.png", "batch.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_dollar_signs_in_labels_are_no_mathematics(tmp_path: Path) -> None:
    assert plots.draw("batch", cases.batch("cost $x_{$ and $").panels, tmp_path)


def test_log_axes_are_drawn(tmp_path: Path) -> None:
    sweep = Panel("sweep", "learning rate", "loss", (Series("a", (1e-5, 1e-3, 0.1), (2.3, 0.5, 0.01)),), log_x=True, log_y=True)
    plots.draw_panels((sweep,), tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 5000


def test_what_is_larger_is_drawn_higher_and_what_is_beyond_is_marked_at_its_own_edge() -> None:
    view = scale.View((0.0, 1.0), (0.0, 1.0), cut=True)
    drawn = frame.Frame(panel(line(0.0)), view, frame.WIDE, 12.0, 700.0)
    _, top, _, bottom = drawn.box
    assert (drawn.y(1.0), drawn.y(0.0)) == (top, bottom)  # pixels are counted from the top
    assert drawn.x(0.0) < drawn.x(1.0)
    above, below = (next(curve_layout._beyond(drawn, line(value))) for value in (9.0, -9.0))
    assert above[1:] == (top + 4, True)
    assert below[1:] == (bottom - 4, False)


def test_the_svg_and_the_png_draw_the_same_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = cases.batch().panels
    view = scale.view(one)
    assert view is not None
    layout = curve_layout.placed(one, view, frame.WIDE)
    svg = str(picture.svg(one, view, frame.WIDE, "a"))
    drawn: list[str] = []
    monkeypatch.setattr(plots, "_text", lambda ax, words, *_: drawn.append(words.words))
    plots.draw_panels((one,), tmp_path / "batch.png")
    for words in layout.words:
        assert f">{words.words}</text>" in svg
        assert words.words in drawn


def test_the_same_clue_over_two_stretches_is_two_boxes() -> None:
    assert len(marks.merged([Box(0.1, 0.2, "plateau"), Box(0.5, 0.6, "plateau")])) == 2


def test_curves_have_the_colours_of_the_page_and_words_can_be_read_in_them() -> None:
    style = (Path(plots.__file__).parents[1] / "report" / "report.css").read_text(encoding="utf-8")
    light = style[: style.index("prefers-color-scheme: dark")]
    for index, colour in enumerate(plots.COLOURS):
        assert f"--s{index}: {colour.lower()}" in light
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) > 4.5, colour
