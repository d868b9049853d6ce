"""Scripts that are launched: each thing that can go wrong in one is told in one clear line, and nothing is left running."""

import os
import socket
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs import records
from hpcheck.runs.spec import DataSpec, PartSpec, TimingSpec
from hpcheck.script.description import described
from hpcheck.script.engine import Launches
from hpcheck.script.launch import LOST, Launcher, Nursery, _code_from

HEAD = """
import sys, os, time
import torch
import hpcheck
torch.manual_seed(hpcheck.seed(0))
size = hpcheck.total_batch_size(8)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
"""
LOOP = """
hp = hpcheck.follow(optimizer, lambda: (1.0, 0.5), train_examples=80, val_examples=10)
for epoch in hp.epochs(5):
    for batch in range(10):
        loss = model(torch.randn(size, 3)).square().mean()
        loss.backward()
        hp.loss(loss)
        optimizer.step()
        optimizer.zero_grad()
"""


class Shared(Launcher):
    """Launches any script from one server, so that torch is imported once for all these tests."""

    server: Nursery | None = None

    def launch(self, job, threads, limit):
        if self._given is not None:
            Shared.server = Shared.server or Nursery(["x.py"])
            Shared.server.given = self._given
            self._nursery = Shared.server
        return super().launch(job, threads, limit)

    def close(self):
        self._nursery = None


