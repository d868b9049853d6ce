"""Runs computed together are the runs that loop.py computes one by one, to a stated tolerance; what cannot be is refused by name."""

from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from hpcheck.engine import timing
from hpcheck.engine.choose_engine import engine_of
from hpcheck.engine.distributed.ddp import Devices
from hpcheck.engine.graphs import train
from hpcheck.engine.graphs.grouping import BRANCHES, COMPILED, groups, refusal, refusal_of
from hpcheck.engine.graphs.groups import Grouped, shares
from hpcheck.engine.graphs.step import BLOCK, RefusedError, Together
from hpcheck.engine.graphs.train import ONE_BY_ONE, fastest
from hpcheck.engine.graphs.updates import Hyper, state_of, update_of
from hpcheck.engine.graphs.worker import work_together
from hpcheck.engine.loop import prepare
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.engine.pool.slots import Slots
from hpcheck.errors import Stopped
from hpcheck.optimizers.groups import set_hyper
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import PartSpec, TimingSpec, freeze
from tests.support.engine_runs import DIGITS, RUN, computed
from tests.support.grouped_runs import together

TOLERANCE = 2e-4  # relative, of validation losses over some dozens of steps: sums are taken in another order
RESNET = PartSpec("resnet_cifar", freeze({"depth": 8}))
GENTLE = constant(0.01)  # at a large lr a network with BatchNorm doubles any difference every second step
SHORT = replace(RUN, steps=24, evaluate_after=(0, 5, 12, 24), total_batch_size=24)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Computes a run as loop.py does, once for both modes."""
    folder, kept = tmp_path_factory.mktemp("alone"), {}

    def compute(spec):
        if spec not in kept:
            kept[spec] = computed(spec, folder)
        return kept[spec]

    return compute


def grid(spec):
    """Members that differ in all that they may: lr, momentum, weight decay; the last one in its weights and data order too."""
    steeper, still = replace(spec.lr, points=tuple((at, 2 * value) for at, value in spec.lr.points)), constant(0.5)
    return [spec, replace(spec, weight_decay=0.1, keep="last"), replace(spec, lr=steeper, momentum=still), replace(spec, seed=3)]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="sgd"),
        pytest.param({"optimizer": PartSpec("sgd", freeze({"velocity": "caffe"}))}, id="caffe's velocity"),
        pytest.param({"optimizer": PartSpec("sgd", freeze({"nesterov": False}))}, id="without nesterov"),
        pytest.param({"optimizer": PartSpec("adamw"), "momentum": constant(0.75)}, id="adamw"),
        pytest.param({"model": RESNET, "lr": GENTLE}, id="batchnorm"),
        pytest.param({"model": RESNET, "lr": GENTLE, "bn_splits": 4}, id="batchnorm in parts"),
        pytest.param({"model": PartSpec("shallow3"), "lr": constant(0.001)}, id="groups with multipliers"),
        pytest.param({"data": replace(DIGITS, augment="mirror-crop")}, id="augmented"),
        pytest.param(
            {"steps": BLOCK + 6, "evaluate_after": (BLOCK - 1, BLOCK + 6), "model": PartSpec("mlp")}, id="over the seam of a block"
        ),
    ],
)
def test_members_are_the_runs_that_they_are_alone(tmp_path, alone, changes):
    specs = grid(replace(SHORT, **changes))
    for spec, found in zip(specs, together(specs, tmp_path, BRANCHES), strict=True):
        expected = alone(spec)
        assert (found.status, found.run_id, found.run) == (expected.status, expected.run_id, expected.run)
        for column in ("step", "lr", "momentum"):
            assert list(found.column(column)) == list(expected.column(column))
        for column in ("train_loss", "val_loss"):
            np.testing.assert_allclose(found.column(column), expected.column(column), rtol=TOLERANCE)
        assert found.result["first_loss"] == pytest.approx(expected.result["first_loss"], rel=TOLERANCE)
        assert found.result["together"] == "branches, 4 members"


def test_a_run_continues_from_what_a_member_left(tmp_path):
    alone, group = tmp_path / "alone", tmp_path / "group"
    alone.mkdir(), group.mkdir()
    first = replace(SHORT, keep="last")
    for folder in (alone, group):
        started = computed(first, folder) if folder == alone else together([first, replace(first, weight_decay=0.1)], folder, BRANCHES)[0]
        assert (folder / f"{started.run_id}.pt").exists()
    rest = replace(SHORT, parent=started.run_id, at_step=24, steps=48, evaluate_after=(36, 48), lr=constant(0.1), momentum=constant(0.5))
    expected = computed(rest, alone)
    np.testing.assert_allclose(computed(rest, group).column("val_loss"), expected.column("val_loss"), rtol=TOLERANCE)
    alone_bytes, group_bytes = ((folder / f"{started.run_id}.pt").stat().st_size for folder in (alone, group))
    assert group_bytes == pytest.approx(alone_bytes, rel=0.02)  # nothing of the other member's
    continued = together([rest, replace(rest, weight_decay=0.1)], group, BRANCHES)[0]
    np.testing.assert_allclose(continued.column("val_loss"), expected.column("val_loss"), rtol=TOLERANCE)


def test_a_member_that_diverges_ends_there_and_leaves_the_others_alone(tmp_path, alone):
    wild, calm = replace(SHORT, lr=constant(1e6)), SHORT
    found = together([wild, calm], tmp_path, BRANCHES)
    assert [record.status for record in found] == ["diverged", "finished"]
    assert found[0].column("step")[-1] < 24
    np.testing.assert_allclose(found[1].column("val_loss"), alone(calm).column("val_loss"), rtol=TOLERANCE)


def test_bf16_members_are_close_to_bf16_runs(tmp_path, alone):
    specs = [replace(SHORT, precision="bf16"), replace(SHORT, precision="bf16", weight_decay=0.1)]
    found = together(specs, tmp_path, "branches")
    np.testing.assert_allclose(found[1].column("val_loss"), alone(specs[1]).column("val_loss"), rtol=0.05)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param([{"total_batch_size": 12}], "members of different total_batch_size", id="batch size"),
        pytest.param([{"steps": 12}], "members of different steps", id="length"),
        pytest.param([{}, {"data": replace(DIGITS, crop=6)}], "data.crop draws its places on the host", id="crop"),
        pytest.param([{}, {"model": PartSpec("mlp", freeze({"dropout": 0.5}))}], "may draw random numbers", id="dropout"),
    ],
)
def test_what_cannot_be_computed_together_is_refused_by_name_and_writes_no_row(tmp_path, changes, reason):
    specs = [replace(SHORT, **changes[-1]), replace(SHORT, **(changes[-1] if len(changes) == 2 else {}), weight_decay=0.1)]
    with pytest.raises(RefusedError, match=reason):
        together(specs, tmp_path, BRANCHES)
    assert all(records.standing(path) == records.Standing({}, "") for path in tmp_path.glob("*.jsonl"))


def test_groups_hold_what_may_be_computed_together():
    other, timing = replace(SHORT, total_batch_size=12), TimingSpec(DIGITS, RUN.model, RUN.optimizer, (8,))
    jobs = [("a", SHORT), ("b", other), ("c", replace(SHORT, seed=1)), ("d", timing), ("e", replace(other, weight_decay=0.0))]
    assert [[run_id for run_id, _ in group] for group in groups(jobs)] == [["a", "c"], ["b", "e"], ["d"]]
    assert [len(group) for group in groups([(str(index), SHORT) for index in range(20)])] == [16, 4]
    assert refusal([SHORT, replace(SHORT, lr=constant(0.1), init="msra")]) is None


def test_the_fastest_way_is_taken(tmp_path, monkeypatch):
    data = worker.on_device(SHORT.data, "cpu")[0]
    specs = [replace(SHORT, steps=60, evaluate_after=(60,), weight_decay=decay) for decay in (0.0, 0.1)]
    for order, expected in (((1.0, 9.0), ONE_BY_ONE), ((1.0, 1.9), BRANCHES)):
        seconds = iter(order)
        monkeypatch.setattr(train, "_timed", lambda work, data, seconds=seconds: next(seconds))
        assert fastest(specs, data, tmp_path) == expected
    assert fastest([SHORT, SHORT], data, tmp_path) == ONE_BY_ONE  # hardly longer than the trial itself


@pytest.mark.parametrize(("name", "options"), [("sgd", {}), ("sgd", {"nesterov": False}), ("sgd", {"velocity": "caffe"}), ("adamw", {})])
def test_an_update_by_tensors_is_the_optimizers_own(tmp_path, name, options):
    """Three updates with changing numbers, by torch and by tensors, from the same weights and gradients."""
    data = worker.on_device(SHORT.data, "cpu")[0]
    spec = replace(SHORT, model=PartSpec("shallow3"), optimizer=PartSpec(name, freeze(options)))
    theirs, ours = prepare(spec, data, tmp_path), prepare(spec, data, tmp_path)
    update, names = update_of(ours.optimizer)
    random = torch.Generator().manual_seed(0)
    for lr, momentum, decay in ((0.1, 0.9, 1e-3), (0.05, 0.5, 1e-3), (0.2, 0.95, 0.0)):
        set_hyper(theirs.optimizer, lr, momentum, decay)
        hyper = Hyper(*(torch.tensor(number) for number in (lr, momentum, decay)))
        for mine, other in zip(ours.optimizer.param_groups, theirs.optimizer.param_groups, strict=True):
            for weight, twin in zip(mine["params"], other["params"], strict=True):
                twin.grad = torch.empty_like(twin).normal_(generator=random)
                with torch.no_grad():
                    update(weight, twin.grad, state_of(ours.optimizer, weight, names), hyper.of(mine, weight), mine)
        theirs.optimizer.step()
    for (label, weight), twin in zip(ours.model.named_parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(weight, twin, rtol=1e-5, atol=1e-6, msg=lambda message, label=label: f"{label}: {message}")


def test_the_pool_hands_groups_to_one_worker_where_it_is_asked_to(tmp_path, alone):
    specs = [SHORT, replace(SHORT, weight_decay=0.1), replace(SHORT, total_batch_size=12)]
    pool = Grouped("cpu", 2, 1, "branches")
    try:
        pool.execute([(identify(spec), spec) for spec in specs], tmp_path)
    finally:
        pool.close()
    found = [records.read(tmp_path / f"{identify(spec)}.jsonl") for spec in specs]
    assert [record.result.get("together") for record in found] == ["branches, 2 members", "branches, 2 members", None]
    for spec, record in zip(specs, found, strict=True):
        np.testing.assert_allclose(record.column("val_loss"), alone(spec).column("val_loss"), rtol=TOLERANCE)


def test_a_group_is_shared_out_over_the_devices_there_are(tmp_path, alone, monkeypatch):
    monkeypatch.setattr(Grouped, "_share", lambda self, asked: (Slots({"cpu": None, "cpu:0": None}, 2), 1))
    submitted = []
    monkeypatch.setattr(Grouped, "_workers", lambda self: Submitting(submitted))
    specs = [replace(SHORT, weight_decay=decay) for decay in (0.0, 0.1, 0.2, 0.3, 0.4)]
    Grouped("cpu", 2, 1, "branches")._together([[(identify(spec), spec) for spec in specs]], tmp_path, lambda: None, 5)
    assert [(device, [spec.weight_decay for _, spec in share]) for share, device in submitted] == [
        ("cpu", [0.0, 0.2, 0.4]),
        ("cpu:0", [0.1, 0.3]),
    ]
    for spec in specs:
        assert records.read(tmp_path / f"{identify(spec)}.jsonl").status == "finished"


class Submitting:
    """An executor that computes in this process and notes which share went to which device."""

    def __init__(self, submitted):
        self.submitted = submitted

    def submit(self, work, share, directory, device, threads, mode):
        self.submitted.append((share, device))
        work(share, directory, device, threads, mode)
        future = Future()
        future.set_result(None)
        return future


def test_compiled_members_are_the_runs_that_they_are_alone(tmp_path, alone, monkeypatch):
    """By a compiler that leaves the kernels as they are; only a training step is compiled, evaluations are loop.py's."""
    seen = []

    def backend(graph, inputs):
        seen.append(inputs)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    specs = grid(replace(SHORT, model=RESNET, lr=GENTLE, bn_splits=4))
    for spec, found in zip(specs, together(specs, tmp_path, COMPILED), strict=True):
        np.testing.assert_allclose(found.column("val_loss"), alone(spec).column("val_loss"), rtol=TOLERANCE)
        assert found.result["together"] == "compiled, 4 members"
    assert seen


