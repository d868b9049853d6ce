"""A command with several devices: started by torchrun or starting it, and what is left of it when it dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcheck.config import yaml12
from hpcheck.engine.distributed import ddp
from hpcheck.runs import records
from tests.support.processes import children, patiently, rows, running

SMALL = """data: {name: digits, val_fraction: 0.25}
model: {name: mlp, hidden: [8]}
budget: {epochs: 1}
start: {max_lr: 0.05, total_batch_size: 32}
train: {repeats: 1}
run: {threads: 1, device: cpu}
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]


def train(folder: Path, before: list[str], *options: str) -> subprocess.Popen[str]:
    (folder / "c.yaml").write_text(SMALL)
    command = [*before, "hpcheck", "train", "c.yaml", "-q", *options]
    return subprocess.Popen(command, cwd=folder, text=True, stderr=subprocess.PIPE, start_new_session=True)


@pytest.mark.slow
def test_under_an_outer_torchrun_its_processes_are_the_devices(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    for folder, before, options in ((outer, TORCHRUN, []), (inner, [sys.executable, "-m"], ["-s", "run.devices=2"])):
        folder.mkdir()
        process = train(folder, before, *options)
        _, err = process.communicate(timeout=250)
        assert process.returncode == 0, err
    found = {folder: {path.name: records.read(path) for path in (folder / "runs/c/records").glob("*.jsonl")} for folder in (outer, inner)}
    assert found[outer].keys() == found[inner].keys() != set()
    for name, record in found[outer].items():
        assert record is not None
        assert record.environment["devices"] == 2
        assert record.column("val_loss").tolist() == found[inner][name].column("val_loss").tolist()  # type: ignore[union-attr]
    config = yaml12.read((outer / "runs/c/config.yaml").read_text()).value
    assert config["run"]["devices"] == 2


@pytest.mark.crash
def test_nothing_is_left_after_the_commands_sigkill(tmp_path: Path) -> None:
    process = train(tmp_path, [sys.executable, "-m"], "-s", "run.devices=2", "-s", "budget.epochs=80")
    try:
        patiently(lambda: rows(tmp_path) >= 2)
        left = children(process.pid)
        assert len(running(left)) >= 3  # torchrun and two processes
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    patiently(lambda: running(left) == [], 20)


@pytest.mark.crash
def test_sigterm_saves_what_runs_and_ends_in_time(tmp_path: Path) -> None:
    process = train(tmp_path, [sys.executable, "-m"], "-s", "run.devices=2", "-s", "budget.epochs=80")
    patiently(lambda: rows(tmp_path) >= 2)
    left, started = children(process.pid), time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "to go on where it stopped" in err
    print(f"gone after {time.monotonic() - started:.1f} s")
    patiently(lambda: running(left) == [], 5)
    assert list(tmp_path.glob("runs/c/records/*.checkpoint"))


def test_without_an_outer_torchrun_the_config_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert (ddp.outer_rank(), ddp.outer_settings()) == (None, [])
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert ddp.outer_settings() == []  # another launcher's
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert (ddp.outer_rank(), ddp.outer_settings(), ddp.processes_here(8)) == (0, ["run.devices=8"], 4)
