"""`hpcheck check`: exit codes, what it prints, what GitHub is told, and when it writes the baseline. Nothing is trained here."""

import copy
import json

import pytest

from hpcheck.__main__ import run
from hpcheck.cli import check
from hpcheck.config import yaml12
from tests.support.baselines import BASE, edited, rerun
from tests.support.simulated import asked


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a config; `regenerated(content)` says what the checklist comes to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "hpcheck.yaml").write_text("data: digits\nmodel: mlp\n")

    def regenerated(content):
        monkeypatch.setattr(check, "regenerate", lambda config, quiet, baseline: yaml12.write(content))

    regenerated(BASE)
    return tmp_path, regenerated


def commit(folder, content, name="recommended.yaml"):
    (folder / name).write_text(yaml12.write(content))


def test_the_same_exits_0_and_says_so(project, capsys):
    commit(project[0], BASE)
    assert run(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no setting has drifted from recommended.yaml"


@pytest.mark.parametrize(
    ("setting", "value"), [("total_batch_size", 128), ("learning_rate", 1.2), ("momentum", 0.975), ("weight_decay", 0.003)]
)
def test_each_setting_moved_in_the_baseline_exits_1_and_is_named(project, capsys, setting, value):
    commit(project[0], edited(setting, value))
    assert run(["check", "-q"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"drifted: {setting} ")


def test_an_abstention_that_prevents_a_comparison_exits_6(project, capsys):
    commit(project[0], BASE)
    project[1](rerun("weight_decay", 1e-6, status="abstained", interval=None))
    assert run(["check"]) == 6
    assert "not compared, since a reading abstained: weight_decay" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "", "settings: 1\n", "[1, 2]\n", "settings: {}\nevidence: {}\nprovenance: []\n", "a: [\n"])
def test_an_unusable_baseline_exits_2_before_anything_runs(project, capsys, monkeypatch, text):
    monkeypatch.setattr(check, "regenerate", lambda config, quiet, baseline: pytest.fail("ran"))
    if text is not None:
        (project[0] / "recommended.yaml").write_text(text)
    assert run(["check"]) == 2
    assert capsys.readouterr().err.startswith("error: recommended.yaml")


def test_a_missing_baseline_says_how_to_write_one(project, capsys):
    assert run(["check", "--baseline", "elsewhere.yaml"]) == 2
    assert "elsewhere.yaml: no such baseline (expected a file that `hpcheck check --update` writes)" in capsys.readouterr().err


def test_update_writes_the_baseline_and_the_next_check_agrees(project, capsys):
    assert run(["check", "--update", "--baseline", "kept/here.yaml"]) == 0
    assert "wrote kept/here.yaml" in capsys.readouterr().out
    assert run(["check", "--baseline", "kept/here.yaml"]) == 0


def test_update_accepts_a_drift_and_names_it(project, capsys):
    commit(project[0], edited("weight_decay", 0.003))
    assert run(["check", "--update"]) == 0
    assert "weight_decay: drifted" in capsys.readouterr().out
    assert yaml12.read((project[0] / "recommended.yaml").read_text()).value["settings"]["weight_decay"] == 0.001


def test_update_with_nothing_drifted_leaves_the_file_byte_for_byte(project, capsys):
    """Whatever else has changed: another version, another value within the interval, a comment of a person's."""
    committed = "# ours, please keep\n" + yaml12.write(rerun("weight_decay", 0.0012))
    (project[0] / "recommended.yaml").write_text(committed)
    new = copy.deepcopy(BASE)
    new["provenance"]["environment"]["torch"] = "2.11.0"
    project[1](new)
    assert run(["check", "--update"]) == 0
    assert (project[0] / "recommended.yaml").read_text() == committed
    assert capsys.readouterr().out.splitlines()[-1] == "no setting has drifted from recommended.yaml"


def test_markdown_writes_the_summary_for_a_comment(project):
    commit(project[0], edited("weight_decay", 0.003))
    assert run(["check", "-q", "--markdown", "comment.md"]) == 1
    written = (project[0] / "comment.md").read_text()
    assert written.startswith("### hpcheck")
    assert "| weight_decay | 0.003 | 0.001 | drifted |" in written


