"""Steps on a GPU: eager, as one CUDA graph, K members on side streams in one graph; and the data path beside them.

    python -m benchmarks gpu --subjects lenet,shallow3,resnet56,resnet56-parts --members 1,2,4,8,16

Contents do not matter to step times: where the data set is not at hand, random images of its shape are used, and the table says so.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks import loops
from benchmarks.rounds import conditions
from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.prepare import prepare as prepare_data
from hpcheck.engine.arrays import prepare
from hpcheck.engine.batches import OnDevice
from hpcheck.engine.graphs.step import EAGER_STEPS, Block, RefusedError, Together
from hpcheck.engine.pool import worker
from hpcheck.engine.timing import is_out_of_memory
from hpcheck.optimizers.groups import set_hyper
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import PartSpec, RunSpec, freeze

NETWORKS = {  # network, images (H, W, C), batch size
    "lenet": (PartSpec("lenet"), (28, 28, 1), 128),
    "shallow3": (PartSpec("shallow3"), (32, 32, 3), 128),
    "resnet56": (PartSpec("resnet_cifar", freeze({"depth": 56})), (32, 32, 3), 512),
    "resnet56-parts": (PartSpec("resnet_cifar", freeze({"depth": 56})), (32, 32, 3), 512),
    "wide32-parts": (PartSpec("resnet_cifar", freeze({"depth": 32, "widths": (16, 64, 256)})), (32, 32, 3), 512),
    "densenet40-parts": (PartSpec("densenet_cifar"), (32, 32, 3), 512),
}
PROFILED_STEPS = 20
PARTS = 4  # of a batch, of subjects "-parts": the paper's GPUs, each with its own BatchNorm statistics
EPOCHS, EXAMPLES = 95, 50_000  # the ResNet-56 training that is to take at most 75 s


def data_of(name: str, root: Path, device: torch.device) -> tuple[OnDevice, bool]:
    """The network's data on the device, and whether they are the real ones."""
    spec = loops.subject("lenet" if name == "lenet" else "shallow3", root).data
    try:
        return worker.on_device(spec, str(device))[0], True
    except DataError:
        random, shape = np.random.default_rng(0), NETWORKS[name][1]
        train, val = (Arrays(random.integers(0, 256, (n, *shape), np.uint8), np.arange(n) % 10) for n in (EXAMPLES, 1000))
        return OnDevice(prepare_data(Raw(train=train, val=val)), device), False


def spec_of(name: str, precision: str, steps: int) -> RunSpec:
    network, _, batch = NETWORKS[name]
    data = loops.subject("lenet" if name == "lenet" else "shallow3", Path()).data
    augment = "none" if name in ("lenet", "shallow3") else "mirror-crop" if name == "resnet56" else "mirror"
    still = constant(1e-4)
    return RunSpec(
        replace(data, augment=augment),
        network,
        PartSpec("sgd"),
        batch,
        steps,
        still,
        still,
        0.0,
        (steps,),
        eval_size=100,
        precision=precision,
        bn_splits=PARTS if name.endswith("-parts") else 1,
    )


def timed(work: Callable[[int], None], steps: int, rounds: int, device: torch.device) -> float:
    """Median seconds of a step over rounds of so many, the device waited for at the end of each."""
    samples = []
    for _ in range(rounds):
        wait(device)
        before = time.perf_counter()
        work(steps)
        wait(device)
        samples.append((time.perf_counter() - before) / steps)
    return statistics.median(samples)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def eager(spec: RunSpec, data: OnDevice) -> Callable[[int], None]:
    """loop.py's own step."""
    training = prepare(spec, data)
    set_hyper(training.optimizer, 1e-4, 0.9, 0.0)
    done = [0]

    def work(steps: int) -> None:
        for _ in range(steps):
            training.update(done[0])
            done[0] += 1

    work(EAGER_STEPS)
    return work


def together(spec: RunSpec, data: OnDevice, members: int, mode: str) -> Callable[[int], None]:
    found = Together([prepare(replace(spec, weight_decay=1e-4 * index), data) for index in range(members)], mode)
    found.advance(EAGER_STEPS + 1)
    return found.advance


def data_path(spec: RunSpec, data: OnDevice) -> Callable[[int], None]:
    """Batches made and nothing done with them: what the data alone take of a graphed step."""
    block = Block(prepare(spec, data).batches)
    at = torch.zeros(1, dtype=torch.int64, device=data.train_y.device)

    def work(steps: int) -> None:
        for step in range(steps):
            if step % len(block.rows) == 0:
                block.fill(step, len(block.rows))
            block.batch(at)

    return work


