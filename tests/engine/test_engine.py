"""What a run computes: a function of its spec, whole or in pieces, whatever is measured along the way."""

import itertools
import math
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hpcheck.data.arrays import IGNORED, DataError
from hpcheck.engine import arrays, timing
from hpcheck.engine.arrays import update
from hpcheck.engine.batches import BatchStream, augmented, draws, moved
from hpcheck.engine.divergence import Levels
from hpcheck.engine.loop import prepare
from hpcheck.engine.objectives import accuracy, cross_entropy, fresh_batchnorm
from hpcheck.engine.pool import worker
from hpcheck.runs import records
from hpcheck.runs.files import StorageError
from hpcheck.runs.identity import identify
from hpcheck.runs.schedules import constant, values
from hpcheck.runs.spec import PartSpec, TimingSpec, freeze
from tests.support.engine_runs import DIGITS, MLP, RUN, STILL, computed, curves, in_two, same, weights

DROPOUT = PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5}))
BATCHNORM = PartSpec("resnet_cifar", freeze({"depth": 8}))
SHORT = replace(RUN, steps=8, evaluate_after=(4, 8), lr=constant(0.05), momentum=constant(0.9))


def stream(batch_size=48, seed=0, augment="none"):
    return BatchStream(worker.on_device(DIGITS, "cpu")[0], batch_size, seed, augment)


def test_a_run_is_a_function_of_its_spec(tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    first.mkdir(), again.mkdir()
    spec = replace(RUN, model=DROPOUT, keep="last")
    a, b = computed(spec, first), computed(spec, again)
    assert curves(a) == curves(b)
    assert same(weights(first, a), weights(again, b))
    other = computed(replace(spec, seed=1), first)
    assert curves(other) != curves(a)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="sgd, pytorch velocity"),
        pytest.param({"optimizer": PartSpec("sgd", freeze({"velocity": "caffe"}))}, id="sgd, caffe velocity"),
        pytest.param({"optimizer": PartSpec("adamw")}, id="adamw"),
        pytest.param({"model": DROPOUT}, id="dropout"),
        pytest.param({"model": BATCHNORM, "total_batch_size": 24}, id="batchnorm"),
        pytest.param({"data": replace(DIGITS, augment="mirror-crop")}, id="augmented"),
    ],
)
def test_a_run_in_two_pieces_is_the_same_to_the_bit(tmp_path, changes):
    whole_folder, pieces = tmp_path / "whole", tmp_path / "pieces"
    whole_folder.mkdir(), pieces.mkdir()
    spec = replace(RUN, keep="last", **changes)
    whole = computed(spec, whole_folder)
    started, ended = in_two(spec, 32, pieces)
    assert curves(started, ended) == curves(whole)
    assert same(weights(pieces, ended), weights(whole_folder, whole))
    assert ended.result["first_loss"] == whole.result["first_loss"]


def test_a_run_that_was_interrupted_has_no_row_twice(tmp_path):
    whole = computed(SHORT, tmp_path)
    path = tmp_path / f"{whole.run_id}.jsonl"
    for length in (0, 100, len(path.read_bytes()) - 20):
        path.write_bytes(path.read_bytes()[:length])
        assert records.read(path) is None
        assert curves(computed(SHORT, tmp_path)) == curves(whole)