def test_json_is_all_that_stands_on_stdout(project, capsys):
    commit(project[0], edited("weight_decay", 0.003))
    assert run(["check", "--json", "--diff"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == 1
    assert {one["setting"]: one["status"] for one in found["settings"]}["weight_decay"] == "drifted"


def test_what_is_printed_while_it_regenerates_is_not_in_the_json(project, capsys, monkeypatch):
    folder, _ = project
    commit(folder, BASE)
    quietly = check.regenerate
    monkeypatch.setattr(
        check, "regenerate", lambda config, quiet, baseline: print("the user's loader prints") or quietly(config, quiet, baseline)
    )
    assert run(["check", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == 0
    assert "the user's loader prints" in err


def test_diff_shows_old_against_new(project, capsys):
    commit(project[0], edited("weight_decay", 0.003))
    run(["check", "--diff"])
    assert "-weight_decay: 0.003\n+weight_decay: 0.001\n" in capsys.readouterr().out


def test_github_annotations_and_summary(project, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project[0] / "summary.md"))
    old = edited("learning_rate", 1.2)
    old["provenance"]["environment"]["torch"] = "2.9\n::error::injected, 100%"
    commit(project[0], old)
    (project[0] / "summary.md").write_text("before\n")
    assert run(["check", "--github"]) == 1
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    assert commands[0].startswith("::error file=recommended.yaml,title=hpcheck%3A learning_rate::the baseline says 1.2")
    assert [line.partition(" ")[0] for line in commands] == ["::error", "::warning"]
    summary = (project[0] / "summary.md").read_text()
    assert summary.startswith("before\n### hpcheck")
    assert "| learning_rate | 1.2 | 0.4 | drifted |" in summary
    assert "injected, 100%" in summary


def test_the_summary_says_whether_it_is_better_what_it_cost_and_lengths_in_words(project):
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    new["verdict"] = {"says": "better", "words": "Better than yours: 98.4 against 97.1%."}
    old["verdict"] = {"says": "probably better", "words": "Probably better than yours."}
    new["provenance"]["cost"] = {"search": {"trainings": 1.8, "runs": 11, "iterations": 1780, "device_seconds": 70.0}}
    old["settings"]["learning_rate"] |= {"epochs": 25.0, "cycle_epochs": 22.5}
    new["settings"]["learning_rate"] |= {"epochs": 89.79, "cycle_epochs": 80.8}
    commit(project[0], old)
    project[1](new)
    run(["check", "--markdown", "comment.md"])
    text = (project[0] / "comment.md").read_text()
    assert "Better than yours: 98.4 against 97.1%." in text
    assert "The baseline says" not in text
    assert "cost the work of 1.8 of your trainings, 70 seconds of computing." in text
    assert "| learning_rate.cycle | 25 epochs | 90 epochs | drifted | the training was 25 epochs long, and is 90 epochs long now |" in text


def test_a_check_that_confirms_nothing_says_what_the_baseline_claims(project):
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    old["verdict"] = {"says": "better", "words": "Better than yours: 98.4 against 97.1%."}
    new["verdict"] = {"says": "not tested", "words": "Not confirmed: nothing was trained in full."}
    commit(project[0], old)
    project[1](new)
    run(["check", "--markdown", "comment.md"])
    assert "The baseline says: Better than yours: 98.4 against 97.1%." in (project[0] / "comment.md").read_text()


def test_annotations_are_not_in_the_json(project, capsys):
    commit(project[0], edited("learning_rate", 1.2))
    assert run(["check", "--github", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == 1
    assert "::error file=recommended.yaml" in err


def test_annotations_escape_what_would_end_them():
    assert check.escaped_property("a:b,c%\n") == "a%3Ab%2Cc%25%0A"


def test_summary_cells_hold_no_markup():
    assert check.cell("a|b<script>[x](y)`\n") == "a&#124;b&lt;script>&#91;x](y)&#96; "


def test_picture_puts_old_above_new_on_one_scale():
    new = rerun("learning_rate", 0.1, interval=[0.05, 0.2])
    title, before, now = check.picture(next(one for one in check.drift.compare(BASE, new) if one.setting == "learning_rate"))
    assert title == "learning_rate, 0.02 to 2"
    assert before.index("o") > now.index("o")
    assert len(before) == len(now)


@pytest.mark.parametrize(
    ("trainings", "baseline", "flags", "wanted"),
    [
        (0, BASE, [], ["short"]),
        (8, BASE, [], ["short", "confirm"]),
        (8, {**BASE, "results": {"confirm": {}}}, [], ["short", "again"]),
        (8, {**BASE, "results": {"confirm": {}}}, ["--full"], ["short", "confirm"]),
    ],
)
def test_check_confirms_anew_only_where_asked_and_never_makes_the_final_training(project, monkeypatch, trainings, baseline, flags, wanted):
    """The final training sets nothing. What full trainings confirmed is trained once more."""
    monkeypatch.undo()
    monkeypatch.chdir(project[0])
    ran = []

    class Checklist:
        def __init__(self, config, progress):
            self.runs = type("Runs", (), {"recommended": project[0] / "new.yaml"})
            self.asked = asked(f"confirm.trainings={trainings}")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            commit(project[0], copy.deepcopy(BASE), "new.yaml")

        def run_short(self):
            ran.append("short")

        def run_step(self, step):
            ran.append(step)

        def confirm_again(self, before):
            assert before["results"] == {"confirm": {}}
            ran.append("again")
            return copy.deepcopy(BASE)

        def lost(self):
            return ["what recommended.yaml said of weight_decay no longer holds"]

    monkeypatch.setattr("hpcheck.checklist.run.Checklist", Checklist)
    commit(project[0], baseline)
    assert run(["check", "-q", *flags]) == 0
    assert ran == wanted


def test_a_drift_exits_1_whatever_else_could_not_be_compared(project, capsys):
    commit(project[0], edited("learning_rate", 1.2))
    project[1](rerun("weight_decay", 1e-6, status="abstained", interval=None))
    assert run(["check"]) == 1


def test_picture_of_momentum_is_of_1_minus_it():
    title, before, now = check.picture(next(one for one in check.drift.compare(BASE, rerun("momentum", 0.9)) if one.setting == "momentum"))
    assert title == "momentum (1 - m), 0.02 to 0.2"
    assert before.rindex("o") < now.rindex("o")
