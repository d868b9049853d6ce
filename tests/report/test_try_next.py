"""After an abstention: one command to try next, with its number."""

import pytest

from hpcheck.__main__ import run
from hpcheck.report.try_next import after_abstention
from hpcheck.steps.reading import Evidence, Reading, Settings, nothing_run
from tests.support.simulated import World, asked, read
from tests.support.simulated_engine import simulate

SETTINGS = Settings(128, None, None, 0.9, 0.85, 1e-4, 10.0)
ABSTAINED = Evidence("weight_decay", 1e-4, "abstained", "none", "noise", "section 4.4")


def reading(step, *runs, evidence=ABSTAINED):
    return Reading(step, SETTINGS, (evidence,), runs=runs)


def test_runs_twice_as_long_as_the_longest_are_tried():
    world = World()
    from hpcheck.steps.lr_range import decide
    from hpcheck.steps.start import start_settings

    question = asked("start.max_lr=0.1")
    runs = read(world, decide, question, start_settings(question.config)).runs
    longest = max(record.spec.steps for record in world.records.values())
    command = after_abstention([reading("wd-grid", *world.records)], world.records.get)
    assert command == f"hpcheck wd-grid -s wd_grid.steps={2 * longest}"
    assert runs


def test_where_no_lr_is_known_one_is_read_first():
    assert after_abstention([nothing_run("batch", SETTINGS)], {}.get) == "hpcheck lr-range"


def test_more_full_trainings_are_tried_where_those_made_decide_nothing():
    assert after_abstention([reading("confirm", "a", "b", "c", "d")], {}.get) == "hpcheck confirm -s confirm.trainings=8"


def test_nothing_is_said_where_nothing_abstained_or_no_command_would_help():
    fine = Reading("batch", SETTINGS, ())
    assert after_abstention([fine], {}.get) == ""
    assert after_abstention([reading("train", "a")], {}.get) == ""


@pytest.mark.parametrize("command", [["-h"], ["run", "-h"], ["show", "-h"]])
def test_h_is_help(capsys, command):
    assert run(command) == 0
    assert "Usage: hpcheck" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    from hpcheck import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"hpcheck {__version__}\n"


def test_an_abstention_ends_with_the_command_to_try(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    simulate(monkeypatch, World(needed=1e9, noise=0.2))
    (tmp_path / "mine.yaml").write_text("data: digits\nmodel: mlp\n")
    assert run(["wd-grid", "mine.yaml", "-s", "start.max_lr=0.1"]) == 6
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("to try next: hpcheck wd-grid mine.yaml -s start.max_lr=0.1 -s wd_grid.steps=")
    assert int(last.rpartition("=")[2]) > 200


def test_show_of_a_recommended_file_by_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    simulate(monkeypatch)
    (tmp_path / "mine.yaml").write_text("data: digits\nmodel: mlp\nconfirm: {trainings: 0}\nstart: {max_lr: 0.1}\n")
    assert run(["lr-range", "mine.yaml", "-q"]) == 0
    beside = tmp_path / "runs" / "mine" / "recommended.yaml"
    (tmp_path / "kept.yaml").write_bytes(beside.read_bytes())
    for path in ("kept.yaml", str(beside)):
        assert run(["show", path]) == 0
        assert "learning rate" in capsys.readouterr().out
    assert run(["show", "kept.yaml", "--batch", "512"]) == 0
    assert run(["show", "kept.yaml", "--snippet", "hpcheck"]) == 0
    assert "hpcheck.use('kept.yaml')" in capsys.readouterr().out
    assert run(["show", str(beside), "--snippet", "pytorch"]) == 0
    assert run(["show", "kept.yaml", "--snippet", "pytorch"]) == 2
    assert "does not say with which optimizer" in capsys.readouterr().err
