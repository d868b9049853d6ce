"""Which YAML files are configs: by what they hold, so that a hook finds them under any name and leaves others alone."""

import pytest

from hpcheck.__main__ import run
from hpcheck.config.by_content import is_config

CONFIGS = {
    "mine.yaml": "data: digits\nmodel: mlp\nbudget: {epochs: 5}\n",
    "told.yaml": "# started by hpcheck init\ndata: digits\nmodel: mlp\n",
    "torn.yaml": "data: digits\nmodel: [\nlr_range:\n",
    "script.yaml": "script: [python, train.py]\nbudget: {steps: 100}\n",
    "hpcheck.yaml": "anything: 1\n",
}
OTHERS = {
    "hydra.yaml": "data: cifar\nmodel: resnet\noptimizer: adam\nseed: 1\n",
    "workflow.yml": "name: ci\non: push\njobs: {}\n",
    "recommended.yaml": "# by hpcheck\nsettings: {}\nevidence: {}\ndata: 1\nmodel: 1\n",
    "nested.yaml": "outer:\n  data: 1\n  model: 2\n  lr_range: 3\n",
    "empty.yaml": "",
}


@pytest.mark.parametrize("name", [*CONFIGS, *OTHERS])
def test_a_config_is_known_by_what_it_holds(tmp_path, name):
    (tmp_path / name).write_text({**CONFIGS, **OTHERS}[name])
    assert is_config(tmp_path / name) is (name in CONFIGS)


def test_the_hook_checks_configs_and_passes_over_the_rest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, text in {**OTHERS, "mine.yaml": CONFIGS["mine.yaml"], "bad.yaml": CONFIGS["mine.yaml"] + "wd_grid: {valeus: [1]}\n"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert run(["validate", "--skip-others", *sorted(path.name for path in tmp_path.iterdir())]) == 2
    told = capsys.readouterr()
    assert told.out == "ok: mine.yaml\n"
    assert told.err.splitlines() == [line for line in told.err.splitlines() if line.startswith("error: bad.yaml:4: wd_grid.valeus")]
    assert run(["validate", "--skip-others"]) == 0


def test_validate_without_a_file_checks_the_one_that_commands_take(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 2
    assert "hpcheck.yaml: no such file" in capsys.readouterr().err
    (tmp_path / "hpcheck.yaml").write_text("data: digits\nmodel: mlp\n")
    assert run(["validate"]) == 0
    assert capsys.readouterr().out == "ok: hpcheck.yaml\n"
