"""Workers, their server and the command are killed on a busy machine: what can go on goes on, and nothing outlives the command long."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import children, patiently, rows, running, said

CONFIG = """data: {name: digits, val_fraction: 0.25}
model: {name: mlp, hidden: [256, 256]}
budget: {epochs: 3000}
start: {max_lr: 0.05, total_batch_size: 32}
train: {repeats: 2}
run: {jobs: 2, threads: 1}
"""
pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("HPCHECK_TEST_KILLS", "40"))
LOAD = int(os.environ.get("HPCHECK_TEST_LOAD", "6"))  # processes that only want a core
GONE_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
MOST_PATIENCE_SECONDS = 900.0  # where they get so little of the cores that they cannot have imported torch yet
START_CPU_SECONDS = 20.0  # of the command and its processes; the start takes some five
VICTIMS = ("worker", "worker", "server")  # then the command: a run whose worker is killed four times would fail


@pytest.fixture
def busy() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOAD)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


def server_and_workers(command: int) -> tuple[list[int], list[int]]:
    servers = [pid for pid in children(command) if "forkserver" in said(Path(f"/proc/{pid}/cmdline")) and parent(pid) == command]
    return servers, [pid for server in servers for pid in children(server)]


def wait_for_workers(process: subprocess.Popen[str]) -> None:
    """Wait until there are some to kill. Where none appear, fail with what the command said and was doing."""
    began = time.monotonic()
    while not all(server_and_workers(process.pid)):
        if process.poll() is not None:
            pytest.fail(f"the command ended with exit code {process.returncode}: {process.communicate()[1]}")
        alive, waited = [process.pid, *children(process.pid)], time.monotonic() - began
        if waited > MOST_PATIENCE_SECONDS or (waited > PATIENCE_SECONDS and sum(map(cpu_seconds, alive)) > START_CPU_SECONDS):
            found = told(alive)
            process.send_signal(signal.SIGABRT)  # Python's faulthandler writes what each thread was doing
            pytest.fail(f"no server with workers within {waited:.0f} s; {found}; the command wrote: {process.communicate()[1]}")
        time.sleep(0.05)


def wait_for_end(pid: int) -> None:
    patiently(lambda: not running([pid]), 30)


def told(pids: list[int]) -> list[str]:
    """What each of them is."""
    return [one_told(pid) for pid in pids]


def one_told(pid: int) -> str:
    place = Path(f"/proc/{pid}")
    words, fields = said(place / "cmdline"), said(place / "stat").rpartition(")")[2].split()
    kind = next((kind for kind in ("resource_tracker", "forkserver", "hpcheck") if kind in words), "other")
    torch = "with torch" if "libtorch" in said(place / "maps") else "without torch"
    seconds = cpu_seconds(pid)
    threads = [said(thread / "wchan") for thread in place.glob("task/*")]
    return f"{pid}: {kind} {torch}, state {''.join(fields[:1])}, {seconds} CPU s, threads at {threads}, parent {parent(pid)}"


def cpu_seconds(pid: int) -> float:
    fields = said(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def parent(pid: int) -> int:
    fields = said(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_killed_at_random(tmp_path: Path, busy: None) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "hpcheck", "train", "c.yaml", "-q"]
    environment = os.environ | {"PYTHONFAULTHANDLER": "1"}
    chance, kills, left_after = random.Random(0), {"worker": 0, "server": 0, "command": 0}, []
    while sum(kills.values()) < KILLS:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            known: set[int] = set()
            for victim in VICTIMS:
                wait_for_workers(process)
                time.sleep(chance.uniform(0.0, 3.0))
                servers, workers = server_and_workers(process.pid)
                known |= {*servers, *workers}
                target = chance.choice(workers if victim == "worker" and workers else servers)
                os.kill(target, signal.SIGKILL)
                kills[victim] += 1
                wait_for_end(target)
            left = list({*known, *children(process.pid)})  # workers whose server was killed are nobody's children
            before = rows(tmp_path)
            process.kill()
            kills["command"] += 1
            killed = time.monotonic()
            while running(left):
                assert time.monotonic() - killed < GONE_SECONDS, f"{told(running(left))}, load {os.getloadavg()[0]:.1f}"
                time.sleep(0.02)
            left_after.append(time.monotonic() - killed)
            assert rows(tmp_path) >= before
        finally:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()
    print(f"{kills}; all gone after at most {max(left_after):.2f} s of {len(left_after)}, load {os.getloadavg()[0]:.1f}")
