"""The HTML report: what a reader must find in it, what must never be in it, and its empty states. No browser here."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpcheck.cli.app import app
from hpcheck.drawing import markup
from hpcheck.drawing.panels import Panel, Series
from hpcheck.recommendation.metric import Metric
from hpcheck.report import advice, ledger, overview, page, sections, setting_plots
from hpcheck.report import render as render_module
from hpcheck.report.render import render
from hpcheck.steps.reading import Reading
from tests.support import report_cases as cases

COST = {"trainings": 1.83, "runs": 9, "iterations": 1400, "device_seconds": 9.1}


def report(readings: list[Reading], *overrides: str, learning_rate: bool = True) -> str:
    costs = {reading.step: COST for reading in readings}
    return page.page(cases.content(readings, learning_rate), readings, costs, cases.config(*overrides), cases.METRIC)


class Elements(HTMLParser):
    """The page's elements, their text, and whether every one that opens closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    text = report(cases.everything())
    found = Elements(text)
    assert found.open == []
    addresses = [
        value for _, attributes in found.tags for key, value in attributes.items() if key in ("src", "href", "xlink:href", "action")
    ]
    assert all(value is not None and (value.startswith("#") or value == "data:,") for value in addresses)
    policies = [attributes["content"] for _, attributes in found.tags if attributes.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none'; ")
    assert not re.search(r"https?://", text)


def test_links_lead_somewhere_and_no_name_is_used_twice() -> None:
    found = Elements(report(cases.everything()))
    names = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert {str(attributes["href"])[1:] for tag, attributes in found.tags if tag == "a"} <= set(names)


def test_the_settings_stand_at_the_top_with_a_reason_each() -> None:
    text = Elements(report(cases.everything())).text
    top = text[: text.index("How large may the learning rate become?")]
    for words in ("0.02 to 0.2", "128", "0.9 to 0.85", "0.001", "0.2 keeps a factor of 2 away.", "98.5% ± 0.2, 4 trainings"):
        assert words in top


@pytest.mark.parametrize("place", ["label", "title", "remark", "clue", "reason"])
def test_markup_in_names_stays_text(place: str) -> None:
    reading = cases.batch(cases.HOSTILE)
    item = (
        replace(reading.evidence[0], clues=(cases.HOSTILE,), reason=cases.HOSTILE) if place in ("clue", "reason") else reading.evidence[0]
    )
    panels = (replace(reading.panels[0], title=cases.HOSTILE, marks=((3.0, cases.HOSTILE),)),)
    text = report([replace(reading, evidence=(item,), panels=panels, remarks=(cases.HOSTILE,))])
    found = Elements(text)
    assert found.open == []
    assert not any(tag == "img" for tag, _ in found.tags)
    assert not any(key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert cases.HOSTILE in found.text


def test_values_cannot_end_their_script() -> None:
    assert "</script><b>" not in markup.data_block({"label": "</script><b>"})[:-9]


def test_a_template_escapes_what_is_not_markup() -> None:
    shown = render(
        "notebook", verdict="<i>", columns=("a", "b"), rows=[("<i>", markup.tag("b", "&"))], lines=["<i>"], report="'<i>", picture=""
    )
    assert "<i>" not in shown
    assert shown.count("<b>&amp;</b>") == 1


def test_every_template_is_used_and_lies_in_the_package() -> None:
    folder = Path(render_module.__file__).parent / "templates"
    texts = "".join(path.read_text(encoding="utf-8") for path in folder.parent.rglob("*.*") if path.suffix in (".j2", ".py"))
    used = texts + (folder.parents[1] / "api" / "run.py").read_text() + (folder.parents[1] / "api" / "read.py").read_text()
    for path in folder.iterdir():
        name = path.name.removesuffix(".html.j2")
        assert f'"{path.name}"' in used or f'render("{name}"' in used.replace("render(\n        ", "render("), path.name


def test_validation_on_the_test_split_is_said_loudly() -> None:
    assert "Validated on the test split" in report(cases.everything(), "data.validate_on=test")
    assert "Validated on the test split" not in report(cases.everything())


def test_an_abstention_is_said_at_the_top_and_what_to_do_about_it() -> None:
    text = Elements(report([cases.lr_range(), cases.wd_grid("abstained")])).text
    assert "No answer for weight decay" in text
    assert "Your value is kept. No candidate could be read." in text
    assert "weight decay could not be read: no candidate could be read. Make its runs longer" in text
    assert (
        "Not run yet: batch, momentum, train. Their settings are where you started from. No full training has tried these settings." in text
    )


def test_an_abstention_that_keeps_another_value_than_the_starts_says_which() -> None:
    reading = cases.wd_grid("abstained")
    kept = replace(reading.evidence[0], setting="learning_rate", kept="the lr known before")
    text = Elements(report([replace(reading, step="lr-reprobe", evidence=(kept,))])).text
    assert "The lr known before is kept. No candidate could be read." in text
    assert "Your value is kept. No candidate" not in text


def test_a_held_out_part_that_was_trained_on_is_called_that() -> None:
    assert "Validation split, trained on too" in report(cases.everything(), "train.fit=all")
    assert "trained on too" not in report(cases.everything())


def test_training_sets_nothing_and_so_leaves_no_start() -> None:
    text = Elements(report([one for one in cases.everything() if one.step != "train"])).text
    assert "Not run yet: train. No full training has tried these settings." in text


def test_before_any_step_the_page_says_how_to_begin() -> None:
    text = Elements(report([], learning_rate=False)).text
    assert "none known" in text
    assert "Nothing to paste: no learning rate is known yet; read one first (hpcheck lr-range)." in text
    assert "Nothing has been read yet. Run the checklist: hpcheck run" in text


def test_a_panel_without_finite_values_says_so() -> None:
    empty = Panel("Nothing", "iteration", "loss", (Series("a", (1.0,), (math.nan,)),))
    assert "No finite values to draw." in report([replace(cases.batch(), panels=(empty,))])


def test_scores_by_accuracy_are_shown_in_percent() -> None:
    found = sections.considered(cases.batch().evidence[0], cases.METRIC)
    assert found.columns[1] == "Accuracy, %"
    assert found.rows[1][:3] == ("128", "98.52", "0.49")


def test_scores_by_a_metric_are_shown_as_measured() -> None:
    found = sections.considered(cases.batch().evidence[0], Metric("R2"))
    assert [row[1] for row in found.rows] == ["0.9561", "0.9852"]


def test_an_error_of_which_less_is_better_is_shown_as_it_was_measured() -> None:
    item = replace(cases.batch().evidence[0], considered=((64.0, 0.1137, 0.0055),), higher_is_better=False)
    assert sections.considered(item, Metric("error")).rows[0][1] == "0.1137"


def test_what_was_considered_says_what_became_of_it() -> None:
    found = sections.considered(cases.lr_range().evidence[0], cases.METRIC)
    assert [(row[0], row[-1]) for row in found.rows] == [("0.1", "worse"), ("0.2", "taken"), ("0.4", "as good"), ("0.8", "diverged")]
    of_a_stretch = replace(cases.lr_range().evidence[0], tied=(), good=(0.2, 0.4))
    assert [row[-1] for row in sections.considered(of_a_stretch, cases.METRIC).rows].count("loses little") == 1
    assert sections.answer(of_a_stretch, True).interval == "Interval of the middle of such maxima: 0.2 to 0.57."


def test_a_clue_beside_its_picture_is_not_repeated_below() -> None:
    reading = cases.lr_range()
    words = reading.panels[0].boxes[0].words
    item = replace(reading.evidence[0], clues=(words,))
    text = Elements(report([replace(reading, evidence=(item,))])).text
    assert text.count("raise the smallest learning rate") == 1


def test_the_ledger_weighs_each_choice_against_the_start() -> None:
    settings = cases.content([])["settings"]
    entries = {entry.name: entry for entry in ledger.ledger(settings, cases.config())}
    assert [entries[name].effect for name in ("Learning rate", "Batch size", "Weight decay")] == ["adds", "takes away", "adds"]
    assert (entries["Batch size"].before, entries["Batch size"].value) == ("32", "128")
    assert entries["Dropout"].value == "0"
    assert entries["Augmentation"].effect == "none"


def test_the_ledger_reads_dropout_from_the_model() -> None:
    assert ledger.dropout_of(cases.config("model={name: densenet_cifar}", "data.name=cifar10")) == 0.2
    assert ledger.dropout_of(cases.config("model={name: densenet_cifar, dropout: 0.1}", "data.name=cifar10")) == 0.1


def test_training_longer_is_advised_where_the_loss_still_falls() -> None:
    falling = replace(cases.train(), findings=frozenset({"still falling"}))
    commands = [command for _, command in advice.next_lines(cases.content([falling]), [falling], cases.config())]
    assert "hpcheck train -s budget.epochs=60" in commands


def test_words_of_a_remark_are_no_finding() -> None:
    """lr-range says "train longer" of its stepsize, where no training has ended."""
    read = replace(cases.train(), step="lr-range", remarks=("stepsize: too few, train longer or with a smaller max lr; too short to tell",))
    commands = [command for _, command in advice.next_lines(cases.content([read]), [read], cases.config())]
    assert not [command for command in commands if "budget.epochs" in command or "wd_grid.steps" in command]


def test_the_same_readings_give_the_same_page() -> None:
    assert report(cases.everything()) == report(cases.everything())


def test_the_report_stays_small() -> None:
    assert len(report(cases.everything()).encode()) < 400_000


def test_report_of_something_else_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert "not a run directory" in str(result.exception)


def test_a_run_directorys_config_cannot_have_code_imported(tmp_path: Path) -> None:
    text = (cases.ROOT / "configs" / "quickstart.yaml").read_text().replace("name: mlp\n  hidden: [64, 64]", "name: evil:model")
    (tmp_path / "config.yaml").write_text(text)
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert "your own code (evil:model)" in str(result.exception)


@pytest.mark.parametrize(("size", "effect"), [(16, "adds"), (32, "neither"), (64, "takes away")])
def test_a_smaller_batch_adds_regularization_and_a_larger_one_takes_it_away(size: int, effect: str) -> None:
    settings = {**cases.content([])["settings"], "total_batch_size": size}
    (entry,) = [entry for entry in ledger.ledger(settings, cases.config()) if entry.name == "Batch size"]
    assert entry.effect == effect


def test_settings_are_to_be_committed_where_every_one_was_read() -> None:
    read, abstained = [cases.lr_range(), cases.wd_grid()], [cases.lr_range(), cases.wd_grid("abstained")]
    commands = [[command for _, command in advice.next_lines(cases.content(given), given, cases.config())] for given in (read, abstained)]
    assert ["hpcheck train --from recommended.yaml" in found for found in commands] == [True, False]


def test_trainings_are_shown_by_their_figures_on_the_test_split_where_there_are_any() -> None:
    arm = {"runs": ["a"], "diverged": 0, "val": {"metric": 0.7, "each": [0.7]}, "test": {"metric": 0.6, "each": [0.6]}}
    held_out = {key: value for key, value in arm.items() if key != "test"}
    for given, words in ((arm, "R2 on the test split: recommended: 0.6"), (held_out, "R2 on the validation split: recommended: 0.7")):
        found = overview.results({"results": {"train": {"recommended": given}}, "provenance": {"metric": "R2"}}, "train")
        assert found is not None
        assert words in str(found.strip)


def test_the_cost_is_told_in_the_users_trainings() -> None:
    text = Elements(report(cases.everything())).text
    assert "Cost: 1.8 of your trainings (9 runs, 1,400 iterations, 9 seconds)." in text
    assert "Of your trainings" in text[text.index("What it cost") :]
    assert "15" in text[text.index("All of the search") :]


def test_the_answer_stands_first_what_it_rests_on_its_cost_and_what_was_not_tested() -> None:
    text = Elements(report(cases.everything())).text
    places = [
        text.index(words)
        for words in (
            "Filled, or a line: chosen.",
            "What to set",
            "How sure",
            "What it cost",
            "Not tested",
            "What next",
            "Recommended settings",
        )
    ]
    assert places[1:] == sorted(places[1:])
    assert "The work of 30.8 of your trainings (15.4 for the search, 15.4 for the final training), 66 seconds of computing." in text


def test_a_plot_for_each_setting_stands_at_the_top() -> None:
    text = report(cases.everything())
    assert text.count('class="setting-plot"') == 4
    assert text.index('class="setting-plots"') < text.index("Recommended settings")


def test_full_trainings_are_what_the_plot_of_the_weight_decay_shows_where_there_are_any() -> None:
    short, full = cases.wd_grid(), cases.wd_grid()
    item = replace(full.evidence[0], judged_by="accuracy", considered=((1e-4, -0.97, 0.004), (1e-3, -0.98, 0.0)))
    readings = [short, replace(full, step="confirm", evidence=(item,))]
    plot = setting_plots.plots(readings, cases.content(readings)["settings"], cases.config(), cases.METRIC)[-1]
    assert (plot.note, plot.y_label) == ("in full, first seed", "accuracy, %")
    assert [one.score for one in plot.candidates] == pytest.approx([97, 98])
    assert plot.start == cases.config().start.weight_decay


@pytest.mark.parametrize(("moved_to", "interval"), [(0.8, None), (0.45, (0.2, 0.5))])
@pytest.mark.parametrize(("step", "told"), [("lr-range", "short runs"), ("lr-in-full", "in full, first seed")])
def test_a_learning_rate_that_full_trainings_moved_is_a_line_in_the_earlier_picture(
    step: str, told: str, moved_to: float, interval: tuple[float, float] | None
) -> None:
    """Without the earlier interval, where that does not hold it."""
    before = cases.lr_range()
    item = replace(before.evidence[0], value=0.4, considered=((0.1, 0.3, 0.01), (0.4, 0.2, 0.01)), interval=(0.2, 0.5))
    before = replace(before, step=step, settings=replace(before.settings, max_lr=0.4), evidence=(item,))
    moved = replace(item, value=moved_to, considered=())
    full = replace(before, step="confirm", settings=replace(before.settings, max_lr=moved_to), evidence=(moved,))
    for readings, note, shaded in (([before], told, (0.2, 0.5)), ([before, full], told, interval)):
        plot = setting_plots.plots(readings, cases.content(readings)["settings"], cases.config(), cases.METRIC)[0]
        assert (plot.chosen, plot.note, plot.interval) == (readings[-1].settings.max_lr, note, shaded)


def test_where_yours_stays_and_no_other_value_was_trained_beside_it_words_stand_in_the_place_of_a_single_dot() -> None:
    full = cases.wd_grid()
    item = replace(full.evidence[0], judged_by="accuracy", considered=((1e-3, -0.98, 0.0),))
    for says, words in (("not better", "none better found: yours stays"), ("better", "one value, not compared")):
        readings = [replace(full, step="confirm", evidence=(item,), results={"verdict": {"says": says}})]
        plot = setting_plots.plots(readings, cases.content(readings)["settings"], cases.config(), cases.METRIC)[-1]
        assert (plot.note, plot.candidates) == (words, ())


def test_an_abstention_says_so_in_its_plot_and_a_setting_that_was_not_read_says_that() -> None:
    readings = [cases.wd_grid("abstained")]
    found = {
        plot.title: plot.note for plot in setting_plots.plots(readings, cases.content(readings)["settings"], cases.config(), cases.METRIC)
    }
    assert found["Weight decay"] == "no answer: yours stays"
    assert found["Batch size"] == "not tested: yours stays"


def test_a_limit_that_short_trainings_went_beyond_is_marked_as_superseded() -> None:
    lr, limit = cases.lr_range().evidence
    beyond = replace(cases.lr_range(), evidence=(replace(lr, tied=(), good=(0.2, 0.8)), limit))
    words = "Superseded: short trainings went well up to 0.8"
    assert words in Elements(report([beyond])).text
    assert words not in Elements(report([cases.lr_range()])).text
