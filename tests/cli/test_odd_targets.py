"""Files that a person names to be written: links, folders, pipes, devices and read-only files are refused before anything runs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcheck.__main__ import run
from hpcheck.cli import check
from hpcheck.config import yaml12
from hpcheck.runs import target
from hpcheck.runs.files import StorageError
from tests.support.baselines import BASE, edited
from tests.support.read_cases import csv, falling

Put = Callable[[Path], None]


def link(path: Path) -> None:
    Path("kept.txt").write_text("kept")
    path.symlink_to("kept.txt")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def device(path: Path) -> None:
    path.symlink_to("/dev/full")


def read_only(path: Path) -> None:
    path.write_text("kept")
    path.chmod(0o444)


ODD = [
    pytest.param(link, "it is a symbolic link; name the file that it leads to", id="link"),
    pytest.param(dangling, "it is a symbolic link", id="dangling link"),
    pytest.param(device, "it is a symbolic link", id="link to a device"),
    pytest.param(Path.mkdir, "it is a folder; name a file in it", id="folder"),
    pytest.param(os.mkfifo, "it is not a regular file", id="pipe"),
    pytest.param(read_only, "it is read-only", id="read-only"),
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    Path("hpcheck.yaml").write_text("data: digits\nmodel: mlp\n")
    Path("recommended.yaml").write_text(yaml12.write(BASE))
    csv(Path("curve.csv"), falling())
    monkeypatch.setattr(check, "regenerate", lambda config, quiet, baseline: pytest.fail("it ran"))


def state(path: Path) -> tuple[int, bytes]:
    """Kind and place of what is there, and what is in it."""
    found = path.lstat()
    return found.st_mode, path.read_bytes() if path.is_file() and not path.is_symlink() else str(found.st_ino).encode()


@pytest.mark.parametrize(("put", "said"), ODD)
@pytest.mark.parametrize("named", ["--markdown", "--baseline", "GITHUB_STEP_SUMMARY", "--plot"])
def test_is_refused_before_anything_runs(
    put: Put, said: str, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("odd.png")
    put(path)
    before = state(path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path) if named.startswith("GITHUB") else "")
    arguments = {
        "--markdown": ["check", "--markdown", "odd.png"],
        "--baseline": ["check", "--update", "--baseline", "odd.png"],
        "GITHUB_STEP_SUMMARY": ["check", "--github"],
        "--plot": ["read", "curve.csv", "--plot", "odd.png"],
    }[named]
    assert run(arguments) == 5
    assert capsys.readouterr().err.startswith(f"error: odd.png: cannot be written ({said}")
    assert state(path) == before
    assert not Path("nowhere").exists()
    assert not list(Path().glob(".*.tmp"))


@pytest.mark.parametrize("named", ["/dev/full", "/dev/null"])
def test_devices_stay_devices(named: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path(named).is_char_device():
        pytest.skip("there is no such device here")
    assert run(["check", "--markdown", named]) == 5
    assert f"error: {named}: cannot be written (it is not a regular file)" in capsys.readouterr().err
    assert Path(named).is_char_device()


@pytest.mark.parametrize("path", ["none/a.md", "hpcheck.yaml/a.md", "a" * 300])
def test_a_place_that_is_none_is_named(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--markdown", path]) == 5
    assert capsys.readouterr().err.startswith(f"error: {path}: cannot be written (")


def test_a_folder_that_nobody_may_write_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target.os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(StorageError, match=r"cannot be written \(.*: Permission denied\)"):
        target.refuse_target(tmp_path / "a.md")
    with pytest.raises(StorageError, match="Permission denied"):
        target.refuse_target(tmp_path / "to" / "be" / "made" / "a.md", makes_folder=True)
    monkeypatch.setattr(target.os, "access", lambda path, mode: Path(path).is_dir())
    with pytest.raises(StorageError, match="read-only"):
        target.refuse_target(tmp_path / "recommended.yaml")


def test_a_check_without_an_update_reads_a_baseline_that_is_a_link_or_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "regenerate", lambda config, quiet, baseline: yaml12.write(BASE))
    Path("recommended.yaml").chmod(0o444)
    Path("linked.yaml").symlink_to("recommended.yaml")
    assert run(["check", "-q", "--baseline", "linked.yaml"]) == 0
    assert run(["check", "-q"]) == 0


def test_a_baseline_edited_by_hand_is_replaced_by_what_is_found_or_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is well-formed drifts and is replaced; what no search can have written is refused, and stays."""
    path = Path("recommended.yaml")
    path.write_text(yaml12.write(edited("learning_rate", 1.2)))
    monkeypatch.setattr(check, "regenerate", lambda config, quiet, baseline: yaml12.write(BASE))
    assert run(["check", "-q", "--update"]) == 0
    assert "learning_rate: drifted" in capsys.readouterr().out
    assert path.read_text() == yaml12.write(BASE)
    path.write_text(edit := yaml12.write(edited("learning_rate", -1.0)))
    assert run(["check", "-q", "--update"]) == 2
    assert "learning_rate" in capsys.readouterr().err
    assert path.read_text() == edit


def test_a_picture_of_an_unknown_kind_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "-q", "curve.csv", "--plot", "a.xyz"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: a.xyz: ")
    assert "png" in err
