"""`hpcheck.run` from Python: a file or a dict in, an answer out that prints, plots and shows itself. Nothing is trained here but once."""

import subprocess
import sys
from pathlib import Path

import pytest

import hpcheck
from hpcheck.config import ConfigError
from hpcheck.errors import InputError
from tests.support.simulated_engine import simulate

CONFIG = {"data": "digits", "model": "mlp", "confirm": {"trainings": 0}, "start": {"max_lr": 0.1}}


def loader():
    """Stands for a user's own function."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate(monkeypatch)
    return tmp_path


def test_a_dict_runs_the_checklist_in_a_directory_named_after_the_folder(here):
    answer = hpcheck.run(CONFIG, quiet=True)
    assert answer.directory == Path("runs") / here.name
    assert answer.settings["weight_decay"] == pytest.approx(1e-3)  # the simulated network's best
    assert answer.evidence["weight_decay"]["status"] in ("chosen", "tied")
    assert answer.verdict.says == "not tested"
    assert str(answer.verdict) == answer.verdict.words != ""
    assert answer.report.is_file()


def test_a_file_and_overrides_give_what_the_same_dict_gives(here):
    (here / "mine.yaml").write_text("data: digits\nmodel: mlp\nstart: {max_lr: 0.1}\n")
    answer = hpcheck.run("mine.yaml", ["confirm.trainings=0"], quiet=True)
    assert answer.directory == Path("runs/mine")
    assert answer.settings == hpcheck.run(CONFIG, quiet=True).settings


def test_full_trainings_that_confirm_are_told_by_the_verdict(here):
    answer = hpcheck.run({**CONFIG, "confirm": {"trainings": 8}}, quiet=True)
    assert answer.verdict.says in ("better", "probably better", "not better")
    assert answer.verdict.ours is not None


def test_the_answer_prints_the_verdict_first_and_every_setting(here):
    lines = str(hpcheck.run(CONFIG, quiet=True)).splitlines()
    assert lines[0].startswith("Not confirmed")
    assert [line.partition(":")[0] for line in lines[1:5]] == ["batch size", "learning rate", "momentum", "weight decay"]


def test_a_notebook_shows_a_table_with_everything_escaped(here, monkeypatch):
    answer = hpcheck.run(CONFIG, quiet=True)
    shown = answer._repr_html_()
    assert "<table>" in shown
    assert str(answer.report) in shown
    answer.content["verdict"]["words"] = "<script>alert(1)</script>"
    assert "<script>" not in answer._repr_html_()


def test_a_plot_of_a_setting_is_a_png_in_a_notebook_and_saves_as_svg(here):
    picture = hpcheck.run(CONFIG, quiet=True).plot("weight_decay")
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert b"<svg" in picture.save(here / "wd.svg").read_bytes()
    with pytest.raises(InputError, match=r"saved as \.png or \.svg"):
        picture.save("wd.jpg")


def test_a_plot_of_what_was_not_read_names_what_was(here):
    with pytest.raises(InputError, match="no picture of 'wd'; there is one of learning_rate"):
        hpcheck.run(CONFIG, quiet=True).plot("wd")


def test_snippets_are_code_that_python_takes(here):
    answer = hpcheck.run(CONFIG, quiet=True)
    for style in ("pytorch", "onecycle", "hpcheck"):
        compile(answer.snippet(style), style, "exec")
    with pytest.raises(InputError, match="no snippet 'jax'; there are pytorch"):
        answer.snippet("jax")


def test_what_is_wrong_with_a_dict_is_told_by_its_keys_and_without_lines(here):
    with pytest.raises(ConfigError) as wrong:
        hpcheck.run({**CONFIG, "budget": {"epochs": -1}, "modle": "mlp"})
    assert "error: the dict: budget.epochs: out of range (got -1; expected a number > 0" in str(wrong.value)
    assert "error: the dict: modle: unknown key; did you mean 'model'?" in str(wrong.value)


def test_what_is_no_config_is_refused_in_words(here):
    with pytest.raises(InputError, match="a config is a path or a dict, not int"):
        hpcheck.run(3)
    with pytest.raises(ConfigError, match=r"the dict: .*expected numbers, text"):
        hpcheck.run({**CONFIG, "seed": object()})


def test_a_function_stands_for_its_name_unless_no_other_process_can_import_it(here):
    from hpcheck.api.run import named

    assert named({"data": {"name": loader}}) == {"data": {"name": f"{__name__}:loader"}}
    with pytest.raises(InputError, match="put it into a file"):
        named({"data": lambda: None})


def test_a_script_without_a_main_guard_is_not_run_again_by_the_workers(tmp_path):
    """As a person writes it: two lines. A worker that imported it would call `hpcheck.run` in its turn."""
    lines = (
        "print('top')",
        "import os",
        "from hpcheck.engine.pool.executor import Executor",
        "executor = Executor(1, os.getpid)",
        "print(executor.ask(os.getpid) != os.getpid())",
        "executor.end(1)",
    )
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["top", "True"], done.stderr


def test_hpcheck_lists_what_it_has_without_loading_it():
    script = "import sys, hpcheck; print({'run', 'read', 'use'} <= set(dir(hpcheck)), 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True False\n"