def test_each_epoch_takes_every_example_once_and_batches_run_across_its_end():
    batches, count = stream(batch_size=50), 1078
    rows = torch.cat([batches.indices(step) for step in range(3 * count // 50 + 1)]).tolist()
    for epoch in range(3):
        assert sorted(rows[epoch * count : (epoch + 1) * count]) == list(range(count))
    assert rows[:count] != rows[count : 2 * count]


def test_a_batch_larger_than_the_training_set_takes_more_than_an_epoch():
    taken = Counter(stream(batch_size=2500).indices(0).tolist())
    assert len(taken) == 1078
    assert set(taken.values()) == {2, 3}


def test_batches_are_the_same_in_whatever_order_they_are_asked_for():
    forwards, backwards = stream(), stream()
    ahead = [forwards.indices(step) for step in range(60)]
    behind = [backwards.indices(step) for step in reversed(range(60))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(ahead, behind, strict=True))


def test_augmentation_is_a_function_of_seed_and_step():
    x = stream(augment="mirror-crop").batch(7)[0]
    assert torch.equal(stream(augment="mirror-crop").batch(7)[0], x)
    assert not torch.equal(stream(augment="none").batch(7)[0], x)
    assert not torch.equal(stream(augment="mirror").batch(7)[0], x)
    assert not torch.equal(stream(augment="mirror-crop", seed=1).batch(7)[0], x)


def test_a_mirrored_image_is_itself_or_its_mirror_image():
    x = torch.arange(64 * 4 * 4 * 3, dtype=torch.uint8).reshape(64, 4, 4, 3)
    mirrored = augmented(x, "mirror", np.random.default_rng(0))
    turned = [torch.equal(new, old.flip(1)) and not torch.equal(new, old) for new, old in zip(mirrored, x, strict=True)]
    assert all(is_turned or torch.equal(new, old) for is_turned, new, old in zip(turned, mirrored, x, strict=True))
    assert 16 < sum(turned) < 48


def test_vectors_cannot_be_mirrored():
    data = worker.on_device(DIGITS, "cpu")[0]
    data = type("Vectors", (), {"is_image": False, "train_y": data.train_y})()
    with pytest.raises(DataError, match=r"data\.augment is mirror"):
        BatchStream(data, 8, 0, "mirror")


def test_a_diverged_run_stops_and_is_a_finished_record(tmp_path):
    record = computed(replace(RUN, lr=constant(1e6), keep="last"), tmp_path)
    assert record.diverged
    assert record.rows[-1]["step"] == 10
    assert not math.isfinite(record.column("train_loss")[-1])
    assert not list(tmp_path.glob("*.pt"))


def test_nan_is_data_from_the_first_step_on(tmp_path, monkeypatch):
    (tmp_path / "nan_model.py").write_text(
        "from torch import nn\n"
        "class Nothing(nn.Linear):\n    def forward(self, x):\n"
        "        return super().forward(x.flatten(1)) * (float('nan') if self.training else 1.0)\n"
        "def build(shape, outputs):\n    return Nothing(64, outputs)\n"
    )
    monkeypatch.chdir(tmp_path)
    record = computed(replace(RUN, model=PartSpec("nan_model:build")), tmp_path)
    assert record.diverged
    assert np.isnan(record.column("val_loss")[1:]).all()  # at the start it is a number: else no learning rate would be at fault


def test_a_loss_above_four_times_its_start_is_divergence(tmp_path):
    record = computed(replace(RUN, lr=constant(8.0), momentum=constant(0.0), steps=200, evaluate_after=(200,)), tmp_path)
    assert record.diverged
    assert math.isfinite(record.column("train_loss")[0])


@pytest.mark.parametrize("model", [DROPOUT, BATCHNORM], ids=["dropout", "batchnorm"])
def test_evaluations_do_not_change_the_training(tmp_path, model):
    spec = replace(SHORT, model=model, keep="last")
    often, once = replace(spec, evaluate_after=tuple(range(9)), eval_size=7), replace(spec, evaluate_after=(8,))
    a, b = computed(often, tmp_path), computed(once, tmp_path)
    assert len(a.rows) == 9
    assert same(weights(tmp_path, a), weights(tmp_path, b))
    assert a.rows[-1]["train_loss"] != b.rows[-1]["train_loss"]  # over one step, over eight


def test_batchnorm_statistics_are_fresh_in_an_evaluation_and_restored_after_it():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4, momentum=0.1)).train()
    norm, batches = model[2], stream()
    model(batches.batch(0)[0])
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with fresh_batchnorm(model, batches, 4):
        expected = torch.stack([model[1](batches.batch(step)[0].flatten(1)).mean(0) for step in range(4)]).mean(0)
        torch.testing.assert_close(norm.running_mean, expected)
    assert all(torch.equal(norm.state_dict()[name], value) for name, value in before.items())
    assert norm.momentum == 0.1


@pytest.mark.parametrize(("batch_size", "passes"), [(512, 4), (32, 16)])
def test_batchnorm_statistics_are_of_as_many_examples_at_a_small_batch_size(batch_size, passes):
    seen: list[int] = []
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)).train()
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    with fresh_batchnorm(model, stream(batch_size), 100):
        pass
    assert seen == [batch_size] * passes


