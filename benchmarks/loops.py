"""The three training loops compared, alike in model, order and evaluations: the naive PyTorch one, the best bare one, hpcheck's."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.transforms import v2

from hpcheck.data.split import stratified_subset
from hpcheck.engine.batches import BatchStream, OnDevice
from hpcheck.engine.loop import train
from hpcheck.engine.pool import worker
from hpcheck.optimizers.groups import declared_multipliers
from hpcheck.plugins import find
from hpcheck.runs import records, schedules
from hpcheck.runs.identity import identify
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly

Rows = list[tuple[int, float, float]]  # step, validation loss, accuracy
EVAL_BATCH = 128


@dataclass(frozen=True)
class Subject:
    """A network and its data, as the comparisons train them."""

    name: str
    data: DataSpec
    lr: float


def subject(name: str, root: Path) -> Subject:
    """`lenet` on MNIST, or `shallow3` on CIFAR-10."""
    if name == "lenet":
        return Subject(name, DataSpec("mnist", root=str(root), normalize="unit"), 0.02)
    return Subject(name, DataSpec("cifar10", root=str(root), normalize="mean-image"), 0.001)


def spec_of(what: Subject, steps: int, batch: int = 128, evals: int = 5, eval_size: int = 500, **changes: Any) -> RunSpec:
    """A short run at constant lr and momentum."""
    spec = RunSpec(
        what.data,
        PartSpec(what.name),
        PartSpec("sgd"),
        batch,
        steps,
        constant(what.lr),
        constant(0.9),
        1e-4,
        evenly(steps, evals),
        eval_size,
    )
    return replace(spec, **changes)


class Pictures(Dataset[tuple[Tensor, int]]):
    """A data set as torchvision's own are written: an array turned into a PIL image at each access, then transforms."""

    def __init__(self, x: np.ndarray, y: np.ndarray, transform: v2.Transform) -> None:
        self.x, self.y, self.transform = x, y, transform

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.x[index]
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        return self.transform(picture), int(self.y[index])


def transform_of(data: OnDevice) -> v2.Transform:
    """PIL image to normalised (C, H, W) floats, the numbers that hpcheck's networks see too."""
    shift, scale = (torch.from_numpy(np.atleast_1d(value)) for value in (data.prepared.shift, data.prepared.scale))
    shift, scale = (value.permute(2, 0, 1) if value.ndim == 3 else value[:, None, None] for value in (shift, scale))
    to_tensor = [v2.PILToTensor(), v2.ToDtype(torch.float32)]
    return v2.Compose([*to_tensor, v2.Lambda(lambda x: (x - shift) * scale)])


class SameOrder:
    """The batches of a run as a DataLoader's batch sampler."""

    def __init__(self, spec: RunSpec, data: OnDevice) -> None:
        self.stream, self.steps = BatchStream(data, spec.total_batch_size, spec.seed, "none"), spec.steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        return (self.stream.indices(step).tolist() for step in range(self.steps))


def picture_loaders(spec: RunSpec, data: OnDevice, workers: int = 0) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Training and validation loaders that make each example from a PIL image."""
    prepared, transform = data.prepared, transform_of(data)
    training = DataLoader(Pictures(prepared.train.x, prepared.train.y, transform), batch_sampler=SameOrder(spec, data), num_workers=workers)
    rows = stratified_subset(prepared.val.y, spec.eval_size or len(prepared.val.y), 0)
    validation = DataLoader(Subset(Pictures(prepared.val.x, prepared.val.y, transform), rows.tolist()), EVAL_BATCH, num_workers=workers)
    return training, validation


def fresh_model(spec: RunSpec, data: OnDevice) -> nn.Module:
    torch.manual_seed(spec.seed)
    model: nn.Module = find.load("models", spec.model.name)(data.prepared.input_shape, data.prepared.outputs)
    return model


def groups_of(model: nn.Module, spec: RunSpec, lr: float) -> list[dict[str, Any]]:
    """One parameter group a parameter, with the network's own multipliers of lr and decay, as tutorials write them."""
    declared = declared_multipliers(model)
    multipliers = {name: declared.get(name, (1.0, 1.0)) for name, _ in model.named_parameters()}
    return [
        {"params": [weight], "lr": lr * multipliers[name][0], "weight_decay": spec.weight_decay * multipliers[name][1]}
        for name, weight in model.named_parameters()
    ]


