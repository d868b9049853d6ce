"""A training that is followed, in this process: what is set, counted, evaluated and recorded is what the run's spec says."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks

import hpcheck
from hpcheck.engine.divergence import Levels
from hpcheck.runs import records, schedules
from hpcheck.runs.schedules import constant, one_cycle, ramp
from hpcheck.script import api
from hpcheck.script.inside.evaluation import bn_begins
from hpcheck.script.inside.levels import LossLevels
from hpcheck.script.job import ScriptError, told
from tests.support.followed import SPEC, Script, ended


def test_importing_hpcheck_loads_nothing_heavy():
    script = "import hpcheck, sys; hpcheck.seed(0); hpcheck.total_batch_size(8)\n"
    script += "print(sorted({'torch', 'numpy', 'pydantic'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_alone_everything_is_as_the_script_has_it():
    script = Script()
    hp = script.follow()
    assert (hp.active, list(hp.epochs(2)), list(hp.steps(3)), hp.hyper()) == (False, [0, 1], [0, 1, 2], (None, None, None))
    script.train(hp, hp.epochs(2))
    assert script.seen[0] == [(0.05, 0.9, 1e-2), (0.5, 0.9, 0.0)]
    assert script.evaluated_at == []


@pytest.mark.parametrize("schedule", ["ramp", "cycle", "sweep"])
def test_each_group_has_its_share_of_the_schedule_at_every_update(drive, schedule):
    lr = {"ramp": SPEC.lr, "cycle": one_cycle(0.3, 0.03, 15, 40), "sweep": ramp(1e-4, 1.0, 40, log=True)}[schedule]
    drive(replace(SPEC, lr=lr))
    script = Script()
    end = ended(script)
    assert end == 0
    expected = zip(schedules.values(lr, 40), schedules.values(SPEC.momentum, 40), strict=True)
    for seen, (rate, momentum) in zip(script.seen, list(expected)[:39], strict=True):  # the last update ends the script
        assert seen[1] == pytest.approx((rate, momentum, 0.0), rel=1e-6)
        assert seen[0] == pytest.approx((rate / 10, momentum, 1e-3), rel=1e-6)


@pytest.mark.parametrize("warm_up", ["LinearLR", "OneCycleLR"])
def test_a_scheduler_of_the_scripts_own_changes_nothing(drive, warm_up):
    drive()
    script = Script()
    if warm_up == "LinearLR":
        scheduler = torch.optim.lr_scheduler.LinearLR(script.optimizer, 1e-3, total_iters=10)  # the lr is not the user's by now
    else:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(script.optimizer, [0.05, 0.5], total_steps=100)
    ended(script, between=scheduler.step)
    rates = schedules.values(SPEC.lr, 40)
    assert [seen[1][0] for seen in script.seen] == pytest.approx(rates[:39], rel=1e-6)
    assert [seen[0][0] for seen in script.seen] == pytest.approx(rates[:39] / 10, rel=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "given", "momenta"),
    [
        (torch.optim.SGD, {}, (0.95, 0.85)),
        (torch.optim.AdamW, {"max_momentum": 0.9, "base_momentum": 0.8}, (0.9, 0.8)),
        (torch.optim.SGD, {"cycle_momentum": False}, (0.9, 0.9)),
    ],
)
def test_a_one_cycle_of_the_scripts_own_tells_what_the_user_has(drive, tmp_path, optimizer, given, momenta):
    drive(mode="describe")
    script = Script(optimizer)
    torch.optim.lr_scheduler.OneCycleLR(script.optimizer, [0.03, 0.3], total_steps=100, **given)
    ended(script)
    found = told(tmp_path / f"job-{'a' * 16}-describe", "described")
    assert (found["lr"], found["groups"][0][0]) == (pytest.approx(0.3), pytest.approx(0.1))
    assert (found["momentum"], found["least_momentum"]) == momenta


def test_adams_momentum_is_its_beta1_and_a_tensor_lr_is_filled(drive):
    drive()
    script = Script(torch.optim.AdamW, groups=False, lr=torch.tensor(0.01))
    held = script.optimizer.param_groups[0]["lr"]
    ended(script)
    group = script.optimizer.param_groups[0]
    assert group["lr"] is held
    assert float(held) == pytest.approx(0.4)
    assert group["betas"] == (pytest.approx(0.85), 0.999)


def test_the_record_has_the_rows_that_the_spec_asks_for(drive):
    path = drive()
    script = Script()
    ended(script)
    record = records.read(path)
    assert [row["step"] for row in record.rows] == list(SPEC.evaluate_after)
    assert [row["lr"] for row in record.rows[1:]] == pytest.approx(schedules.values(SPEC.lr, 40)[[4, 9, 14, 19, 24, 29, 34, 39]])
    assert math.isnan(record.rows[0]["train_loss"])
    assert all(row["train_loss"] > 0 and 0 <= row["metric"] <= 1 for row in record.rows[1:])
    assert (record.status, record.result["first_loss"] > 0, script.evaluated_at) == ("finished", True, [0, 4, 9, 14, 19, 24, 29, 34, 39])


def test_an_evaluation_leaves_random_numbers_and_modes_alone(drive):
    often, seldom = [], []
    for seen, evaluate_after, run_id in ((often, SPEC.evaluate_after, "a" * 16), (seldom, (40,), "b" * 16)):
        drive(replace(SPEC, evaluate_after=evaluate_after), run_id=run_id)
        script = Script()
        ended(script)
        seen += [parameter.detach().clone() for parameter in script.model.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(often, seldom, strict=True))


def test_accumulated_batches_make_one_update(drive):
    path = drive()
    script = Script()
    ended(script, accumulate=4, clip=1.0)
    assert records.read(path).rows[-1]["step"] == 40
    assert script.updates == 39


def test_a_run_that_blows_up_is_diverged_and_ends(drive):
    path = drive(replace(SPEC, lr=constant(300.0)))
    script = Script()
    ended(script)
    record = records.read(path)
    assert record.status == "diverged"
    assert record.rows[-1]["step"] < 40


def test_losses_that_are_never_finite_end_a_run_that_makes_no_update(drive):
    path = drive()
    script = Script()
    hp = script.follow()
    hp.loss(1.0)
    script.optimizer.step()
    with pytest.raises(SystemExit):
        list(map(hp.loss, [math.nan] * 1000))
    assert records.read(path).status == "diverged"


def test_a_training_goes_on_after_its_last_update_and_its_loop_ends(drive):
    path = drive(replace(SPEC, finally_on=("val",), keep="best"), goes_on=True)
    script = Script()
    hp = script.follow()
    script.train(hp, hp.epochs(1))  # epochs of 10 updates
    assert script.updates == 40
    record = records.read(path)
    assert record.result["val"]["examples"] == 200
    assert record.result["val"]["metric"] == record.rows[-1]["metric"]


@pytest.mark.parametrize(
    ("evaluations", "first", "batch_size", "begins"),
    [
        ([0, 40, 80], 0, 128, {36, 76}),  # four updates, as ever
        ([0, 40, 80], 0, 32, {24, 64}),  # as many examples in sixteen
        ([40, 80], 20, 1, {24, 64}),  # no more than sixteen
        ([50, 60, 63], 40, 32, {40, 50, 60}),  # none from before the evaluation before
    ],
)
def test_batchnorm_statistics_are_taken_over_as_many_examples_at_small_batch_sizes(evaluations, first, batch_size, begins):
    assert bn_begins(evaluations, first, batch_size) == begins


def test_a_fork_goes_on_from_its_parents_snapshot_and_its_levels(drive, tmp_path):
    parent = replace(SPEC, keep="last")
    drive(parent)
    script = Script()
    ended(script)
    weights, momenta = script.model[0].weight.detach().clone(), script.optimizer.state[script.model[0].weight]["momentum_buffer"].clone()
    fork = replace(SPEC, parent="a" * 16, at_step=40, steps=60, lr=constant(0.1), momentum=constant(0.9), evaluate_after=(50, 60))
    path = drive(fork, run_id="c" * 16)
    script = Script()
    torch.optim.lr_scheduler.LinearLR(script.optimizer)  # leaves other keys in the groups than the parent had
    hp = script.follow()
    assert torch.equal(script.model[0].weight, weights)
    assert torch.equal(script.optimizer.state[script.model[0].weight]["momentum_buffer"], momenta)
    with pytest.raises(SystemExit):
        script.train(hp, hp.epochs(1))
    first, second = records.read(tmp_path / f"{'a' * 16}.jsonl"), records.read(path)
    assert second.result["first_loss"] == first.result["first_loss"]
    assert [row["step"] for row in second.rows] == [50, 60]


def test_weights_changed_after_the_snapshot_was_loaded_are_noticed(drive):
    drive(replace(SPEC, keep="last"))
    script = Script()
    ended(script)
    drive(replace(SPEC, parent="a" * 16, at_step=40, steps=60, evaluate_after=(60,)), run_id="c" * 16)
    script = Script()
    hp = script.follow()
    nn.init.zeros_(script.model[0].weight)
    with pytest.raises(ScriptError, match=r"weights were changed after hpcheck\.follow"):
        script.train(hp, hp.epochs(1))


def test_a_state_of_the_scripts_own_is_saved_and_loaded(drive, tmp_path):
    drive(replace(SPEC, keep="last"))
    kept = {"w": torch.zeros(2), "lr": []}

    def train():
        hp = hpcheck.follow(None, lambda: (1.0, 0.5), state=(lambda: dict(kept), kept.update), train_examples=1, val_examples=1)
        for _ in hp.steps(5):
            kept["lr"].append(hp.hyper().lr)
            kept["w"] = kept["w"] + 1
            hp.step(1.0)

    hpcheck.total_batch_size(8)
    with pytest.raises(SystemExit):
        train()
    assert kept["lr"] == pytest.approx(schedules.values(SPEC.lr, 40))
    kept["w"] = torch.zeros(2)
    drive(replace(SPEC, parent="a" * 16, at_step=40, steps=44, evaluate_after=(44,)), run_id="c" * 16)
    hpcheck.total_batch_size(8)
    with pytest.raises(SystemExit):
        train()
    assert kept["w"].tolist() == [44, 44]


def test_a_gradient_scaler_that_skips_updates_is_not_counted(drive):
    path = drive()
    script = Script()
    hp = script.follow()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    calls = 0

    def train():
        nonlocal calls
        for _ in hp.steps(1):
            calls += 1
            picked = torch.randint(0, 640, (script.batch_size,))
            loss = nn.functional.cross_entropy(script.model(script.x[picked]), script.y[picked])
            scaler.scale(loss).backward()
            if calls in (3, 7):
                script.model[0].weight.grad.fill_(math.inf)
            hp.loss(loss)
            scaler.step(script.optimizer)
            scaler.update()
            script.optimizer.zero_grad()

    with pytest.raises(SystemExit):
        train()
    assert calls == 42
    assert records.read(path).rows[-1]["step"] == 40


def test_the_describe_launch_tells_what_the_script_is(drive, tmp_path):
    drive(mode="describe")
    script = Script()
    ended(script)
    found = told(tmp_path / f"job-{'a' * 16}-describe", "described")
    expected = {
        "lr": 0.5,
        "weight_decay": 1e-2,
        "momentum": 0.9,
        "kind": "sgd",
        "loops": {"epochs": 1},
        "validation": 200,
        "snapshots": True,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["groups"] == [[pytest.approx(0.1), 1.0], [1.0, 0.0]]
    assert str(__file__) in found["files"]
    json.dumps(found)


def follow_with(drive, evaluate=None, optimizer=None, **more):
    drive()
    script = Script()
    hp = hpcheck.follow(optimizer or script.optimizer, evaluate or script.validate, **{"train_examples": 640, "val_examples": 200, **more})
    script.train(hp, hp.epochs(1))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.5, "returned a float; expected"),
        (None, "returned nothing"),
        ({"loss": 1.0}, "a dict with loss; expected loss and metric"),
        ((torch.zeros(2), 1.0), "a Tensor for the loss; expected one number"),
        ({"loss": 1.0, "metric": 1.0, "count": 100}, "looked at 100 examples, and val_examples is 200"),
        ({"loss": 1.0, "metric": 1.0, "scores": [1, 0]}, "looked at 2 examples"),
    ],
)
def test_an_evaluation_that_returns_something_else_is_told_what_is_expected(drive, answer, words):
    with pytest.raises(ScriptError, match=words):
        follow_with(drive, evaluate=lambda: answer)


def test_an_evaluation_that_is_nan_before_the_first_update_is_no_lr_too_large(drive):
    with pytest.raises(ScriptError, match="loss of NaN before the first update, so no learning rate is at fault"):
        follow_with(drive, lambda: (math.nan, 0.5))


def test_optimizers_that_cannot_be_followed_are_refused_by_name(drive):
    one = nn.Parameter(torch.zeros(1))
    with pytest.raises(ScriptError, match="2 optimizers"):
        follow_with(drive, optimizer=[torch.optim.SGD([one]), torch.optim.SGD([one])])
    _global_optimizer_post_hooks.clear()
    for refused, words in ((torch.optim.LBFGS([one]), "LBFGS"), (object(), "not a torch optimizer")):
        api._driven.cache_clear()
        hpcheck.total_batch_size(1)
        with pytest.raises(ScriptError, match=words):
            hpcheck.follow(refused, lambda: (0.0, 0.0))


def test_an_optimizer_made_anew_and_a_second_one_are_noticed(drive):
    for second, words in ((False, "it was made anew"), (True, "several optimizers")):
        drive(run_id="e" * 16 if second else "d" * 16)
        script = Script()
        hp = script.follow()
        others = [nn.Parameter(torch.zeros(1))] if second else script.model.parameters()
        if second:
            others[0].grad = torch.zeros(1)
        other = torch.optim.SGD(others, lr=0.1)
        with pytest.raises(ScriptError, match=words):
            script.train(hp, hp.epochs(1), between=other.step)
        _global_optimizer_post_hooks.clear()


def test_an_lr_that_something_else_sets_is_noticed(drive):
    drive()
    script = Script()
    hp = script.follow()
    script.optimizer.register_step_pre_hook(lambda optimizer, *_: optimizer.param_groups[0].update(lr=9.0))
    with pytest.raises(ScriptError, match="made with lr 9, and hpcheck had set"):
        script.train(hp, hp.epochs(1))


def test_a_batch_size_that_is_ignored_is_found_by_counting(drive):
    drive()
    script = Script()
    script.batch_size = 32
    hp = script.follow()
    with pytest.raises(ScriptError, match=r"about 32 examples, and hpcheck\.total_batch_size said 64"):
        script.train(hp, hp.epochs(1))


def test_loss_that_is_not_told_and_a_second_call_are_refused(drive):
    drive()
    script = Script()
    hp = script.follow()
    with pytest.raises(ScriptError, match="called a second time"):
        script.follow()
    script.model(script.x).sum().backward()
    with pytest.raises(ScriptError, match=r"call hp\.loss\(loss\) before optimizer\.step"):
        script.optimizer.step()
    with pytest.raises(ScriptError, match=r"hp\.step is for scripts that gave optimizer=None"):
        hp.step(1.0)


def test_a_first_loss_that_one_seed_does_not_give_is_seen(drive):
    path = drive(told={"seed": 0, "total_batch_size": 64, "first_loss": 99.0, "train_examples": 640, "val_examples": 200, "groups": [1, 2]})
    script = Script()
    ended(script)
    assert records.read(path).result["unseeded"] is True


def test_another_size_than_the_command_saw_is_refused(drive):
    drive(told={"train_examples": 50, "val_examples": 200, "groups": [1, 2]})
    script = Script()
    with pytest.raises(ScriptError, match="train_examples is 640 now, and was 50"):
        script.follow()


@pytest.mark.parametrize("batch_size", [64, 16, 3])
def test_divergence_is_judged_as_the_engine_judges_it(batch_size):
    random = torch.Generator().manual_seed(batch_size)
    ours, engines, stretch = LossLevels(batch_size), Levels(batch_size), []
    losses = [float(1 + at**2 / 2000 + torch.rand((), generator=random)) for at in range(200)]
    for at, loss in enumerate(losses):
        ours.add([loss])
        if at == ours.batches - 1:  # the engine is told of its first level
            engines.begin(sum(losses[: ours.batches]) / ours.batches)
        if at >= ours.batches:
            engines.add(torch.tensor(loss))
        stretch.append(torch.tensor(loss))
        if at >= 2 * ours.batches:
            assert ours.diverged() == engines.diverged(stretch), at
        if at % 20 == 19:
            ours.row()
            stretch = []
    assert ours.diverged()
    ours.add([math.nan])
    assert ours.diverged()
