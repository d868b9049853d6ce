"""What makes steps faster changes no number: seeding one generator, kept memory, and bf16 that stays close to fp32."""

from dataclasses import replace

import pytest
import torch

from hpcheck.engine.arrays import reseed
from hpcheck.engine.loop import prepare
from hpcheck.engine.objectives import arithmetic, evaluate
from hpcheck.engine.pool.malloc import keep_freed_memory
from hpcheck.engine.pool.worker import on_device
from tests.support.engine_runs import RUN, computed

CPU = torch.device("cpu")


def test_seeding_the_cpu_generator_draws_what_manual_seed_draws():
    torch.manual_seed(7)
    expected = torch.rand(3)
    reseed(CPU, 7)
    assert torch.equal(torch.rand(3), expected)


def test_kept_memory_changes_no_number():
    x = torch.linspace(0, 1, 2**20)
    before = (x.sin() * x).sum()
    keep_freed_memory()
    assert torch.equal((x.sin() * x).sum(), before)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_evaluations_along_the_way_compute_in_the_precision_of_the_run(tmp_path, precision, expected):
    data = on_device(RUN.data, "cpu")[0]
    training = prepare(replace(RUN, precision=precision), data, tmp_path)
    seen = []
    training.model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))
    with arithmetic(CPU, precision):
        val_loss, _ = evaluate(training.model, *training.evaluated_on, data, training.loss, training.metric)
    assert set(seen) == {expected}
    assert isinstance(val_loss, float)


def test_a_bf16_run_stays_close_to_fp32_and_its_final_figures_are_fp32(tmp_path):
    spec = replace(RUN, finally_on=("val",), keep="last")
    full, half = computed(spec, tmp_path), computed(replace(spec, precision="bf16"), tmp_path)
    assert half.column("val_loss") == pytest.approx(full.column("val_loss"), rel=0.05)
    assert list(half.column("val_loss")) != list(full.column("val_loss"))
    data = on_device(spec.data, "cpu")[0]
    training = prepare(spec, data, tmp_path)
    training.model.load_state_dict(torch.load(tmp_path / f"{half.run_id}.pt", weights_only=True)["model"])
    loss, metric = evaluate(training.model, data.val_x, data.val_y, data, training.loss, training.metric)
    assert (half.result["val"]["loss"], half.result["val"]["metric"]) == (loss, metric)
