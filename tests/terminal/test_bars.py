"""Lines of a terminal: what gives way where it is narrow, what never does, and words that are not broken."""

import pytest

from hpcheck.terminal.bars import Bar, lines
from hpcheck.terminal.wrap import shortened, wrapped

LABELS = ("weight decay 0.0032, lr 0.095, fresh seed 1", "weight decay 0.0001, lr 0.095, fresh seed 1", "weight decay 0.01")
RUNS = [Bar(label, "loss 0.0912, accuracy 97.5%", 0.45, 70.0, number=f"{at}/3") for at, label in enumerate(LABELS, 1)]
WHOLE = Bar("step 3 of 6, confirm", "", 0.3, 7265.0)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_bar_percent_and_time_left_stay_at_any_width_and_labels_give_way(width):
    shown = lines(WHOLE, RUNS, width, 24)
    assert max(map(len, shown)) <= width
    assert shown[0].startswith("step 3 of 6" if width >= 60 else "step ")
    for line in shown:
        assert "\u2501" in line
        assert "30%" in line or "45%" in line
        assert line.endswith(("2:01:05 left", "1:10"))
    assert all(label in line for label, line in zip(LABELS, shown[1:], strict=True)) == (width >= 160)


def test_the_line_of_the_whole_is_not_cut_where_the_runs_have_losses():
    assert lines(WHOLE, RUNS, 80, 24)[0].startswith("step 3 of 6, confirm ")


def test_the_loss_is_left_out_only_where_labels_have_no_room_left():
    assert "accuracy 97.5%" in lines(WHOLE, RUNS, 80, 24)[1]
    assert "accuracy" not in lines(WHOLE, RUNS, 60, 24)[1]
    assert "1/3 0.0032" in lines(WHOLE, RUNS, 60, 24)[1]


def test_where_labels_are_cut_the_words_that_all_begin_with_go_first():
    assert [line.split("  ")[1] for line in lines(WHOLE, RUNS, 80, 24)[1:]] == [
        "1/3 0.0032, lr \u2026",
        "2/3 0.0001, lr \u2026",
        "3/3 0.01",
    ]


def test_a_low_terminal_shows_the_runs_under_way_and_counts_the_others():
    waiting = Bar("waiting", running=False)
    shown = lines(WHOLE, [waiting, waiting, *RUNS], 100, 6)
    assert len(shown) == 5
    assert "and 2 more" in shown[-1]
    assert not any("waiting" in line for line in shown)


def test_a_terminal_of_ascii_has_bars_too():
    shown = lines(WHOLE, RUNS, 80, 24, plain=True)
    assert all("#" in line for line in shown)


@pytest.mark.parametrize("width", range(40, 120, 7))
def test_no_word_is_broken_and_every_word_is_kept(width):
    text = "Probably better than yours: validation loss 0.0912 against 0.122, see /a/long/path/that/has/no/place/to/break/report.html (8)"
    broken = wrapped(text, width)
    assert broken.split() == text.split()
    assert all(len(line) <= width or len(line.split()) == 1 for line in broken.splitlines())


def test_a_command_in_backquotes_stays_whole():
    assert "`hpcheck check --update`" in wrapped("a" * 30 + " one that `hpcheck check --update` writes", 50)


def test_without_a_terminal_nothing_is_broken():
    assert wrapped("word " * 100, None) == "word " * 100


def test_a_label_is_cut_between_words():
    assert shortened("weight decay 0.0032, lr 0.095", 27) == "weight decay 0.0032, lr \u2026"
    assert shortened("weight decay 0.0032, lr 0.095", 20) == "weight decay \u2026"


def test_where_labels_are_cut_a_part_that_all_have_goes_first():
    runs = [Bar(f"weight decay {decay}, lr 0.095", RUNS[0].now, 0.5, 9.0, number=f"{at}/2") for at, decay in enumerate((0.001, 0.01), 1)]
    assert [line.split("  ")[1] for line in lines(WHOLE, runs, 80, 24)[1:]] == ["1/2 0.001", "2/2 0.01"]
    assert "lr 0.095" in lines(WHOLE, runs, 160, 24)[1]