def test_auto_says_nothing_of_runs_that_it_computes_one_by_one(tmp_path, capsys):
    specs = [replace(SHORT, model=PartSpec("mlp", freeze({"dropout": 0.5})), weight_decay=decay) for decay in (0.0, 0.1)]
    work_together([(identify(spec), spec) for spec in specs], tmp_path, "cpu", 1, "auto")
    assert capsys.readouterr().err == ""
    assert all(records.read(tmp_path / f"{identify(spec)}.jsonl").status == "finished" for spec in specs)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"data": replace(DIGITS, loss="mine:loss")}, "loss mine:loss is not hpcheck's", id="loss"),
        pytest.param({"optimizer": PartSpec("mine:sgd")}, "optimizer mine:sgd is not hpcheck's", id="optimizer"),
        pytest.param({"model": PartSpec("mine:net")}, "model mine:net may draw random numbers", id="model"),
        pytest.param({"model": PartSpec("torchvision")}, "model torchvision may draw", id="torchvision's"),
    ],
)
def test_what_is_the_users_own_is_never_graphed_unasked(tmp_path, monkeypatch, changes, reason):
    spec = replace(SHORT, **changes)
    assert refusal_of(spec).startswith(reason)
    monkeypatch.setattr(Grouped, "_together", lambda *_: pytest.fail("it was"))
    made = []
    monkeypatch.setattr(Pool, "_all", lambda self, jobs, *_: made.extend(jobs))
    Grouped("cuda", 1, 1, "auto")._all([("a", spec), ("b", TimingSpec(DIGITS, RUN.model, RUN.optimizer, (8,)))], tmp_path, lambda: None, 1)
    assert [run_id for run_id, _ in made] == ["a", "b"]


