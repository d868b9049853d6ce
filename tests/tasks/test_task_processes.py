"""What a task does to the real worker processes: it hangs, ends them, floods stderr, leaves threads and processes running."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.processes import children, patiently, running, said

SOURCE = '''
import os, signal, subprocess, sys, threading, time
import numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
y = (x.sum(1) > 0).long()
kept = []

def at_step():
    """Not while hpcheck looks at the task: there is no record yet."""
    return os.path.isdir("runs/c/records")

class Rows(Dataset):
    def __len__(self):
        return 40
    def __getitem__(self, row):
        if torch.utils.data.get_worker_info() is not None and row == 7:
            {row}
        return x[row], (lambda: y[row])()
    def __getstate__(self):
        raise TypeError("cannot be pickled, and need not be where processes are forked")

class Task:
    metric = "accuracy"
    def build(self):
        {build}
        return nn.Linear(4, 2)
    def loaders(self, batch_size, seed):
        {loaders}
        return DataLoader(Rows(), batch_size, shuffle=True, num_workers={workers}), DataLoader(TensorDataset(x[40:], y[40:]), 20)
    def training_step(self, model, batch):
        if at_step():
            {step}
        return nn.functional.cross_entropy(model(batch[0]), batch[1])
    def validation_step(self, model, batch):
        if at_step():
            {val}
        outputs = model(batch[0])
        metric = (outputs.argmax(1) == batch[1]).float().mean()
        return {{"loss": nn.functional.cross_entropy(outputs, batch[1]), "metric": metric, "count": len(batch[1])}}
'''
PLACES = ("row", "build", "loaders", "step", "val")
CONFIG = """task: tasky:Task
name: c
start: {max_lr: 0.1, total_batch_size: 20}
budget: {epochs: 4}
train: {repeats: 2}
run: {jobs: 2, threads: 1}
"""
HANG = "open(f'hangs-{os.getpid()}', 'w').close(); time.sleep(600)"


@dataclass
class Command:
    """`hpcheck ...` as a process, and all that came of it that was seen."""

    process: subprocess.Popen[str]
    seen: set[int] = field(default_factory=set)

    def look(self) -> bool:
        self.seen |= set(children(self.process.pid))
        return True

    def ended(self, seconds: float = 250) -> tuple[int, str, str]:
        """Exit code, stdout and stderr; nothing that came of it is left soon after."""
        out, err = self.process.communicate(timeout=seconds)
        patiently(lambda: not running(sorted(self.seen)), 5)
        return self.process.returncode, out, err


Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Command] = []

    def start(*arguments: str, workers: int = 0, **code: str) -> Command:
        (tmp_path / "tasky.py").write_text(SOURCE.format(workers=workers, **{**dict.fromkeys(PLACES, "pass"), **code}), encoding="utf-8")
        (tmp_path / "hpcheck.yaml").write_text(CONFIG)
        command = [sys.executable, "-m", "hpcheck", *arguments]
        pipe = subprocess.PIPE
        begun.append(Command(subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, start_new_session=True)))
        return begun[-1]

    yield start
    for command in begun:
        command.process.kill()
        command.process.wait()
        for stream in (command.process.stdout, command.process.stderr):
            if stream is not None:
                stream.close()
        for pid in running(sorted(command.seen)):  # a test has failed
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.crash
@pytest.mark.parametrize("place", ["step", "val"])
def test_a_run_that_hangs_ends_with_ctrl_c_and_says_where(start: Start, tmp_path: Path, place: str) -> None:
    command = start("train", "-q", **{place: HANG})
    patiently(lambda: command.look() and len(list(tmp_path.glob("hangs-*"))) == 2)
    os.kill(command.process.pid, signal.SIGINT)
    code, out, err = command.ended(30)
    line = next(at for at, text in enumerate((tmp_path / "tasky.py").read_text().splitlines(), 1) if "hangs-" in text)
    name = "training_step" if place == "step" else "validation_step"
    where = "warning: a worker did not end its step when it was asked to, and is killed; it was at "
    assert (code, out) == (130, "")
    assert err.count(f"{where}{tmp_path / 'tasky.py'}:{line}: {name}\n") == 2
    assert err.endswith("interrupted; to go on where it stopped: hpcheck train -q\n")


@pytest.mark.crash
def test_a_look_that_hangs_ends_with_ctrl_c_and_says_where(start: Start, tmp_path: Path) -> None:
    command = start("plan", loaders=HANG)
    patiently(lambda: command.look() and any(tmp_path.glob("hangs-*")))
    os.kill(command.process.pid, signal.SIGINT)
    code, out, err = command.ended(30)
    assert (code, out) == (130, "")
    assert "it was at " in err
    assert ": loaders\n" in err
    assert err.endswith("interrupted; to go on where it stopped: hpcheck plan\n")


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_loader_s_process_that_hangs_ends_with_the_command(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    command = start("train", "-q", row=HANG, workers=2)
    patiently(lambda: command.look() and len(list(tmp_path.glob("hangs-*"))) == 2)
    command.look()
    hanging = [int(path.name.removeprefix("hangs-")) for path in tmp_path.glob("hangs-*")]
    assert set(hanging) <= command.seen
    os.kill(command.process.pid, number)
    code, _, err = command.ended(30)
    assert code == (130 if number == signal.SIGINT else -9)
    assert number == signal.SIGKILL or "it was at a DataLoader, which waits for its processes\n" in err


@pytest.mark.crash
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel does it")
def test_a_loader_s_process_that_hangs_ends_with_a_worker_that_was_killed(start: Start, tmp_path: Path) -> None:
    """Which costs a retry, and that finds the record free."""
    command = start("train", "-q", row=f"if not os.path.exists('once'): {HANG}", workers=2)
    patiently(lambda: command.look() and len(list(tmp_path.glob("hangs-*"))) == 2)
    hanging = [int(path.name.removeprefix("hangs-")) for path in tmp_path.glob("hangs-*")]
    parents = {int(said(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[1]) for pid in hanging}
    (tmp_path / "once").touch()
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    patiently(lambda: not running(hanging), 5)
    code, _, err = command.ended()
    assert code == 0, err


ENDINGS = {
    "exit": (
        "os._exit(3)",
        "a worker process ended with exit code 3 again and again: your code, or a library that it uses, ends the process",
    ),
    "killed": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        "a worker process was killed again and again, most likely for want of memory: lower",
    ),
    "crashed": (
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "a worker process crashed again and again (SIGSEGV), most likely in a compiled lib",
    ),
}


@pytest.mark.crash
@pytest.mark.parametrize("how", ENDINGS)
def test_a_step_that_ends_its_process_is_exit_3_and_told_by_how_it_does(start: Start, how: str) -> None:
    code, out, err = start("train", "-q", step=ENDINGS[how][0]).ended()
    assert (code, out) == (3, "")
    assert err.splitlines()[-1].startswith(f"error: {ENDINGS[how][1]}")


@pytest.mark.crash
@pytest.mark.parametrize("how", ENDINGS)
def test_a_builder_that_ends_its_process_while_hpcheck_looks(start: Start, how: str) -> None:
    code, out, err = start("plan", build=ENDINGS[how][0]).ended()
    assert (code, out) == (3, "")
    expected = ENDINGS[how][1].replace("a worker process", "the process that looked at the task").removesuffix(": lower")
    assert err.startswith(f"error: {expected}")
    assert err.count("\n") == 1


@pytest.mark.crash
@pytest.mark.parametrize("ends", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_loader_s_process_that_ends_is_told_with_what_to_do(start: Start, ends: str) -> None:
    command = start("train", "-q", row=ends, workers=2)
    code, out, err = command.ended()
    assert (code, out) == (3, "")
    assert "DataLoader worker (pid" in err.splitlines()[-1]
    assert "or your Dataset's code ends it; with num_workers=0 you see where" in err.splitlines()[-1]


@pytest.mark.crash
def test_fifty_megabytes_of_output_do_no_harm(start: Start, tmp_path: Path) -> None:
    """They go to stderr, whichever way they are written; stdout is for the command's data."""
    flood = "print('x' * 10**6); os.write(1, b'y' * 10**6); os.write(2, b'z' * 10**6); subprocess.run(['printf', 'w%.0s', *['.'] * 10**4])"
    command = start("train", "--json", build="print('v' * 26 * 10**6)", step=flood)
    code, out, err = command.ended()
    assert code == 0
    assert out.startswith("{")
    assert out.count("\n") == 1
    assert len(err) > 50 * 10**6
    assert {letter: err.count(letter * 100) > 0 for letter in "vxyzw"} == dict.fromkeys("vxyzw", True)


@pytest.mark.crash
def test_threads_and_processes_that_it_leaves_running_end_with_the_command(start: Start, tmp_path: Path) -> None:
    leave = "threading.Thread(target=time.sleep, args=(600,)).start(); kept.append(subprocess.Popen(['sleep', '600']))"
    left = f"{leave}; open(f'left-{{kept[-1].pid}}', 'w').close()"
    code, _, err = start("train", "-q", build=leave, step=left).ended()
    assert code == 0, err
    pids = [int(path.name.removeprefix("left-")) for path in tmp_path.glob("left-*")]
    assert len(pids) > 2
    patiently(lambda: not running(pids), 5)


@pytest.mark.crash
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are the system's")
def test_memory_that_grows_ends_in_a_line_and_not_in_a_hang(start: Start) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)); kept.append(np.ones(1 << 27))"
    code, out, err = start("train", "-q", step=limit).ended()
    assert (code, out) == (3, "")
    assert "out of memory" in err.splitlines()[-1]
