"""Several processes of one training: the same as one process with the same total batch, and an end that all of them come to."""

import shutil
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs import records
from hpcheck.runs.outcomes import unpacked
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly
from hpcheck.script.description import described
from hpcheck.script.engine import Launches
from hpcheck.script.launch import Launcher

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TORCHRUN = [str(Path(sys.executable).with_name("torchrun")), "--nproc_per_node=2", "--master_port=29517"]
TOGETHER = 10.0  # seconds in which processes that disagree about divergence have all ended
SPEC = RunSpec(
    DataSpec("script"),
    PartSpec("script"),
    PartSpec("sgd"),
    total_batch_size=32,
    steps=20,
    lr=ramp(0.01, 0.3, 20),
    momentum=constant(0.9),
    weight_decay=1e-3,
    evaluate_after=(0, *evenly(20, 4)),
)
SCRIPT = """
import atexit, os, signal, sys, time
import torch
import torch.distributed as dist
from torch import nn
import hpcheck

world = int(os.environ.get("WORLD_SIZE", "1"))
if world > 1:
    dist.init_process_group("gloo")
rank = int(os.environ.get("RANK", "0"))
torch.manual_seed(hpcheck.seed(0))
x = torch.randn(640, 6)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
model = nn.parallel.DistributedDataParallel(model) if world > 1 else model
size = hpcheck.total_batch_size(32)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

def note(what):
    open(f"{what}-{rank}", "w").write(str(time.time()))

def validate():
    outputs = model(x)
    return nn.functional.cross_entropy(outputs, y), (outputs.argmax(1) == y).float().mean()

def validate_share():
    mine = slice(0, 400) if rank == 0 else slice(400, 640)
    losses = nn.functional.cross_entropy(model(x[mine]), y[mine], reduction="none")
    right = (model(x[mine]).argmax(1) == y[mine]).float()
    return {"loss": losses.mean(), "metric": right.mean(), "count": len(right), "scores": right, "losses": losses}

hp = hpcheck.follow(optimizer, validate, model=model, train_examples=640, val_examples=640)
order = torch.Generator().manual_seed(hpcheck.seed(0))
for step in hp.steps(100):
    rows = torch.randperm(640, generator=order)[:size].chunk(world)[rank]
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    EXTRA
    hp.loss(loss)
    optimizer.step()
    optimizer.zero_grad()
"""
LINE_OF_EXTRA = SCRIPT.split("\n").index("    EXTRA") + 1


def made(folder, monkeypatch, command, spec=SPEC, extra="pass", run_id="a" * 16):
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("train.py").write_text(SCRIPT.replace("EXTRA", extra), encoding="utf-8")
    command = [*command, "train.py"]
    with closing(Launcher(command)) as launcher:
        found = described(command, 0, None, [], "", 120.0, launcher)
        engine = Launches(command, found, 1, 1, 120.0, lambda _: None, launcher)
        try:
            engine.execute([(run_id, spec)], folder)
        finally:
            engine.close()
    return records.read(folder / f"{run_id}.jsonl"), found


def test_two_processes_make_the_run_that_one_makes_with_the_same_total_batch(tmp_path, monkeypatch):
    alone, _ = made(tmp_path / "one", monkeypatch, [sys.executable])
    both, found = made(tmp_path / "two", monkeypatch, TORCHRUN)
    assert (found.processes, both.environment["devices"]) == (2, 2)
    for column in ("step", "lr", "val_loss", "metric"):
        assert both.column(column) == pytest.approx(alone.column(column), rel=1e-4), column
    assert both.column("train_loss")[1:] == pytest.approx(alone.column("train_loss")[1:], rel=1e-3)


DISAGREES = """if rank and step > 14:
        loss = loss * 1e9
    if step == 15:
        note("apart")
        atexit.register(note, "ended")"""


def test_processes_that_disagree_about_divergence_end_together(tmp_path, monkeypatch):
    record, _ = made(
        tmp_path / "two",
        monkeypatch,
        TORCHRUN,
        replace(SPEC, steps=2000, evaluate_after=(2000,), lr=constant(0.01)),
        DISAGREES,
    )
    over = time.time()
    assert record.status == "diverged"
    assert record.rows[-1]["step"] == 20
    apart = min(float(Path(f"apart-{rank}").read_text(encoding="utf-8")) for rank in (0, 1))
    ended = [float(Path(f"ended-{rank}").read_text(encoding="utf-8")) for rank in (0, 1)]
    print(f"processes that disagree ended {max(ended) - apart:.2f} s later, their launch {over - apart:.2f} s")
    assert max(ended) - apart < TOGETHER


def test_scores_of_each_processes_share_are_put_together(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SCRIPT", SCRIPT.replace("follow(optimizer, validate,", "follow(optimizer, validate_share,"))
    record, _ = made(tmp_path / "two", monkeypatch, TORCHRUN, replace(SPEC, finally_on=("val",), outcomes=True))
    kept = {of: unpacked(values) for of, values in record.result["outcomes"].items()}
    assert {of: len(values) for of, values in kept.items()} == {"metric": 640, "loss": 640}
    assert kept["metric"].mean() == pytest.approx(record.result["val"]["metric"])
    assert kept["loss"].mean() == pytest.approx(record.result["val"]["loss"], rel=1e-3)


def test_a_process_that_is_killed_is_told_and_nothing_runs_on(tmp_path, monkeypatch):
    if shutil.which("pgrep") is None:
        pytest.skip("needs pgrep")
    extra = "rank and step == 5 and hp.course.job.mode == 'run' and os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(Exception, match="killed again and again"):
        made(tmp_path / "two", monkeypatch, TORCHRUN, extra=extra)


def test_an_error_in_one_process_is_told_with_its_line(tmp_path, monkeypatch):
    with pytest.raises(UsersCodeError, match=rf"train\.py:{LINE_OF_EXTRA}: ZeroDivisionError"):
        made(tmp_path / "two", monkeypatch, TORCHRUN, extra="rank and step == 1 and 1 / 0")


ACCELERATE = """
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import hpcheck

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
torch.manual_seed(hpcheck.seed(0))
x = torch.randn(640, 6)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
size = hpcheck.total_batch_size(32) // accelerator.num_processes // 2
loader = DataLoader(TensorDataset(x, y), batch_size=size, shuffle=True)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=20)
model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)

def validate():
    outputs = accelerator.unwrap_model(model)(x)
    return nn.functional.cross_entropy(outputs, y), (outputs.argmax(1) == y).float().mean()

hp = hpcheck.follow(optimizer, validate, model=model, train_examples=640, val_examples=640)
for epoch in hp.epochs(10):
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            accelerator.backward(loss)
            hp.loss(loss)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
"""


ACCELERATE_LAUNCH = [str(Path(sys.executable).with_name("accelerate")), "launch", "--cpu", "--num_machines", "1", "--num_processes", "1"]
ACCELERATE_LAUNCH += ["--mixed_precision", "no", "--dynamo_backend", "no"]


@pytest.mark.parametrize(("command", "processes"), [(ACCELERATE_LAUNCH, 1), (TORCHRUN, 2)])
def test_a_script_of_accelerate_is_followed(command, processes, tmp_path, monkeypatch):
    pytest.importorskip("accelerate")
    monkeypatch.setitem(globals(), "SCRIPT", ACCELERATE)
    record, found = made(tmp_path / "one", monkeypatch, command)
    assert (found.processes, found.told["optimizer"], record.rows[-1]["step"]) == (processes, "AdamW", 20)
    assert record.column("lr")[1:] == pytest.approx([0.01 + 0.29 * (at - 1) / 19 for at in (5, 10, 15, 20)])
