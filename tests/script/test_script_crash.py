"""A driver, or what it launched, is killed at random: the same command comes to the same answer, and nothing runs on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcheck.recommendation import recommended
from tests.support.training_scripts import SHORT, SMALL

pytestmark = [
    pytest.mark.crash,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc"),
]
KILLS = int(os.environ.get("HPCHECK_TEST_KILLS", "20")) // 2  # of each of the two
OF_ONE = 2  # launches killed of one command: of a run that is killed four times the driver gives up
GONE_SECONDS = 10.0


def command(name):
    words = [word for key in (*SHORT, f"name={name}", "run.jobs=2", "run.threads=1") for word in ("-s", key)]
    return [sys.executable, "-m", "hpcheck", "lr-range", "-q", *words, "--", sys.executable, "train.py"]


def running():
    """The processes of drivers and launches of this test: those whose working directory is this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if (folder / "cwd").resolve() == Path.cwd() and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def nothing_runs_on():
    gone = time.monotonic() + GONE_SECONDS
    while running() and time.monotonic() < gone:
        time.sleep(0.1)
    return running() == []


def answer(name):
    """What the recommendation of a search says, apart from where and when it was made."""
    found = recommended.read(Path(f"runs/{name}/recommended.yaml"), ("settings", "evidence"))
    return found["settings"], found["evidence"]


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """The seconds of a search that nobody killed; it lies in `runs/whole`."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SMALL.replace("TRAIN_EXAMPLES", "train_examples=512"), encoding="utf-8")
    started = time.monotonic()
    assert subprocess.run(command("whole"), check=False).returncode in (0, 6)
    return time.monotonic() - started


def killed_by(chance, seconds, pick):
    """Kill what `pick` finds after a random part of a search; returns whether there was something to kill."""
    time.sleep(chance.uniform(0.0, seconds))
    found = pick()
    if not found:
        return False
    try:
        os.kill(chance.choice(found), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_driver_leaves_nothing_and_goes_on(whole):
    chance, kills, searches = random.Random(0), 0, 0
    while kills < KILLS:
        driver = subprocess.Popen(command(f"killed-{searches}"))
        if killed_by(chance, 0.8 * whole, lambda: [driver.pid] if driver.poll() is None else []):  # noqa: B023
            kills += 1
        ended = driver.wait(600)
        assert nothing_runs_on(), running()
        if ended >= 0 or kills == KILLS:
            assert subprocess.run(command(f"killed-{searches}"), check=False).returncode in (0, 6)
            assert answer(f"killed-{searches}") == answer("whole")
            searches += 1


def test_a_killed_launch_is_made_again(whole):
    chance, kills, searches = random.Random(1), 0, 0
    while kills < KILLS:
        driver, of_this = subprocess.Popen(command(f"killed-{searches}")), 0
        while of_this < OF_ONE and kills < KILLS and driver.poll() is None:
            if killed_by(chance, 0.6 * whole, lambda: [one for one in running() if one != driver.pid]):  # noqa: B023
                of_this, kills = of_this + 1, kills + 1
        assert driver.wait(600) in (0, 6)
        assert nothing_runs_on(), running()
        assert answer(f"killed-{searches}") == answer("whole")
        searches += 1
