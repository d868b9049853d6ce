"""Commands that are told to be tried next name the same config, overrides and script as the call did: pasted, they go on with it."""

from pathlib import Path

import pytest

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.config.differences import overrides_between
from hpcheck.report import advice
from hpcheck.script.call import Call
from tests.support import report_cases as cases
from tests.support.simulated_engine import simulate

SCRIPT = Call(script=("python", "my train.py"))


@pytest.mark.parametrize(
    ("call", "command", "named"),
    [
        (Call(), "hpcheck run --sure", "hpcheck run --sure"),
        (Call(Path("a b.yaml")), "hpcheck train -s budget.epochs=4", "hpcheck train 'a b.yaml' -s budget.epochs=4"),
        (SCRIPT, "hpcheck lr-range", "hpcheck lr-range -- python 'my train.py'"),
        (SCRIPT, "hpcheck show --snippet hpcheck", "hpcheck show --snippet hpcheck"),
        (Call(from_=Path("old.yaml")), "hpcheck run --sure", "hpcheck run --from old.yaml --sure"),
        (Call(from_=Path("old.yaml")), "hpcheck train --from recommended.yaml", "hpcheck train --from recommended.yaml"),
        (Call(overrides=("confirm.sure=true",)), "hpcheck run --sure", "hpcheck run --sure"),
        (Call(overrides=("a.b=1",)), "hpcheck run -s a.b=2", "hpcheck run -s a.b=2"),
        (Call(Path("my.yaml")), "hpcheck report --open", "hpcheck report --open"),
        (Call(Path("my.yaml")), "", ""),
    ],
)
def test_a_command_names_what_the_call_named(call, command, named):
    assert call.named_in(command) == named


def test_the_page_of_a_script_names_its_command():
    read = cases.lr_range()
    script = cases.config().model_copy(update={"script": ["python", "train.py"]})
    commands = [command for _, command in advice.next_lines(cases.content([read]), [read], script)]
    assert "hpcheck batch -- python train.py" in commands


def test_show_tells_commands_with_the_config_that_it_was_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    simulate(monkeypatch)
    (tmp_path / "mine.yaml").write_text("data: digits\nmodel: mlp\nconfirm: {trainings: 0}\n")
    assert run(["lr-range", "mine.yaml", "-q", "-s", "name=other"]) == 0
    assert run(["show", "mine.yaml", "-s", "name=other"]) == 0
    assert "hpcheck show mine.yaml -s name=other --snippet pytorch" in capsys.readouterr().out


def test_what_was_set_for_a_search_is_found_again_as_overrides_of_its_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("data: digits\nmodel: mlp\nstart: {momentum: 0.9}\n")
    given = ["start.max_lr=0.1", "budget.epochs=60.0", "batch.sizes=[16, 32]"]
    found = overrides_between(configs.load(path), configs.load(path, given))
    assert sorted(found) == sorted(given)
    assert overrides_between(configs.load(path), configs.load(path)) == []
    script = configs.load(path).model_copy(update={"script": ("python", "train.py")})
    assert overrides_between(configs.load(path), script) == []
