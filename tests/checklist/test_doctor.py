"""`hpcheck doctor`: everything a person would ask, on one screen, whatever is broken."""

import json
import os
import subprocess

import pytest

from hpcheck.__main__ import run
from hpcheck.checklist import doctor
from hpcheck.engine.pool import pool
from hpcheck.terminal import packages

ANSWER = {"cuda": [["Some GPU", 3 * 2**30, 8 * 2**30]], "built_for": "13.2", "mps": False, "cpu_bf16": True}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A folder to be in; torch answers what `asked(...)` says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPCHECK_DATA", raising=False)
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "cache"))

    def answer(stdout="", returncode=0, stderr=""):
        done = subprocess.CompletedProcess([], returncode, stdout, stderr)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    answer(json.dumps(ANSWER))
    return answer


def test_devices_memory_and_versions_are_told(asked, capsys):
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "cuda:0 Some GPU, 3.0 GiB of 8.0 GiB free" in out
    assert "torch " in out
    assert "no hpcheck.yaml here (`hpcheck init` writes one)" in out
    assert len(out.splitlines()) < 24
    assert max(map(len, out.splitlines())) < 160


@pytest.mark.parametrize("fast", [True, False])
def test_a_cpu_that_emulates_bf16_is_told(asked, capsys, fast):
    asked(json.dumps({**ANSWER, "cpu_bf16": fast}))
    assert run(["doctor"]) == 0
    assert ("ten times slower" in capsys.readouterr().out) is not fast


def test_a_torch_that_cannot_be_imported_is_said_and_the_rest_is_told(asked, capsys):
    asked(returncode=1, stderr="Traceback\nImportError: libcudart.so.13\n")
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "torch cannot be asked: ImportError: libcudart.so.13" in out
    assert "cache" in out


def test_data_and_a_broken_config_are_told(asked, tmp_path, capsys):
    (tmp_path / "data" / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "MNIST" / "raw" / "train-images-idx3-ubyte").touch()
    (tmp_path / "hpcheck.yaml").write_text("data: digits\n")
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert any("mnist" in words for words in found["data"])
    assert "1 problem(s)" in found["config"]
    assert "model" in found["config"]


def test_cores_are_those_that_runs_may_use(asked, tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("100000 100000")
    monkeypatch.setattr(pool, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert doctor.examine()["cores"] == 1


def test_a_data_folder_below_home_is_looked_into(asked, tmp_path, monkeypatch):
    (tmp_path / "sets" / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "sets" / "MNIST" / "raw" / "train-images-idx3-ubyte").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HPCHECK_DATA", "~/sets")
    found = doctor.examine()
    assert found["data_root"] == str(tmp_path / "sets")
    assert any("mnist" in words for words in found["data"])


def test_a_missing_package_is_said():
    assert packages.version("no-such-package-as-this") is None