def test_each_device_computes_one_share_at_a_time():
    assert shares([["a", "b", "c"], ["d"], ["e"]], ["cuda:0", "cuda:1"]) == {"cuda:0": [["a", "c"], ["d"]], "cuda:1": [["b"], ["e"]]}
    assert shares([["a", "b"], ["c"]], ["cpu"]) == {"cpu": [["a", "b"]]}
    assert shares([["a"]], []) == {}


def test_a_capture_that_ran_out_of_memory_is_known_by_what_it_came_from():
    def capture():
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("capture was not joined")

    with pytest.raises(RuntimeError) as caught:
        capture()
    assert timing.is_out_of_memory(caught.value)
    assert not timing.is_out_of_memory(RuntimeError("capture was not joined"))


def test_steps_are_timed_as_they_are_graphed(tmp_path, monkeypatch):
    made = []
    honest = Together.advance
    monkeypatch.setattr(Together, "advance", lambda self, steps: made.append(len(self.trainings)) or honest(self, steps))
    monkeypatch.setattr(timing, "_can_graph", lambda data: True)
    found = computed(TimingSpec(DIGITS, RUN.model, RUN.optimizer, (8, 64), rounds=2), tmp_path)
    assert [entry["size"] for entry in found.result["sizes"]] == [8, 64]
    assert set(made) == {1}
    made.clear()
    for spec in (
        TimingSpec(DIGITS, RUN.model, RUN.optimizer, (8, 64), rounds=2, together="off"),
        TimingSpec(DIGITS, PartSpec("mlp", freeze({"dropout": 0.5})), RUN.optimizer, (8, 64), rounds=2),
    ):
        assert [entry["size"] for entry in computed(spec, tmp_path).result["sizes"]] == [8, 64]
    assert not made


