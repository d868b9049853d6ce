"""What only a GPU can show of the engine: a run there, gone on with, out of memory, and the first page's command. The graphs' own tests are
in test_fused.py."""

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hpcheck.engine import arrays, checkpoints
from hpcheck.engine.graphs.worker import work_together
from hpcheck.engine.objectives import evaluate
from hpcheck.engine.pool import worker
from hpcheck.errors import Stopped
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import PartSpec, RunSpec, TimingSpec, freeze
from tests.support.engine_runs import DIGITS, RUN, computed

pytestmark = pytest.mark.gpu
CONFIGS = Path(__file__).parents[2] / "configs"
RESNET = replace(
    RUN,
    model=PartSpec("resnet_cifar", freeze({"depth": 8})),
    lr=constant(0.01),
    total_batch_size=32,
    steps=24,
    evaluate_after=(0, 5, 12, 24),
    bn_splits=4,
    keep="last",
)
CLOSE = 2e-3  # relative, of validation losses: another device takes its sums in another order, and its convolutions round to TF32


@pytest.mark.parametrize("spec", [pytest.param(RUN, id="perceptron"), pytest.param(RESNET, id="batchnorm in parts")])
def test_a_run_on_a_gpu_is_the_cpus(tmp_path: Path, spec: RunSpec) -> None:
    (tmp_path / "cpu").mkdir()
    found, expected = computed(spec, tmp_path, "cuda"), computed(spec, tmp_path / "cpu")
    assert found.environment["device"] == "cuda"
    np.testing.assert_allclose(found.column("val_loss"), expected.column("val_loss"), rtol=0.02)
    np.testing.assert_allclose(found.column("val_loss")[:1], expected.column("val_loss")[:1], rtol=CLOSE)


def test_a_single_graphed_run_is_the_run_step_by_step(tmp_path: Path) -> None:
    run_id = identify(RESNET)
    work_together([(run_id, RESNET)], tmp_path, "cuda", 1, "branches")
    (tmp_path / "eager").mkdir()
    found, expected = records.read(tmp_path / f"{run_id}.jsonl"), computed(RESNET, tmp_path / "eager", "cuda")
    assert found is not None
    assert found.result["together"] == "one CUDA graph"
    np.testing.assert_allclose(found.column("val_loss"), expected.column("val_loss"), rtol=0.01)


def test_a_run_stopped_on_a_gpu_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(RESNET, model=PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5})))
    (tmp_path / "whole").mkdir()
    expected = computed(spec, tmp_path / "whole", "cuda")
    original, calls = arrays.update, iter(range(100))

    def update(*arguments: object) -> object:
        if next(calls) == 8:
            checkpoints.ask_to_stop()
        return original(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_stop", [])
        patch.setattr(arrays, "update", update)
        with pytest.raises(Stopped):
            computed(spec, tmp_path, "cuda")
    found = computed(spec, tmp_path, "cuda")
    assert list(found.column("step")) == [0, 5, 12, 24]
    np.testing.assert_allclose(found.column("val_loss"), expected.column("val_loss"), rtol=1e-4)


def test_a_batch_that_does_not_fit_in_a_gpu_is_left_out_politely(tmp_path: Path) -> None:
    spec = TimingSpec(DIGITS, PartSpec("mlp", freeze({"hidden": [4096, 4096]})), PartSpec("sgd"), (64, 4096, 2**20))
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2 * 2**30 / total)
    try:
        found = computed(spec, tmp_path, "cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert {64, 4096} <= {size["size"] for size in found.result["sizes"]}
    assert 2**20 in found.result["too_large"]
    assert all(size["peak_bytes"] > 0 for size in found.result["sizes"])


def test_a_graphs_step_waits_for_nothing(tmp_path: Path) -> None:
    """Replays are enqueued without a word from the device: torch itself raises where one would wait."""
    from hpcheck.engine.graphs.step import EAGER_STEPS, Together
    from hpcheck.engine.loop import prepare

    spec = replace(RESNET, data=replace(DIGITS, augment="none"))
    data = worker.on_device(spec.data, "cuda")[0]
    together = Together([prepare(spec, data, tmp_path), prepare(replace(spec, seed=1), data, tmp_path)], "branches")
    together.advance(EAGER_STEPS + 1)
    torch.cuda.synchronize()
    with warnings.catch_warnings(action="ignore"):  # it warns that it is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        together.advance(10)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(together.losses[:, : EAGER_STEPS + 11]).all()


def test_evaluation_computes_what_the_cpus_does(tmp_path: Path) -> None:
    from hpcheck.engine.loop import prepare

    found = []
    for device in ("cpu", "cuda"):
        data = worker.on_device(DIGITS, device)[0]
        training = prepare(RESNET, data, tmp_path)
        found.append(evaluate(training.model, data.val_x, data.val_y, data, training.loss, training.metric))
    np.testing.assert_allclose(found[1], found[0], rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("together", ["off", "auto"])
def test_the_first_pages_command_runs_on_a_gpu(tmp_path: Path, together: str) -> None:
    overrides = ["-s", "run.device=cuda", "-s", f"run.together={together}"]
    command = [sys.executable, "-m", "hpcheck", "run", str(CONFIGS / "quickstart.yaml"), *overrides]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "runs" / "quickstart" / "recommended.yaml").exists()
    made = [records.read(path) for path in (tmp_path / "runs" / "quickstart" / "records").glob("*.jsonl")]
    assert {record.environment["device"] for record in made if record is not None} == {"cuda"}
    how = [record.result.get("together") for record in made if record is not None]
    assert any(how) == (together == "auto")
