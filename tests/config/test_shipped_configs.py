"""Every shipped config opens with the command that runs it, and is accepted."""

import shlex
from pathlib import Path

import pytest

from hpcheck import config
from hpcheck.__main__ import run

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs").rglob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_config_opens_with_its_command_and_loads(path):
    command = shlex.split(path.read_text(encoding="utf-8").splitlines()[0])
    assert command[:2] == ["#", "hpcheck"]
    assert str(path.relative_to(ROOT)) in command
    assert config.load(path).name == path.stem


def test_no_two_shipped_configs_share_a_run_directory():
    names = [path.stem for path in SHIPPED]
    assert len(names) == len(set(names)) > 0


def test_validate_accepts_them_all(capsys):
    assert run(["validate", *map(str, SHIPPED)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [f"ok: {path}" for path in SHIPPED]
    assert captured.err == ""


def test_validate_names_every_problem_of_every_file(tmp_path, capsys):
    good, first, second = (tmp_path / name for name in ("good.yaml", "first.yaml", "second.yaml"))
    good.write_text("data: digits\nmodel: mlp\n")
    first.write_text("data: digits\nmodel: mlp\nseed: -1\nbatch: {steps: 0}\n")
    second.write_text("data: digit\nmodel: mlp\n")
    assert run(["validate", str(first), str(good), str(second), str(tmp_path / "none.yaml")]) == 2
    captured = capsys.readouterr()
    assert captured.out == f"ok: {good}\n"
    problems = captured.err.splitlines()
    assert len(problems) == 4
    for problem, (path, key) in zip(
        problems, [(first, "seed"), (first, "batch.steps"), (second, "data"), (tmp_path / "none.yaml", "")], strict=True
    ):
        assert problem.startswith(f"error: {path}")
        assert key in problem