def test_batchnorm_that_is_frozen_keeps_its_statistics_in_an_evaluation():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)).train()
    model[1].eval()
    with fresh_batchnorm(model, stream(), 4):
        assert torch.equal(model[1].running_mean, torch.zeros(64))
    assert not model[1].training


def test_a_batch_in_parts_has_the_gradient_of_the_whole():
    data = worker.on_device(DIGITS, "cpu")[0]
    whole = prepare(RUN, data, Path())
    in_parts = prepare(replace(RUN, bn_splits=5), data, Path())  # 48 = 10 + 10 + 10 + 10 + 8
    batch = whole.batches.batch(0)
    torch.testing.assert_close(update(whole, *batch), update(in_parts, *batch))
    for one, other in zip(whole.model.parameters(), in_parts.model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_the_evaluation_subset_is_stratified_and_the_same_for_every_run():
    data = worker.on_device(DIGITS, "cpu")[0]
    subsets = [prepare(replace(RUN, seed=seed, model=model), data, Path()).evaluated_on for seed, model in ((0, MLP), (5, DROPOUT))]
    assert torch.equal(subsets[0][0], subsets[1][0])
    shares = torch.bincount(subsets[0][1]) / 100
    expected = torch.bincount(data.val_y) / len(data.val_y)
    torch.testing.assert_close(shares, expected, atol=0.01, rtol=0)


def test_bf16_trains_on_a_cpu_and_is_another_run(tmp_path):
    exact, rounded = computed(RUN, tmp_path), computed(replace(RUN, precision="bf16"), tmp_path)
    assert exact.run_id != rounded.run_id
    assert not rounded.diverged
    assert curves(exact) != curves(rounded)
    assert rounded.column("val_loss")[-1] == pytest.approx(exact.column("val_loss")[-1], rel=0.05)


def test_the_best_and_the_last_weights_are_kept(tmp_path):
    record = computed(replace(RUN, lr=constant(0.5), keep="best", evaluate_after=tuple(range(1, 65))), tmp_path)
    metric, step = record.column("metric"), record.column("step")
    assert metric.argmax() != len(metric) - 1
    best = torch.load(tmp_path / f"{record.run_id}.best.pt", weights_only=True)
    assert best["step"] == step[metric.argmax()]
    assert torch.load(tmp_path / f"{record.run_id}.pt", weights_only=True)["step"] == 64
    assert not same(weights(tmp_path, record, ".best"), weights(tmp_path, record))


def test_the_whole_of_a_split_is_measured_at_the_end(tmp_path):
    record = computed(replace(SHORT, finally_on=("val", "test")), tmp_path)
    assert {name: record.result[name]["examples"] for name in ("val", "test")} == {"val": 360, "test": 359}


def test_training_seconds_leave_evaluations_out(tmp_path):
    whole = computed(replace(SHORT, evaluate_after=tuple(range(9)), eval_size=None), tmp_path)
    assert (np.diff(whole.column("seconds")) > 0).all()
    assert whole.rows[-1]["seconds"] <= whole.result["train_seconds"] + 1e-3
    assert whole.result["eval_seconds"] > 0


def test_tokens_have_a_loss_and_a_metric():
    outputs, targets = torch.zeros(2, 3, 4), torch.tensor([[0, 1, 2], [3, 0, 0]])
    outputs[0, 0, 0] = outputs[0, 1, 1] = outputs[0, 2, 2] = outputs[1, 0, 3] = 100.0
    assert accuracy(outputs, targets) == 1.0  # of four equal outputs the first is taken, and it is right
    assert cross_entropy(outputs, targets) == pytest.approx(2 * math.log(4) / 6)
    padded = torch.tensor([[0, 1, IGNORED], [1, IGNORED, 0]])
    assert accuracy(outputs, padded) == 0.75  # 1 where 3 is the largest is the one that is wrong
    assert cross_entropy(outputs, padded) == pytest.approx((100 + math.log(4)) / 4)


@pytest.fixture
def snapshot(tmp_path):
    parent = computed(replace(SHORT, keep="last"), tmp_path)
    child = replace(SHORT, parent=parent.run_id, at_step=8, steps=12, evaluate_after=(12,), lr=STILL)
    return tmp_path / f"{parent.run_id}.pt", child


def missing(path):
    path.unlink()


def truncated(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [missing, truncated, empty])
def test_a_snapshot_that_cannot_be_read_is_named(snapshot, damage):
    path, child = snapshot
    damage(path)
    with pytest.raises(StorageError, match=path.name):
        computed(child, path.parent)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": PartSpec("mlp", freeze({"hidden": [17]}))},
        {"model": BATCHNORM},
        {"optimizer": PartSpec("adamw")},
        {"optimizer": PartSpec("sgd", freeze({"velocity": "caffe"}))},
        {"at_step": 7},
    ],
)
def test_a_snapshot_of_another_architecture_optimizer_or_step_is_named(snapshot, changes):
    path, child = snapshot
    computed(child, path.parent)
    with pytest.raises(StorageError, match=path.name):
        computed(replace(child, **changes), path.parent)


