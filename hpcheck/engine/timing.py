"""Step time and memory of one model at several batch sizes, measured interleaved on a machine that does nothing else."""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import torch

from hpcheck.data.memory import free_bytes
from hpcheck.engine.arrays import ArrayTraining
from hpcheck.engine.distributed import team
from hpcheck.engine.graphs.step import EAGER_STEPS, RefusedError, Together
from hpcheck.engine.loop import Data, prepare
from hpcheck.engine.memory import HEADROOM, PROBES, fits_free, search
from hpcheck.engine.training import Training
from hpcheck.optimizers.groups import set_hyper
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec, can_be_cut
from hpcheck.runs.step_samples import AGREE, disagreement

Way = Callable[[int], None]  # makes so many steps
WARM_UP_STEPS = 2
MOST_GRAPHED_STEPS = 1 << 20  # far more than samples take; a graph's schedules are as long
SAMPLE_SECONDS = 0.01  # ours: a sample lasts at least so long; the quickest of many counts, and a short one is more often undisturbed
PASSES = 5  # ours: samples of each size in a round ...
MOST_ROUNDS = 2  # ... and so many times the rounds asked for, as long as the two halves of the samples do not agree (runs/step_samples.py)


def measure(spec: TimingSpec, data: Data, record: RecordWriter, snapshots: Path) -> None:
    """Seconds of an update at each batch size, over interleaved rounds after a warm-up, and each size's peak memory. What counts is the
    quickest sample; where it is not the same in both halves of the samples, more are taken.

    A size that does not fit, and everything above it, is listed as "too_large" instead; the largest that does fit is looked for and timed
    with the rest. One model serves all sizes: it never learns here. Where a GPU's runs are graphed, so are these steps.
    """
    started = time.perf_counter()
    training = bare(spec, min(spec.batch_sizes), data, snapshots)
    peak_bytes: dict[int, int] = {}
    found = search(spec.batch_sizes, _fits(training, peak_bytes))
    ways = _graphed(spec, found.fit, data, snapshots) or {size: eager(training.at_size(size)) for size in found.fit}
    samples: dict[int, list[float]] = {size: [] for size in ways}
    steps, clock = dict.fromkeys(ways, WARM_UP_STEPS), clock_of(data)
    for number in range(MOST_ROUNDS * spec.rounds):
        if number >= spec.rounds and team.all_say(all(disagreement(taken) <= AGREE for taken in samples.values())):
            break
        for size, way in PASSES * list(ways.items()):
            seconds, made = sample(way, spec.steps_a_round, data, clock)
            samples[size].append(seconds / made)
            steps[size] += made
    sizes = [
        {"size": size, "seconds": statistics.median(samples[size]), "samples": samples[size], "peak_bytes": peak_bytes[size]}
        for size in ways
    ]
    record.finish(
        "finished",
        {
            "sizes": sizes,
            "too_large": list(found.too_large),
            "train_seconds": time.perf_counter() - started,  # all of it: the search for what fits too
            "examples": sum(size * made for size, made in steps.items()),
        },
    )


def bare(spec: Spec, size: int, data: Data, snapshots: Path) -> Training:
    """A training that only shows what its steps take."""
    return prepare(_as_run(spec, size), data, snapshots)


def _as_run(spec: Spec, size: int) -> RunSpec:
    return RunSpec(
        spec.data,
        spec.model,
        spec.optimizer,
        size,
        1,
        constant(0.0),
        constant(0.0),
        0.0,
        (1,),
        eval_size=1,
        precision=spec.precision,
        bn_splits=spec.bn_splits,
        reads=spec.reads,
    )


def _fits(training: Training, peak_bytes: dict[int, int]) -> Callable[[int], bool]:
    """Whether a batch size fits, told by running it; the peak of each that did goes into `peak_bytes`. None fits that
    cannot be cut into its parts."""
    parts = max(training.spec.bn_splits, team.size())
    if training.device.type == "cuda":
        return lambda size: can_be_cut(size, parts) and _fits_gpu(training.at_size(size), peak_bytes)
    measured = [(0, _resident_peak())]
    for size in PROBES:
        if training.has_batches_of(size * parts):
            _fits_cpu(training.at_size(size * parts), measured, {})
    return lambda size: can_be_cut(size, parts) and _fits_cpu(training.at_size(size), measured, peak_bytes)


