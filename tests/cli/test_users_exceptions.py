"""Whatever the user's own code raises or changes: exit 2 with the file, the line and what it said; what it changed is put back."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpcheck.__main__ import run
from hpcheck.engine import randomness
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.errors import ChangedError
from hpcheck.plugins.user_errors import UsersCodeError, is_theirs
from hpcheck.runs.identity import identify
from hpcheck.runs.spec import PartSpec
from tests.support.engine_runs import RUN, computed

RAISED = [
    "EOFError('the end')",
    "BrokenPipeError(32, 'the end')",
    "KeyboardInterrupt('the end')",
    "typer.Exit(0)",
    "typer.Abort()",
    "typer.BadParameter('the end')",
    "SystemExit(0)",
    "SystemExit('the end')",
    "GeneratorExit('the end')",
    "Own('the end')",
    "FileNotFoundError(2, 'the end')",
]
LOADER = """import os, signal, threading, time
import numpy as np, typer

class Own(BaseException):
    pass

def load():
    {body}
    x = np.arange(1200.0).reshape(400, 3) % 7
    return (x, (x.sum(1) % 2).astype(int)), (x, (x.sum(1) % 2).astype(int))
"""
NETWORK = """import os
import torch
from torch import nn

class Own(BaseException):
    pass

class Network(nn.Linear):
    def forward(self, x):
        {body}
        return super().forward(x.flatten(1))

def network(shape, outputs):
    {build}
    return Network(64, outputs)
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own_loader", "own_network"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    worker.of_this_process.cache_clear()
    worker.on_device.cache_clear()


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def write(body: str) -> None:
    Path("own_loader.py").write_text(LOADER.format(body=body))
    Path("c.yaml").write_text("data: own_loader:load\nmodel: mlp\n")


def write_network(body: str = "pass", build: str = "pass") -> None:
    Path("own_network.py").write_text(NETWORK.format(body=body, build=build))