def test_graphs_that_do_not_fit_beside_each_other_leave_steps_as_loop_py_makes_them(tmp_path, monkeypatch):
    def advance(self, steps):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(timing, "_can_graph", lambda data: True)
    monkeypatch.setattr(Together, "advance", advance)
    found = computed(TimingSpec(DIGITS, RUN.model, RUN.optimizer, (8, 64), rounds=1), tmp_path)
    assert all(entry["seconds"] > 0 for entry in found.result["sizes"])


def test_runs_that_are_refused_are_computed_one_by_one(tmp_path, capsys):
    specs = [replace(SHORT, model=PartSpec("mlp", freeze({"dropout": 0.5})), weight_decay=decay) for decay in (0.0, 0.1)]
    jobs = [(identify(spec), spec) for spec in specs]
    work_together(jobs, tmp_path, "cpu", 1, "branches")
    assert "2 runs one by one: model mlp may draw random numbers" in capsys.readouterr().err
    assert all(records.read(tmp_path / f"{run_id}.jsonl").status == "finished" for run_id, _ in jobs)


def test_a_group_that_is_asked_to_stop_leaves_a_checkpoint_of_each_and_they_go_on_alone(tmp_path, alone, monkeypatch):
    specs = [SHORT, replace(SHORT, weight_decay=0.1)]
    jobs = [(identify(spec), spec) for spec in specs]
    asked = iter([False] * 2)
    monkeypatch.setattr(train, "stop_asked", lambda: next(asked, True))
    with pytest.raises(Stopped):
        work_together(jobs, tmp_path, "cpu", 1, "branches")
    assert {path.name.split(".")[0] for path in tmp_path.glob("*.checkpoint")} == {run_id for run_id, _ in jobs}  # a slow run leaves two
    work_together(jobs, tmp_path, "cpu", 1, "branches")
    for run_id, spec in jobs:
        record = records.read(tmp_path / f"{run_id}.jsonl")
        assert list(record.column("step")) == [0, 5, 12, 24]
        np.testing.assert_allclose(record.column("val_loss"), alone(spec).column("val_loss"), rtol=TOLERANCE)
        assert "together" not in record.result


