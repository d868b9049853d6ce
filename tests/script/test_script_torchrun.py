"""A torchrun that starts several processes of one script on this machine, and no more, is known; one process's end is that of all."""

import itertools
import socket
import sys
from pathlib import Path

import pytest

from hpcheck.script.launch import LOST, Launch
from hpcheck.script.torchrun import ranks_of

TORCHRUN = str(Path(sys.executable).with_name("torchrun"))
pytestmark = pytest.mark.skipif(not Path(TORCHRUN).exists(), reason="needs torchrun")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("train.py").touch()


@pytest.mark.parametrize(
    ("words", "given", "count"),
    [
        (["--nproc_per_node=2", "--master_port=29517", "train.py", "--lr", "1"], ["train.py", "--lr", "1"], 2),
        (["--standalone", "--nproc-per-node", "3", "-m", "pkg.train", "--x"], ["-m", "pkg.train", "--x"], 3),
        (["--nnodes=1", "train.py"], ["train.py"], 1),
    ],
)
def test_the_script_and_the_number_of_processes_are_read(words, given, count):
    found = ranks_of([TORCHRUN, *words])
    assert found is not None
    assert (found.given, found.count) == (given, count)


@pytest.mark.parametrize(
    "words",
    [
        ["--nnodes=2", "--nproc_per_node=2", "train.py"],
        ["--nproc_per_node=gpu", "train.py"],
        ["--nproc_per_node=65", "train.py"],
        ["--rdzv_backend=c10d", "train.py"],
        ["--master_addr=10.0.0.1", "train.py"],
        ["--no-python", "--nproc_per_node=2", "train.py"],
        ["--nproc_per_node=2", "missing.py"],
        ["--nproc_per_node"],
        ["-m"],
        [],
    ],
)
def test_whatever_else_is_asked_of_it_is_left_to_torchrun(words):
    assert ranks_of([TORCHRUN, *words]) is None


def test_another_torchrun_than_this_pythons_is_left_alone(tmp_path, monkeypatch):
    other = tmp_path / "torchrun"
    other.write_text("#!/bin/sh\n", encoding="utf-8")
    other.chmod(0o700)
    assert ranks_of([str(other), "train.py"]) is None


def test_each_process_has_its_number_and_all_meet_at_one_port():
    found = ranks_of([TORCHRUN, "--nproc_per_node=3", "train.py"])
    assert found is not None
    environments = found.environments()
    assert [(one["RANK"], one["LOCAL_RANK"], one["WORLD_SIZE"]) for one in environments] == [
        ("0", "0", "3"),
        ("1", "1", "3"),
        ("2", "2", "3"),
    ]
    assert len({(one["MASTER_ADDR"], one["MASTER_PORT"]) for one in environments}) == 1


@pytest.fixture
def two():
    """A launch of two processes, and the server's ends of their connections."""
    pairs = [socket.socketpair() for _ in range(2)]
    launch = Launch.__new__(Launch)
    launch._guarded, launch._codes, launch._code = None, [], None
    launch._connections = [ours for ours, _ in pairs]
    for ours in launch._connections:
        ours.setblocking(False)
    yield launch, [theirs for _, theirs in pairs]
    for one in itertools.chain.from_iterable(pairs):
        one.close()


def test_it_has_ended_when_all_processes_have(two):
    launch, servers = two
    servers[0].sendall(b"0")
    assert launch.poll() is None
    servers[1].sendall(b"0")
    assert launch.poll() == 0


def test_the_first_failure_ends_the_other_processes(two):
    launch, servers = two
    servers[1].sendall(b"3")
    assert launch.poll() is None
    assert launch.poll() == 3
    assert servers[0].recv(1) == b""  # the server is told to end it


def test_a_process_that_was_killed_counts_before_those_that_failed_of_it(two):
    launch, servers = two
    servers[0].sendall(b"1")
    assert launch.poll() is None
    servers[1].sendall(str(LOST).encode())
    assert launch.poll() == LOST
