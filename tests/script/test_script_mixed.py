"""Mixed precision is followed as plain training is; sharded parameters and several optimizers are refused by name."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks

import hpcheck
from hpcheck.runs import records, schedules
from hpcheck.runs.schedules import constant
from hpcheck.script.job import ScriptError
from tests.support.followed import SPEC, Script


def mixed(script, hp, scaler, broken=()):
    """A loop under autocast with a scaler, as PyTorch's own recipe has it; gradients of the calls in `broken` are infinite."""
    for number, _ in enumerate(hp.steps(1)):
        rows = torch.randint(0, 640, (script.batch_size,))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = script.model(script.x[rows])
            loss = nn.functional.cross_entropy(outputs, script.y[rows])
        scaler.scale(loss).backward()
        if number in broken:
            script.model[0].weight.grad.fill_(math.inf)
        scaler.unscale_(script.optimizer)
        nn.utils.clip_grad_norm_(script.model.parameters(), 1.0)
        hp.loss(loss.detach().bfloat16())
        scaler.step(script.optimizer)
        script.seen.append(script.optimizer.param_groups[1]["lr"])
        scaler.update()
        script.optimizer.zero_grad()


def test_autocast_and_a_scaler_keep_the_schedule_and_skipped_updates_do_not_count(drive):
    path = drive()
    script = Script()
    with pytest.raises(SystemExit):
        mixed(script, script.follow(), torch.amp.GradScaler("cpu", init_scale=2.0**8), broken=(2, 6))
    record = records.read(path)
    assert record.rows[-1]["step"] == 40
    rates = schedules.values(SPEC.lr, 40)
    made = [rate for number, rate in enumerate(script.seen) if number not in (2, 6)]
    assert made == pytest.approx(rates[:39], rel=1e-6)
    assert all(0 < row["train_loss"] < 5 for row in record.rows[1:])


def test_a_scaler_that_never_finds_a_finite_gradient_ends_the_run_as_diverged(drive):
    path = drive(replace(SPEC, lr=constant(1e12)))
    script = Script()
    with pytest.raises(SystemExit):
        mixed(script, script.follow(), torch.amp.GradScaler("cpu", init_scale=2.0**8), broken=range(30, 10_000))
    assert records.read(path).status == "diverged"


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def followed(model, optimizer, **more):
    hpcheck.total_batch_size(8)
    return hpcheck.follow(optimizer, lambda: (0.0, 0.0), model=model, train_examples=80, val_examples=10, **more)


@pytest.mark.parametrize("given", ["model", "parameters"])
def test_fsdp_is_refused_by_name(drive, one_process, given):
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    drive()
    model = nn.Linear(4, 2)
    fsdp.fully_shard(model)
    with pytest.raises(ScriptError, match=r"FSDP.*cannot be followed yet(;|:).*DDP can"):
        followed(model if given == "model" else None, torch.optim.SGD(model.parameters(), lr=0.1))


class DeepSpeedEngine(nn.Linear):
    """What `deepspeed.initialize` returns for a model, by its name."""


def test_deepspeed_is_refused_by_name(drive):
    drive()
    model = DeepSpeedEngine(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ScriptError, match="DeepSpeed"):
        followed(model, optimizer)
    kind = type("DeepSpeedZeroOptimizer", (torch.optim.SGD,), {"__module__": "deepspeed.runtime.zero.stage_1_and_2"})
    with pytest.raises(ScriptError, match="DeepSpeedZeroOptimizer cannot be followed yet: DeepSpeed makes the updates itself"):
        followed(None, kind(model.parameters(), lr=0.1))


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_several_optimizers_are_refused_by_their_number(drive, kind):
    drive()
    models = [nn.Linear(4, 2) for _ in range(2)]
    both = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    with pytest.raises(ScriptError, match="was given 2 optimizers; it follows one"):
        followed(models[0], dict(enumerate(both)) if kind is dict else kind(both))
    _global_optimizer_post_hooks.clear()


def test_a_wrapper_of_several_optimizers_is_refused_when_the_second_makes_a_step(drive):
    """As of a GAN: the first is followed, and the other is found by what it does."""
    drive()
    first, second = Script(), nn.Linear(4, 2)
    hp = first.follow()
    other = torch.optim.Adam(second.parameters(), lr=0.1)
    second(torch.ones(1, 4)).sum().backward()
    with pytest.raises(ScriptError, match=r"a second optimizer, Adam, made a step: several optimizers cannot be followed yet"):
        first.train(hp, hp.epochs(1), between=other.step)