def _fits_cpu(training: Training, measured: list[tuple[int, int]], peak_bytes: dict[int, int]) -> bool:
    """Whether some updates fit: run only where smaller batches say that they will, since a CPU never runs out politely."""
    size = training.spec.total_batch_size
    if (len(measured) > 1 and not team.all_say(fits_free(size, measured, free_bytes()))) or not _runs(training):
        return False
    peak_bytes[size] = _resident_peak()
    if size > measured[-1][0]:
        measured.append((size, peak_bytes[size]))
    return True


def _fits_gpu(training: Training, peak_bytes: dict[int, int]) -> bool:
    """Whether some updates fit and leave headroom. What others hold of the GPU counts as taken."""
    device = training.device
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    held, (free, _) = torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)
    if not _runs(training):
        return False
    peak_bytes[training.spec.total_batch_size] = torch.cuda.max_memory_allocated(device)
    return team.all_say(torch.cuda.max_memory_reserved(device) <= HEADROOM * (free + held))


def _runs(training: Training) -> bool:
    """Whether the warm-up steps run without running out of memory, in every process by itself; what they held is given back."""
    try:
        with team.apart():
            _warm_up(training.apart())
        ran = True
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        ran = False
    if team.all_say(ran):
        return True
    training.optimizer.zero_grad(set_to_none=True)
    gc.collect()
    if training.device.type == "cuda":
        torch.cuda.empty_cache()
    return False


def _warm_up(training: Training) -> None:
    for step in range(WARM_UP_STEPS):
        _one_step(training, step)


def _resident_peak() -> int:
    """Bytes that this process had in memory at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _one_step(training: Training, step: int) -> None:
    set_hyper(training.optimizer, 0.0, 0.0, 0.0)
    training.update(step)


def eager(training: Training) -> Way:
    """Steps as loop.py makes them, from where the warm-up ended."""
    numbers = count(WARM_UP_STEPS)

    def way(steps: int) -> None:
        for step in islice(numbers, steps):
            _one_step(training, step)

    return way


def _graphed(spec: TimingSpec, sizes: Sequence[int], data: Data, snapshots: Path) -> dict[int, Way]:
    """Steps as graphs make them, by batch size; none where runs are not graphed, or the sizes' graphs do not fit beside each other."""
    ways: dict[int, Way] = {}
    if spec.together == "off" or spec.devices > 1 or not _can_graph(data) or spec.data.task:
        return ways
    try:
        for size in sizes:
            training = prepare(replace(_as_run(spec, size), steps=MOST_GRAPHED_STEPS), data, snapshots)
            assert isinstance(training, ArrayTraining)  # only a task is something else
            together = Together([training], "branches")
            together.advance(EAGER_STEPS + 1)
            ways[size] = together.advance
    except RefusedError:
        return {}
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return {}
    return ways


def _can_graph(data: Data) -> bool:
    return data.device.type == "cuda"


def sample(way: Way, at_a_time: int, data: Data, clock: Callable[[], float]) -> tuple[float, int]:
    """Seconds that some steps took, and how many they were: so many at a time until `SAMPLE_SECONDS` have gone by."""
    started, done, seconds = clock(), 0, 0.0
    while team.agreed(int(seconds < SAMPLE_SECONDS)):
        way(at_a_time)
        if data.device.type == "cuda":
            torch.cuda.synchronize(data.device)
        done += at_a_time
        seconds = clock() - started
    return seconds, done


def clock_of(data: Data) -> Callable[[], float]:
    """The time that steps take. One thread on a CPU does nothing but compute, so its seconds of computing are what the step takes on a
    machine that does nothing else; threads, devices and files are waited for, and only the wall clock knows."""
    alone = data.device.type == "cpu" and torch.get_num_threads() == 1 and team.size() == 1
    return time.thread_time if alone and not data.waits else time.perf_counter


def is_out_of_memory(error: BaseException | None) -> bool:
    """CUDA has a class of its own for it; on a CPU the allocator's message says so. A graph's capture that ran out fails once more when it
    is ended, so what the error came from counts too."""
    if error is None:
        return False
    says_so = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
    return says_so or is_out_of_memory(error.__context__)
