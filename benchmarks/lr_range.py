"""The lr range test beside its peers': torch-lr-finder with and without a validation loader, fastai's and Lightning's lr finders.

    python -m benchmarks lr-range --steps 200

Same network, examples in the same order, iterations and validation examples; lr from 1e-4 to 0.05. The peers evaluate after every iteration
where they evaluate at all; hpcheck, as it does by default, 25 times.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import loops
from benchmarks.rounds import CLOCKS, interleaved, shown
from hpcheck.engine.batches import OnDevice
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.malloc import keep_freed_memory
from hpcheck.runs.schedules import ramp
from hpcheck.runs.spec import RunSpec, evenly

LOWEST, HIGHEST = 1e-4, 0.05  # below divergence: every arm makes all of its iterations
EVALS = 25  # hpcheck's default


def tensor_loaders(spec: RunSpec, data: OnDevice) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The same examples as tensors in memory, normalised beforehand: the fastest that a DataLoader can be."""
    training, validation = loops.picture_loaders(spec, data)
    rows = list(validation.dataset.indices)

    def tensors(x: Tensor, y: Tensor) -> TensorDataset:
        return TensorDataset(data.normalised(x), y)

    return (
        DataLoader(tensors(data.train_x, data.train_y), batch_sampler=training.batch_sampler),
        DataLoader(tensors(data.val_x[rows], data.val_y[rows]), loops.EVAL_BATCH),
    )


def torch_lr_finder(spec: RunSpec, data: OnDevice, *, validated: bool, pictures: bool) -> None:
    from torch_lr_finder import LRFinder

    training, validation = loops.picture_loaders(spec, data) if pictures else tensor_loaders(spec, data)
    model = loops.fresh_model(spec, data)
    optimizer = torch.optim.SGD(model.parameters(), LOWEST, 0.9, weight_decay=spec.weight_decay, nesterov=True)
    finder = LRFinder(model, optimizer, torch.nn.CrossEntropyLoss(), device="cpu")
    finder.range_test(
        training,
        val_loader=validation if validated else None,
        end_lr=HIGHEST,
        num_iter=spec.steps,
        step_mode="linear",
        diverge_th=1e9,
    )
    if len(finder.history["loss"]) != spec.steps:
        raise RuntimeError("torch-lr-finder stopped early")


def fastais(spec: RunSpec, data: OnDevice) -> None:
    from fastai.callback.schedule import LRFinder
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import SGD

    training, validation = tensor_loaders(spec, data)
    model = loops.fresh_model(spec, data)
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(DataLoaders(training, validation), model, torch.nn.CrossEntropyLoss(), opt_func=SGD, path=folder)
        finder = LRFinder(start_lr=LOWEST, end_lr=HIGHEST, num_it=spec.steps, stop_div=False)
        with learner.no_logging(), learner.no_bar():
            learner.fit(1 + spec.steps // len(training), cbs=finder)


def lightnings(spec: RunSpec, data: OnDevice) -> None:
    import lightning
    from lightning.pytorch.tuner import Tuner

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.lr = loops.fresh_model(spec, data), LOWEST

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            x, y = batch
            return torch.nn.functional.cross_entropy(self.model(x), y)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), self.lr, 0.9, weight_decay=spec.weight_decay, nesterov=True)

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    training, _ = tensor_loaders(spec, data)
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(accelerator="cpu", devices=1, max_epochs=-1, default_root_dir=folder, **quiet)
        Tuner(trainer).lr_find(
            Module(),
            training,
            min_lr=LOWEST,
            max_lr=HIGHEST,
            num_training=spec.steps,
            mode="linear",
            early_stop_threshold=None,
            update_attr=False,
        )


def arms_of(spec: RunSpec, data: OnDevice, wanted: str) -> dict[str, Callable[[], Any]]:
    """What is timed; `unvalidated` leaves hpcheck's evaluations out too, but for the last."""
    alone = loops.replace(spec, evaluate_after=(spec.steps,), eval_size=1)
    validated = {
        "hpcheck, 25 validations": lambda: loops.hpchecks(spec, data),
        "torch-lr-finder, validated": lambda: torch_lr_finder(spec, data, validated=True, pictures=True),
        "torch-lr-finder, validated, tensors in memory": lambda: torch_lr_finder(spec, data, validated=True, pictures=False),
    }
    unvalidated = {
        "hpcheck, no validation": lambda: loops.hpchecks(alone, data),
        "torch-lr-finder": lambda: torch_lr_finder(spec, data, validated=False, pictures=True),
        "torch-lr-finder, tensors in memory": lambda: torch_lr_finder(spec, data, validated=False, pictures=False),
        "fastai, tensors in memory": lambda: fastais(spec, data),
        "Lightning, tensors in memory": lambda: lightnings(spec, data),
    }
    return {"validated": validated, "unvalidated": unvalidated}[wanted]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks lr-range", description=__doc__)
    parser.add_argument("--arms", choices=["validated", "unvalidated"], default="validated")
    parser.add_argument("--subject", choices=["lenet", "shallow3"], default="lenet")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--validation", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu, with --threads 1, on a machine that others use")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    what = loops.subject(given.subject, given.data)
    lr = ramp(LOWEST, HIGHEST, given.steps)
    spec = loops.spec_of(what, given.steps, lr=lr, evaluate_after=evenly(given.steps, EVALS), eval_size=given.validation)
    data = worker.on_device(spec.data, "cpu")[0]
    arms = arms_of(spec, data, given.arms)
    timed = interleaved(arms, given.rounds, warm_up=False, clock=given.clock)
    title = (
        f"lr range test: {given.subject}, {given.steps} iterations at batch 128, {given.validation} to validate on, {given.threads} threads"
    )
    shown(title, timed, next(iter(arms)), given.out)