def measure(name: str, precision: str, members: list[int], given: argparse.Namespace, device: torch.device) -> dict[str, float | str]:
    """Seconds of a step by each way; a way that is refused or does not fit in memory says so."""
    data, _ = data_of(name, given.data, device)
    spec = spec_of(name, precision, given.steps * (given.rounds + 2) + PROFILED_STEPS + EAGER_STEPS + 1)
    ways: dict[str, Callable[[], Callable[[int], None]]] = {
        "data alone": partial(data_path, spec, data),
        "eager": partial(eager, spec, data),
    }
    ways |= {f"{count} {mode}": partial(together, spec, data, count, mode) for mode in given.modes.split(",") for count in members}
    found: dict[str, float | str] = {}
    for way, make in ways.items():
        try:
            work = make()
            work(given.steps)
            found[way] = timed(work, given.steps, given.rounds, device)
            if device.type == "cuda" and not way.endswith(("eager", "alone")):
                found[f"{way}, asked for"] = enqueued(work, given.steps)
            if given.profile is not None and way[:2] in ("1 ", "4 "):
                profiled(work, f"{name}, {precision}, {way}", given.profile)
            del work
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            found[way] = "out of memory"
        except RefusedError as error:
            found[way] = str(error)
    return found


def profiled(work: Callable[[int], None], title: str, path: Path, steps: int = PROFILED_STEPS) -> None:
    """Append the kernels that a step spends its time in: microseconds and launches of a step, the longest first."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        work(steps)
        torch.cuda.synchronize()
    kernels: dict[str, list[float]] = {}
    for event in profile.events() or []:
        if event.device_type == torch.autograd.DeviceType.CUDA:
            kernels.setdefault(event.name, []).append(event.time_range.elapsed_us())
    with path.open("a", encoding="utf-8") as file:
        count, total = sum(map(len, kernels.values())) / steps, sum(map(sum, kernels.values())) / steps
        print(f"{title}: {count:.0f} kernels of {total:.0f} us altogether a step", file=file)
        for name, times in sorted(kernels.items(), key=lambda item: -sum(item[1]))[:40]:
            print(f"  {sum(times) / steps:9.1f} us {len(times) / steps:7.1f} x  {name[:150]}", file=file)


def enqueued(work: Callable[[int], None], steps: int) -> float:
    """Seconds of a step until the host has asked for it, the device not waited for."""
    wait(torch.device("cuda"))
    before = time.perf_counter()
    work(steps)
    seconds = (time.perf_counter() - before) / steps
    wait(torch.device("cuda"))
    return seconds


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--subjects", default=",".join(NETWORKS))
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--members", default="1,2,4,8,16")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--modes", default="branches,compiled")
    parser.add_argument("--cudnn-benchmark", action="store_true", help="let cuDNN try its kernels instead of choosing by rule")
    parser.add_argument("--profile", type=Path, help="also write where the time of a graphed step goes, kernel by kernel, to this file")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HPCHECK_DATA", "data")))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    device = worker.resolve_device(given.device)
    torch.backends.cudnn.benchmark = given.cudnn_benchmark
    counts = [int(count) for count in given.members.split(",")]
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    there = conditions()
    print(f"\nsteps on {where}, {there['date']}, torch {there['versions']['torch']}; ms a step of all members\n")
    for name in given.subjects.split(","):
        real = data_of(name, given.data, device)[1]
        for precision in given.precisions.split(","):
            found = measure(name, precision, counts, given, device)
            print(f"{name}, {precision}, batch {NETWORKS[name][2]}{'' if real else ', random images'}")
            for way, seconds in found.items():
                print(f"  {way:14} {seconds if isinstance(seconds, str) else f'{seconds * 1e3:.3f} ms'}", flush=True)
            for line in verdicts(name, found):
                print(f"  {line}")
            if given.out is not None:
                with given.out.open("a", encoding="utf-8") as file:
                    file.write(
                        json.dumps({"title": f"gpu: {name}, {precision}", "seconds": found, "device": where, "conditions": there}) + "\n"
                    )


def verdicts(name: str, found: dict[str, float | str]) -> list[str]:
    """The issue's ratios, where their parts were measured."""
    seconds = {way: value for way, value in found.items() if isinstance(value, float) and "asked" not in way}
    four, one = (min((value for way, value in seconds.items() if way.startswith(count)), default=None) for count in ("4 ", "1 "))
    lines = []
    if one is None:
        return lines
    if four is not None and "eager" in seconds:
        lines.append(f"grid of 4 / one graphed run: {four / one:.2f} (<= 1.3); / one eager run: {four / seconds['eager']:.2f} (<= 0.5)")
    lines.append(f"data alone / one graphed step: {seconds['data alone'] / one:.2f}")
    if name.startswith("resnet56"):
        lines.append(f"{EPOCHS} epochs: {EPOCHS * EXAMPLES / NETWORKS[name][2] * one:.0f} s without evaluations (< 75)")
    return lines