@pytest.fixture(scope="module", autouse=True)
def server():
    yield
    if Shared.server is not None:
        Shared.server.end()
        Shared.server = None


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Launch a script of this text to look at it."""
    monkeypatch.chdir(tmp_path)

    def launched(text, name="train.py", arguments=(), limit=60.0, command=None):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(textwrap.dedent(text), encoding="utf-8")
        command = command or [sys.executable, name, *arguments]
        said = []
        return described(command, 0, None, [], "", limit, Shared(command), said.append), said

    return launched


def failing(look, text, **more):
    with pytest.raises(UsersCodeError) as error:
        look(text, **more)
    words = str(error.value)
    assert "\n" not in words
    return words


def test_a_script_is_looked_at(look):
    found, said = look(HEAD + LOOP)
    assert (found.told["lr"], found.told["momentum"], found.told["loops"], found.told["total_batch_size"]) == (0.1, 0.9, {"epochs": 5}, 8)
    assert [Path(path).name for path in found.files] == ["train.py"]
    assert "SGD, 80 training examples, 10 validation examples, batch size 8, lr 0.1" in said[0]


def test_arguments_and_a_path_with_spaces_are_passed_on(look):
    text = (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--width', type=int)\nwidth = parser.parse_args().width\n"
    )
    found, _ = look(HEAD + text + "assert width == 3\n" + LOOP, name="my scripts/train it.py", arguments=["--width", "3"])
    assert found.told["lr"] == 0.1


def test_a_module_is_run_with_m(look):
    Path("pkg").mkdir()
    Path("pkg/__init__.py").touch()
    Path("pkg/parts.py").write_text("import torch\nRATE = 0.25\n", encoding="utf-8")
    text = (HEAD + LOOP).replace("import hpcheck\n", "import hpcheck\nfrom pkg.parts import RATE\n", 1).replace("lr=0.1", "lr=RATE")
    found, _ = look(text, name="pkg/train.py", command=[sys.executable, "-m", "pkg.train"])
    assert found.told["lr"] == 0.25
    assert {Path(path).name for path in found.files} == {"__init__.py", "parts.py", "train.py"}


def test_a_script_that_changes_directory_is_followed(look):
    found, _ = look("import os\nos.chdir('/')\n" + HEAD + LOOP)
    assert [Path(path).name for path in found.files] == ["train.py"]


def test_an_error_is_told_with_file_line_update_and_exit_code(look):
    words = failing(look, HEAD + LOOP.replace("hp.loss(loss)", "hp.loss(loss); assert batch < 1, 'out of data'"))
    assert words == "train.py:15: AssertionError: out of data (looking at the script, at update 1); exit code 1"


def test_an_error_before_anything_was_asked_is_told_too(look):
    assert failing(look, "import torch\nraise KeyError('MNIST')\n").startswith("train.py:2: KeyError: 'MNIST'")


def test_a_script_that_never_calls_follow(look):
    words = failing(look, HEAD)
    assert "ended without a call of hpcheck.follow" in words
    assert "init --hf for a Trainer" in words


def test_a_script_that_ends_early(look):
    words = failing(look, HEAD + LOOP.replace("optimizer.step()", "optimizer.step(); sys.exit(0)"))
    assert "train.py ended by itself after update 1: its loop must go on until it is ended" in words


def test_a_script_that_calls_follow_twice(look):
    words = failing(look, HEAD + LOOP.replace("for epoch in", LOOP.splitlines()[1] + "\nfor epoch in"))
    assert words.startswith("train.py:11: hpcheck.follow was called a second time")


def test_a_script_that_does_not_ask_for_the_batch_size(look):
    words = failing(look, HEAD.replace("hpcheck.total_batch_size(8)", "8") + LOOP)
    assert "the batch size was not asked for: write hpcheck.total_batch_size(YOUR_OWN)" in words


def test_a_script_that_makes_its_optimizer_anew(look):
    words = failing(look, HEAD + LOOP.replace("for batch", "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n    for batch"))
    assert "another optimizer than the one given to hpcheck.follow changed the weights: it was made anew" in words


def test_a_script_that_reads_stdin(look):
    assert failing(look, HEAD + "input()\n" + LOOP).startswith(
        "train.py:9: EOFError: EOF when reading a line; a launched script has no stdin"
    )


def test_a_script_that_ends_with_os_exit(look):
    words = failing(look, HEAD + LOOP.replace("hp.loss(loss)", "hp.loss(loss); print('bye', flush=True); os._exit(7)"))
    assert words.startswith("train.py ended with exit code 7 and no traceback (looking at the script, at update 0); its last words: bye")


def test_a_script_that_hangs(look):
    started = time.monotonic()
    words = failing(look, HEAD + LOOP.replace("hp.loss(loss)", "hp.loss(loss); time.sleep(1000)"), limit=3.0)
    assert words == "train.py did nothing for 3 s and was ended (at update 0); run.timeout sets the limit"
    assert time.monotonic() - started < 60


def test_a_script_that_catches_everything_ends_all_the_same(look):
    caught = LOOP.replace(
        "        optimizer.step()\n", "        try:\n            optimizer.step()\n        except BaseException:\n            pass\n"
    )
    found, _ = look(HEAD + caught)
    assert found.told["lr"] == 0.1


def test_a_refusal_that_the_script_catches_is_told(look):
    text = HEAD + "try:\n    hpcheck.follow(3, None)\nexcept Exception:\n    pass\n"
    assert "hpcheck.follow was given a int, not a torch optimizer" in failing(look, text)


def test_a_script_that_prints_a_great_deal(look):
    found, _ = look(HEAD + "for _ in range(2000):\n    print('x' * 10000)\n" + LOOP)
    assert found.told["lr"] == 0.1


def test_a_script_that_never_calls_seed_is_spoken_of(look):
    _, said = look(HEAD.replace("hpcheck.seed(0)", "0") + LOOP)
    assert "never calls hpcheck.seed" in said[1]


def test_a_command_that_is_not_there(look):
    words = failing(look, "", command=["./no-such-thing"])
    assert "./no-such-thing: No such file or directory" in words


def test_another_program_that_starts_the_script_leaves_nothing_running(look):
    """A shell script that starts the training, and something else in a session of its own."""
    Path("go.sh").write_text(f"setsid sleep 3600 &\necho $! > pid\nexec {sys.executable} train.py\n", encoding="utf-8")
    found, _ = look(HEAD + LOOP, command=["sh", "go.sh"])
    assert {Path(path).name for path in found.files} == {"train.py", "go.sh"}
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text(encoding="utf-8")), 0)


KILLED_ONCE = """
import signal
if not os.path.exists("once") and os.environ.get("HPCHECK_JOB"):
    open("once", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_look_that_is_killed_from_outside_is_made_again(look):
    found, _ = look(HEAD + KILLED_ONCE + LOOP)
    assert found.told["lr"] == 0.1


def test_a_look_that_is_killed_again_and_again_is_told(look):
    words = failing(look, HEAD + KILLED_ONCE.replace('not os.path.exists("once") and ', "") + LOOP)
    assert words.startswith("train.py ended with exit code 137 and no traceback (looking at the script, before hpcheck.follow)")


def test_a_batch_size_whose_timing_was_killed_once_is_not_too_large(look, tmp_path):
    found, _ = look(HEAD + LOOP)
    Path("train.py").write_text(HEAD + KILLED_ONCE + LOOP, encoding="utf-8")
    command = [sys.executable, "train.py"]
    found = replace(found, files={})  # the file is another now, which is not what is asked here
    engine = Launches(command, found, 1, 1, 60.0, lambda _: None, Shared(command))
    spec = TimingSpec(DataSpec("script"), PartSpec("script"), PartSpec("sgd"), batch_sizes=(8,))
    engine.execute([("b" * 16, spec)], tmp_path)
    result = records.read(tmp_path / f"{'b' * 16}.jsonl").result
    assert [one["size"] for one in result["sizes"]] == [8]
    assert result["too_large"] == []


def test_a_server_that_is_killed_with_a_request_unread_has_lost_its_launch():
    """The connection is then reset, not closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ours.sendall(b"a request that nobody reads")
    theirs.close()
    with ours:
        assert _code_from(ours) == LOST
