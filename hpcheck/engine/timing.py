"""Step time and memory of one model at several batch sizes, measured interleaved on a machine that does nothing else."""

import resource
import statistics
import time
from pathlib import Path

import torch

from hpcheck.engine.batches import OnDevice
from hpcheck.engine.loop import Training, prepare, update
from hpcheck.optimizers._groups import set_hyper
from hpcheck.records import RecordWriter
from hpcheck.schedules import constant
from hpcheck.spec import RunSpec, TimingSpec

WARM_UP_STEPS = 2
HEADROOM = 0.9  # ours: share of the device's memory that a batch size may take, so that evaluation and fragmentation fit beside it


def measure(spec: TimingSpec, data: OnDevice, record: RecordWriter, snapshots: Path) -> None:
    """Median seconds of an update at each batch size, over interleaved rounds after a warm-up, and each size's peak memory.

    A size that does not fit is reported with `seconds` None and everything above it is left out.
    """
    trainings: dict[int, Training] = {}
    peak_bytes: dict[int, int] = {}
    for size in spec.batch_sizes:
        try:
            trainings[size] = prepare(_as_run(spec, size), data, snapshots)
            peak_bytes[size] = _peak_memory(trainings[size], data)
        except torch.OutOfMemoryError:
            trainings.pop(size, None)
            break
    samples: dict[int, list[float]] = {size: [] for size in trainings}
    steps_done = WARM_UP_STEPS
    for _ in range(spec.rounds):
        for size, training in trainings.items():
            samples[size].append(_seconds_a_step(training, steps_done, spec.steps_a_round))
        steps_done += spec.steps_a_round
    sizes = [
        {"size": size, "seconds": statistics.median(samples[size]), "samples": samples[size], "peak_bytes": peak_bytes[size]}
        for size in trainings
    ]
    record.finish(
        "finished",
        {
            "sizes": sizes,
            "too_large": [size for size in spec.batch_sizes if size not in trainings],
            "train_seconds": sum(sum(samples[size]) * spec.steps_a_round for size in trainings),
            "examples": sum(size * steps_done for size in trainings),
        },
    )


def _as_run(spec: TimingSpec, size: int) -> RunSpec:
    return RunSpec(
        spec.data, spec.model, spec.optimizer, size, 1, constant(0.0), constant(0.0), 0.0, (1,), eval_size=1, precision=spec.precision
    )


def _peak_memory(training: Training, data: OnDevice) -> int:
    """Bytes at the peak of the warm-up steps: allocated on a GPU, resident in the process on a CPU.

    Raises `torch.OutOfMemoryError` where the steps do not fit, or fit without headroom.
    """
    device = data.train_x.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for step in range(WARM_UP_STEPS):
        _one_step(training, step)
    if device.type != "cuda":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = torch.cuda.max_memory_allocated(device)
    if peak > HEADROOM * torch.cuda.get_device_properties(device).total_memory:
        raise torch.OutOfMemoryError(f"batch size {training.spec.total_batch_size} leaves no headroom")
    return peak


def _one_step(training: Training, step: int) -> None:
    set_hyper(training.optimizer, 0.0, 0.0, 0.0)
    update(training, *training.batches.batch(step))


def _seconds_a_step(training: Training, first: int, steps: int) -> float:
    started = time.perf_counter()
    for step in range(first, first + steps):
        _one_step(training, step)
    if training.batches.data.train_x.is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / steps
