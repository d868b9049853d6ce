"""A driver, or the script that it launched, is killed at random: the same command comes to the same answer, and nothing runs on."""

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

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("HPCHECK_TEST_KILLS", "4"))
GONE_SECONDS = 10.0


def command(name):
    words = [word for key in (*SHORT, f"name={name}", "run.jobs=1", "run.threads=1") for word in ("-s", key)]
    return [sys.executable, "-m", "hpcheck", "lr-range", "-q", *words, "--", sys.executable, "train.py", f"mark-{os.getpid()}"]


def marked():
    """The processes of launches of this test, and their servers: those whose working directory is this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if (folder / "cwd").resolve() == Path.cwd() and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def launched(driver):
    """A process that came of this driver, if there is one: its server or a launch."""
    return [pid for pid in marked() if pid != driver]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
@pytest.mark.parametrize("victim", ["driver", "launch"])
def test_the_same_command_comes_to_the_same_answer(victim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SMALL.replace("TRAIN_EXAMPLES", "train_examples=512"), encoding="utf-8")
    assert subprocess.run(command("whole"), check=False).returncode in (0, 6)
    chance, kills = random.Random(0), 0
    while True:
        driver = subprocess.Popen(command("killed"))
        until = time.monotonic() + chance.uniform(0.5, 25.0)
        while time.monotonic() < until and driver.poll() is None:
            time.sleep(0.05)
        if driver.poll() is not None and kills:
            break
        found = launched(driver.pid) if victim == "launch" else [driver.pid]
        if found and kills < KILLS:
            try:
                os.kill(chance.choice(found), signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        if victim == "driver":
            driver.wait()
            gone = time.monotonic() + GONE_SECONDS
            while marked() and time.monotonic() < gone:
                time.sleep(0.1)
            assert marked() == []
        else:
            driver.wait(600)
        if kills >= KILLS:
            assert subprocess.run(command("killed"), check=False).returncode in (0, 6)
            break
    both = [recommended.read(Path(f"runs/{name}/recommended.yaml"), ("settings", "evidence")) for name in ("whole", "killed")]
    assert both[0]["settings"] == both[1]["settings"]
    assert both[0]["evidence"] == both[1]["evidence"]
    assert marked() == []