def test_a_run_is_refused_where_it_is_not_what_its_id_says(tmp_path):
    with pytest.raises(worker.ChangedError, match="changed while the command ran"):
        worker.work(SHORT, identify(RUN), tmp_path, "cpu", 1)
    assert not list(tmp_path.iterdir())


def test_a_step_is_timed_over_samples_that_are_long_enough(tmp_path):
    spec = TimingSpec(DIGITS, MLP, PartSpec("sgd"), (8, 64), rounds=2)
    record = computed(spec, tmp_path)
    sizes = record.result["sizes"]
    assert [entry["size"] for entry in sizes] == [8, 64]
    count = len(sizes[0]["samples"])
    assert 2 * timing.PASSES <= count <= 2 * timing.PASSES * timing.MOST_ROUNDS
    assert len(sizes[1]["samples"]) == count
    assert record.result["train_seconds"] >= 2 * count * timing.SAMPLE_SECONDS
    steps = [timing.SAMPLE_SECONDS * count / max(entry["samples"]) for entry in sizes]
    assert record.result["examples"] > 0.9 * sum(entry["size"] * count for entry, count in zip(sizes, steps, strict=True))


@pytest.mark.parametrize(("even", "odd", "rounds"), [(1.0, 1.01, 2), (1.0, 1.5, 4)])
def test_more_samples_are_taken_only_where_the_two_halves_of_them_do_not_agree(tmp_path, monkeypatch, even, odd, rounds):
    took = itertools.cycle([even, even, odd, odd])  # of two sizes in turn
    monkeypatch.setattr(timing, "sample", lambda way, at_a_time, data, clock: (next(took), 1))
    record = computed(TimingSpec(DIGITS, MLP, PartSpec("sgd"), (8, 64), rounds=2), tmp_path)
    assert {len(entry["samples"]) for entry in record.result["sizes"]} == {rounds * timing.PASSES}


def test_a_thread_alone_is_timed_by_its_own_seconds_and_several_by_the_clock(monkeypatch):
    data = worker.on_device(DIGITS, "cpu")[0]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert timing.clock_of(data) is time.thread_time
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert timing.clock_of(data) is time.perf_counter


def refusing_above(largest, monkeypatch):
    """Updates run out of memory at batch sizes above `largest`, as they would on a GPU."""
    honest = arrays.update

    def update(training, x, y, seed=None):
        if len(y) > largest:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return honest(training, x, y, seed)

    monkeypatch.setattr(arrays, "update", update)


def test_batch_sizes_that_do_not_fit_are_left_out_and_the_largest_that_does_is_timed(tmp_path, monkeypatch):
    refusing_above(40, monkeypatch)
    record = computed(TimingSpec(DIGITS, MLP, PartSpec("sgd"), (8, 64, 128), rounds=1), tmp_path)
    assert [entry["size"] for entry in record.result["sizes"]] == [8, 32]  # half of 64
    assert record.result["too_large"] == [64, 128]


def test_where_no_batch_size_fits_smaller_ones_are_tried(tmp_path, monkeypatch):
    refusing_above(20, monkeypatch)
    record = computed(TimingSpec(DIGITS, MLP, PartSpec("sgd"), (64, 128), rounds=1), tmp_path)
    assert [entry["size"] for entry in record.result["sizes"]] == [16]