@pytest.mark.parametrize("error", RAISED)
def test_of_a_loader_is_exit_2_with_the_place(error: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(f"raise {error}")
    assert run(["plan", "c.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, *_, last = err.splitlines()
    assert f"own_loader.py:8: load raised {error.partition('(')[0].rpartition('.')[2]}" in first
    assert error.partition("(")[0].rpartition(".")[2] in last
    assert "the end" in last or "the end" not in error


@pytest.mark.parametrize("error", ["EOFError('the end')", "KeyboardInterrupt('the end')", "Own('the end')", "GeneratorExit('the end')"])
def test_of_a_network_in_a_worker_shows_the_traceback(error: str, tmp_path: Path) -> None:
    write_network(f"raise {error}")
    spec = replace(RUN, model=PartSpec("own_network:network"))
    pool = Pool("cpu", 1, 1)
    with pytest.raises(UsersCodeError, match="the end"):
        pool.execute([(identify(spec), spec)], tmp_path / "records")
    pool.close()


def test_a_real_interrupt_while_users_code_runs_stays_130(capsys: pytest.CaptureFixture[str]) -> None:
    write("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)")
    assert run(["plan", "c.yaml"]) == 130
    assert "interrupted; to go on" in capsys.readouterr().err


def test_outputs_that_were_detached_are_named(tmp_path: Path) -> None:
    write_network("return super().forward(x.flatten(1)).detach()")
    with pytest.raises(UsersCodeError, match="model own_network:network gives outputs without a gradient; take out what detaches it"):
        computed(replace(RUN, model=PartSpec("own_network:network")), tmp_path)


def test_a_network_that_has_a_gradient_in_training_alone_is_trained(tmp_path: Path) -> None:
    write_network("if not self.training: return super().forward(x.flatten(1)).detach()")
    assert computed(replace(RUN, model=PartSpec("own_network:network"), steps=2, evaluate_after=(0, 2)), tmp_path).status == "finished"


def test_a_loss_without_a_gradient_is_named(tmp_path: Path) -> None:
    Path("own_network.py").write_text("def loss(outputs, y):\n    return outputs.detach().sum()\n")
    with pytest.raises(UsersCodeError, match="loss own_network:loss is without a gradient"):
        computed(replace(RUN, data=replace(RUN.data, loss="own_network:loss")), tmp_path)


CHANGES = "os.chdir('/'); signal.signal(signal.SIGINT, signal.SIG_IGN)"


def test_the_working_directory_and_signals_are_put_back_after_a_loader(tmp_path: Path) -> None:
    write(CHANGES)
    before = signal.getsignal(signal.SIGINT)
    assert run(["plan", "c.yaml"]) == 0
    assert Path.cwd() == tmp_path
    assert signal.getsignal(signal.SIGINT) == before


def test_the_default_dtype_and_directory_are_put_back_after_a_builder(tmp_path: Path) -> None:
    write_network(build="os.chdir('/'); torch.set_default_dtype(torch.float64)")
    with pytest.raises(UsersCodeError, match="must have the same dtype"):
        computed(replace(RUN, model=PartSpec("own_network:network")), tmp_path)
    assert torch.get_default_dtype() == torch.float32
    assert Path.cwd() == tmp_path


def test_weights_that_a_builder_draws_from_numpy_are_those_of_the_runs_seed(tmp_path: Path) -> None:
    write_network(
        build="import numpy as np; made = Network(64, outputs); "
        "made.weight.data.copy_(torch.from_numpy(np.random.randn(outputs, 64))); return made"
    )
    spec = replace(RUN, model=PartSpec("own_network:network"), steps=2, evaluate_after=(0, 2))
    first, second, other = (
        computed(one, folder(tmp_path / name)) for name, one in (("a", spec), ("b", spec), ("c", replace(spec, seed=5)))
    )
    assert first.column("val_loss").tolist() == second.column("val_loss").tolist() != other.column("val_loss").tolist()


def test_a_builder_that_seeds_torch_itself_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(randomness, "_told", set())
    write_network(build="torch.manual_seed(7)")
    for name in ("a", "b"):
        computed(replace(RUN, model=PartSpec("own_network:network"), steps=2, evaluate_after=(0, 2)), folder(tmp_path / name))
    assert capsys.readouterr().err.count("model own_network:network seeds torch itself, so all runs begin with the same weights") == 1


def test_threads_that_are_left_running_do_not_keep_the_command() -> None:
    write("threading.Thread(target=time.sleep, args=(600,), name='of mine').start()")
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "hpcheck", "plan", "c.yaml"], capture_output=True, text=True, timeout=120, check=False)
    assert time.monotonic() - started < 100
    assert done.returncode == 0
    assert "threads that your code left running end with the command: of mine" in done.stderr
    assert "lr sweep" in done.stdout


def test_a_loader_that_draws_at_random_is_named_with_what_to_do(tmp_path: Path) -> None:
    write("return tuple((np.random.default_rng().normal(size=(40, 3)), np.arange(40) % 2) for _ in range(2))")
    spec = replace(RUN, data=replace(RUN.data, name="own_loader:load"), total_batch_size=8)
    with pytest.raises(UsersCodeError, match=r"own_loader:load returns other data each time it is called.*seed it, as in rng = "):
        worker.work(spec, identify(spec), tmp_path, "cpu", 1)
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_loader_whose_order_is_another_in_each_process_is_told_what_may_be_the_cause(tmp_path: Path) -> None:
    write("return tuple((np.full((40, 3), 1.0 + os.getpid()), np.arange(40) % 2) for _ in range(2))")
    spec = replace(RUN, data=replace(RUN.data, name="own_loader:load"), total_batch_size=8)
    elsewhere = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tests.support.engine_runs import *\nfrom hpcheck.runs.identity import identify\n"
            "print(identify(replace(RUN, data=replace(RUN.data, name='own_loader:load'), total_batch_size=8)))",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    with pytest.raises(ChangedError, match=r"own_loader:load changed while the command ran; give it again.*a set, hash"):
        worker.work(spec, elsewhere.stdout.strip(), tmp_path, "cpu", 1)


def test_a_package_of_another_environment_is_nobodys_own_code(tmp_path):
    """An environment may be put on top of another one, whose packages lie elsewhere."""
    file = tmp_path / "lib" / "site-packages" / "package.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    own = tmp_path / "own.py"
    own.write_text("")
    assert (is_theirs(str(file)), is_theirs(str(own))) == (False, True)
