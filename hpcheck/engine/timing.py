"""Step time and memory of one model at several batch sizes, measured interleaved on a machine that does nothing else."""

import resource
import statistics
import sys
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
SAMPLE_SECONDS = 0.05  # ours: a sample lasts at least so long, lest one interruption by another process double it
HEADROOM = 0.9  # ours: share of the device's memory that a batch size may take, so that evaluation and fragmentation fit beside it


def measure(spec: TimingSpec, data: OnDevice, record: RecordWriter, snapshots: Path) -> None:
    """Median seconds of an update at each batch size, over interleaved rounds after a warm-up, and each size's peak memory.

    A size that does not fit, and everything above it, is listed as "too_large" instead.
    """
    trainings: dict[int, Training] = {}
    peak_bytes: dict[int, int] = {}
    for size in spec.batch_sizes:
        try:
            trainings[size] = prepare(_as_run(spec, size), data, snapshots)
            peak_bytes[size] = _peak_memory(trainings[size], data)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            trainings.pop(size, None)
            break
    samples: dict[int, list[float]] = {size: [] for size in trainings}
    steps = dict.fromkeys(trainings, WARM_UP_STEPS)
    train_seconds = 0.0
    for _ in range(spec.rounds):
        for size, training in trainings.items():
            seconds, count = _sample(training, steps[size], spec.steps_a_round)
            samples[size].append(seconds / count)
            steps[size] += count
            train_seconds += seconds
    sizes = [
        {"size": size, "seconds": statistics.median(samples[size]), "samples": samples[size], "peak_bytes": peak_bytes[size]}
        for size in trainings
    ]
    record.finish(
        "finished",
        {
            "sizes": sizes,
            "too_large": [size for size in spec.batch_sizes if size not in trainings],
            "train_seconds": train_seconds,
            "examples": sum(size * count for size, count in steps.items()),
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
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    peak = torch.cuda.max_memory_allocated(device)
    if peak > HEADROOM * torch.cuda.get_device_properties(device).total_memory:
        raise torch.OutOfMemoryError(f"batch size {training.spec.total_batch_size} leaves no headroom")
    return peak


def _one_step(training: Training, step: int) -> None:
    set_hyper(training.optimizer, 0.0, 0.0, 0.0)
    update(training, *training.batches.batch(step))


def _sample(training: Training, first: int, at_a_time: int) -> tuple[float, int]:
    """Seconds that some steps took, and how many they were: so many at a time until `SAMPLE_SECONDS` have gone by."""
    started, done, seconds = time.perf_counter(), 0, 0.0
    while seconds < SAMPLE_SECONDS:
        for step in range(first + done, first + done + at_a_time):
            _one_step(training, step)
        if training.batches.data.train_x.is_cuda:
            torch.cuda.synchronize()
        done += at_a_time
        seconds = time.perf_counter() - started
    return seconds, done


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class of its own for it; on a CPU the allocator's message says so."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