@pytest.mark.gpu
@pytest.mark.parametrize("mode", [BRANCHES, COMPILED])
@pytest.mark.parametrize("model", ["mlp", "shallow3"])
def test_a_graphed_group_on_a_gpu_is_the_runs_alone(tmp_path, mode, model):
    changes = {"steps": BLOCK + 6, "evaluate_after": (5, BLOCK + 6), "lr": constant(0.001)}
    spec = replace(SHORT, model=PartSpec(model), **changes)
    specs = [spec, replace(spec, weight_decay=0.1), replace(spec, seed=3)]
    jobs = [(identify(each), each) for each in specs]
    work_together(jobs, tmp_path, "cuda", 1, mode)
    (tmp_path / "alone").mkdir()
    for run_id, each in jobs:
        worker.work(each, run_id, tmp_path / "alone", "cuda", 1)
        found, expected = (records.read(folder / f"{run_id}.jsonl") for folder in (tmp_path, tmp_path / "alone"))
        assert found.result["together"] == f"{mode}, 3 members"
        np.testing.assert_allclose(found.column("val_loss"), expected.column("val_loss"), rtol=1e-3)


@pytest.mark.gpu
def test_auto_on_a_gpu_finds_a_way(tmp_path):
    spec = replace(SHORT, steps=60, evaluate_after=(60,))
    jobs = [(identify(each), each) for each in (spec, replace(spec, weight_decay=0.1))]
    work_together(jobs, tmp_path, "cuda", 1, "auto")
    assert all(records.read(tmp_path / f"{run_id}.jsonl").status == "finished" for run_id, _ in jobs)


@pytest.mark.parametrize(
    ("asked", "engine"),
    [
        ({}, Grouped),
        ({"together": "off"}, Pool),
        ({"jobs": 1}, Grouped),
        ({"jobs": 2}, Pool),
        ({"jobs": 2, "together": "branches"}, Grouped),
        ({"devices": 2}, Devices),
    ],
)
def test_the_engine_is_the_one_that_the_config_asks_for(asked, engine):
    given = {"name": "local", "device": "cpu", "devices": 1, "jobs": None, "threads": 1, "address": None, "together": "auto"}
    assert type(engine_of(**{**given, **asked})) is engine


def test_a_member_is_looked_at_for_divergence_where_it_would_be_alone(tmp_path, alone):
    wild = replace(SHORT, lr=constant(1e6), evaluate_after=(24,))
    found, _ = together([wild, replace(SHORT, evaluate_after=(24,))], tmp_path, "branches")
    assert list(found.column("step")) == list(alone(wild).column("step")) == [10]


def test_members_share_the_time_that_all_train_and_leave_out_everyones_evaluations():
    shares = [train.HowFarInGroup(0) for _ in range(4)]
    for share in shares:
        share.members, share.started, share.eval_seconds = shares, share.started - 8, 1.0
    assert [share.train_seconds for share in shares] == pytest.approx([1.0] * 4, abs=0.2)