def naive(spec: RunSpec, data: OnDevice, workers: int = 0) -> Rows:
    """The tutorial loop: DataLoader, PIL transforms, NCHW, `loss.item()` at every step, fp32."""
    training, validation = picture_loaders(spec, data, workers)
    lr, momentum = (schedules.values(knots, spec.steps)[0] for knots in (spec.lr, spec.momentum))
    model = fresh_model(spec, data)
    optimizer = torch.optim.SGD(groups_of(model, spec, lr), lr, momentum, nesterov=True)
    rows: Rows = []
    running_loss = 0.0
    model.train()
    for step, (x, y) in enumerate(training, start=1):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        if step in spec.evaluate_after:
            model.eval()
            total, right, count = 0.0, 0, 0
            with torch.no_grad():
                for x_val, y_val in validation:
                    outputs = model(x_val)
                    total += F.cross_entropy(outputs, y_val, reduction="sum").item()
                    right += int((outputs.argmax(1) == y_val).sum())
                    count += len(y_val)
            rows.append((step, total / count, right / count))
            model.train()
    return rows


def bare(spec: RunSpec, data: OnDevice) -> Rows:
    """The fastest plain loop we know: everything in memory, channels_last, one fused update, nothing recorded but the evaluations."""
    model = fresh_model(spec, data).to(memory_format=torch.channels_last)
    lrs, momenta = (schedules.values(knots, spec.steps).tolist() for knots in (spec.lr, spec.momentum))
    by_multipliers: dict[tuple[float, float], list[nn.Parameter]] = {}
    declared = declared_multipliers(model)
    for name, weight in model.named_parameters():
        by_multipliers.setdefault(declared.get(name, (1.0, 1.0)), []).append(weight)
    groups = [{"params": weights, "weight_decay": spec.weight_decay * pair[1]} for pair, weights in by_multipliers.items()]
    optimizer = torch.optim.SGD(groups, 0.1, 0.9, nesterov=True, fused=True)
    stream = BatchStream(data, spec.total_batch_size, spec.seed, "none")
    rows_of_val = torch.from_numpy(stratified_subset(data.prepared.val.y, spec.eval_size or len(data.val_y), 0))
    x_val, y_val = data.val_x[rows_of_val], data.val_y[rows_of_val]
    evaluate_after, rows = set(spec.evaluate_after), []
    half = spec.precision == "bf16"
    for step in range(spec.steps):
        picked = stream.indices(step)
        x, y = data.normalised(data.train_x[picked]), data.train_y[picked]
        for group, pair in zip(optimizer.param_groups, by_multipliers, strict=True):
            group["lr"], group["momentum"] = lrs[step] * pair[0], momenta[step]
        with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step + 1 in evaluate_after:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                outputs = torch.cat([model(data.normalised(part)).float() for part in torch.split(x_val, EVAL_BATCH)])
            accuracy = float((outputs.argmax(1) == y_val).float().mean())
            rows.append((step + 1, float(F.cross_entropy(outputs, y_val)), accuracy))
    return rows


def hpchecks(spec: RunSpec, data: OnDevice) -> Rows:
    """hpcheck's own loop in this process: a record on disk, divergence watched, checkpoints where it lasts long enough."""
    with tempfile.TemporaryDirectory() as folder:
        run_id, path = identify(spec), Path(folder)
        environment = worker.environment(torch.device("cpu"), torch.get_num_threads())
        with closing(RecordWriter(path / f"{run_id}.jsonl", run_id, spec, environment)) as record:
            train(spec, data, record, path)
        rows = rows_of(records.read(path / f"{run_id}.jsonl"))
    if rows[-1][0] != spec.steps:
        raise RuntimeError("the run diverged")
    return rows


def rows_of(record: records.RunRecord | None) -> Rows:
    if record is None:
        raise RuntimeError("the run left no finished record")
    return [(int(row["step"]), row["val_loss"], row["metric"]) for row in record.rows]


def largest_gap(a: Rows, b: Rows) -> float:
    """Largest relative difference between two runs' validation losses: that the arms computed the same."""
    if [row[0] for row in a] != [row[0] for row in b]:
        raise RuntimeError("the arms were not evaluated after the same steps")
    return max(abs(one[1] - other[1]) / abs(other[1]) for one, other in zip(a, b, strict=True))