def test_a_batch_that_would_not_fit_in_memory_is_never_run_on_a_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "free_bytes", lambda: 2**30)
    grown = iter([0, 2**20, 25 * 2**20, *[26 * 2**20] * 99])  # a mebibyte an example: 1,024 of them leave no headroom
    monkeypatch.setattr(timing, "_resident_peak", lambda: next(grown))
    run, honest = [], arrays.update
    monkeypatch.setattr(arrays, "update", lambda training, x, y, seed=None: run.append(len(y)) or honest(training, x, y, seed))
    record = computed(TimingSpec(DIGITS, MLP, PartSpec("sgd"), (16, 1024), rounds=1), tmp_path)
    assert 1024 in record.result["too_large"]
    assert 1024 not in run


def test_a_row_has_the_lr_and_momentum_of_the_update_before_it(tmp_path):
    record = computed(RUN, tmp_path)
    at = [0, 15, 31, 47, 63]  # the row before the first update has the first one's
    assert record.column("lr").tolist() == values(RUN.lr, 64)[at].tolist()
    assert record.column("momentum").tolist() == values(RUN.momentum, 64)[at].tolist()


@pytest.mark.parametrize("init", [None, "msra"])
def test_each_seed_has_initial_weights_and_a_data_order_of_its_own(init):
    data = worker.on_device(DIGITS, "cpu")[0]
    first, again, other = (prepare(replace(RUN, seed=seed, init=init), data, Path()) for seed in (0, 0, 1))
    assert same(first.model.state_dict(), again.model.state_dict())
    assert not torch.equal(first.model.state_dict()["1.weight"], other.model.state_dict()["1.weight"])
    assert torch.equal(first.batches.indices(0), again.batches.indices(0))
    assert not torch.equal(first.batches.indices(0), other.batches.indices(0))


def test_no_two_steps_of_any_two_seeds_draw_the_same_dropout(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(arrays, "reseed", lambda device, number: seen.append(number))
    for seed in (0, 1):
        computed(replace(SHORT, model=DROPOUT, seed=seed), tmp_path)
    assert len(set(seen)) == len(seen) == 16


def test_a_loss_below_0_that_only_gets_less_good_has_not_diverged():
    levels = Levels(64, first=-5.0)
    assert not levels.diverged([torch.tensor(-4.0)])
    assert levels.diverged([torch.tensor(21.0)])


def test_the_best_weights_by_a_metric_that_is_better_when_lower_are_those_of_its_minimum(tmp_path):
    lower = replace(RUN, data=replace(DIGITS, metric_is="lower"), keep="best", evaluate_after=tuple(range(1, 65)))
    record = computed(lower, tmp_path)
    best = torch.load(tmp_path / f"{record.run_id}.best.pt", weights_only=True)
    assert best["step"] == record.column("step")[record.column("metric").argmin()]


def test_final_figures_are_in_fp32_whatever_the_run_was_computed_in(tmp_path):
    record = computed(replace(SHORT, precision="bf16", eval_size=None, finally_on=("val",)), tmp_path)
    assert record.result["val"]["loss"] != record.rows[-1]["val_loss"]  # of the same weights and examples, in bf16
    assert record.result["val"]["loss"] == pytest.approx(record.rows[-1]["val_loss"], rel=0.05)


def test_a_shifted_image_is_a_window_of_itself_with_its_borders_reflected():
    x = torch.arange(64, dtype=torch.uint8).reshape(1, 8, 8, 1)
    padded = np.pad(x[0, :, :, 0].numpy(), 4, mode="reflect")
    for top, left in ((0, 8), (4, 4), (7, 1)):
        (found,) = moved(x, torch.tensor([False]), torch.tensor([top]), torch.tensor([left]))
        assert found[:, :, 0].tolist() == padded[top : top + 8, left : left + 8].tolist()


def test_images_are_shifted_by_up_to_four_pixels_each_way_and_mirrored_half_of_the_time():
    mirrored, *shifts = draws("mirror-crop", 2000, np.random.default_rng(0))
    assert all(set(shift) == set(range(9)) for shift in shifts)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.05)
