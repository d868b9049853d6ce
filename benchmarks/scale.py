"""What the checklist costs on many devices, by a stated model: prints the tables of docs/scale.md.

    python benchmarks/scale.py

A step on n devices takes  compute(b) + exchange(n),  b examples on each device. Compute: b times the seconds of one example on one device.
Exchange: a ring all-reduce moves 2 (n - 1)/n of the gradient's bytes through each device's slowest link, after the share of it that
DDP hides behind the backward pass. Figures that nobody here has measured are named with their source.
"""

from dataclasses import dataclass

from hpcheck.checklist import costs
from hpcheck.config import parse
from hpcheck.steps.step import Asked, Facts

NVLINK, NETWORK = 300e9, 25e9  # bytes/s and device: A100's NVLink one way (NVIDIA's data sheet), one 200 Gb/s port a GPU (a DGX A100 has 8)
HIDDEN = 0.5  # assumed: share of the exchange that DDP overlaps with the backward pass
DEVICES_A_MACHINE = 8
REPEATS = 4  # `train.repeats`
EXAMPLES = 1_000_000  # so many that no run has the fewest iterations
CHECKLIST = "data: digits\nmodel: mlp\nbudget: {epochs: 90, hold: epochs}\n"  # a larger batch size does not lengthen the training


@dataclass(frozen=True)
class Job:
    """A full training: examples in all, seconds of one example on one device, bytes of its gradient, examples a device at a time."""

    name: str
    examples: float
    seconds: float
    gradient_bytes: float
    per_device: int


JOBS = (
    # 8.75 h for 90 epochs of 1,281,167 images on one A100 in mixed precision: NVIDIA NGC, "ResNet v1.5 for MXNet", performance page
    Job("ResNet-50, ImageNet, 90 epochs", 90 * 1_281_167, 8.75 * 3600 / (90 * 1_281_167), 25.6e6 * 4, 256),
    # 6 FLOP a parameter and token at 40% of an A100's 312 TFLOP/s (assumed); 20 tokens a parameter; sequences of 2,048, gradients in bf16
    Job("1e9 parameters, 20e9 tokens", 20e9 / 2048, 6e9 * 2048 / (0.4 * 312e12), 1e9 * 2, 8),
)


def exchange_seconds(job: Job, devices: int) -> float:
    """What is left of the exchange beside the backward pass."""
    link = NVLINK if devices <= DEVICES_A_MACHINE else NETWORK
    return (1 - HIDDEN) * 2 * (devices - 1) / devices * job.gradient_bytes / link


def efficiency(job: Job, devices: int) -> float:
    compute = job.per_device * job.seconds
    return compute / (compute + exchange_seconds(job, devices))


def hours(job: Job, devices: int) -> float:
    """One full training by DDP over all the devices."""
    return job.examples * job.seconds / devices / efficiency(job, devices) / 3600


def searched() -> tuple[float, float]:
    """The fewest and the most that the search costs, the re-probe included, in full trainings."""
    asked = Asked(parse(CHECKLIST, "scale"), Facts(EXAMPLES, EXAMPLES // 10, classes=True))
    searched = [one.examples for step, one in costs.bounds(asked).items() if step != "train"]
    fewest, most = (sum(ends) / (asked.config.budget.epochs * EXAMPLES) for ends in zip(*searched, strict=True))
    return fewest, most


def main() -> None:
    fewest, most = searched()
    print(f"search: {fewest:.1f} to {most:.1f} full trainings; final: {REPEATS}\n")
    for job in JOBS:
        print(f"{job.name}\n\n| devices | total batch | efficiency | one training, h | search, h | with final ones, h | device-hours |")
        print("|---|---|---|---|---|---|---|")
        for devices in (1, 8, 64, 1024):
            one = hours(job, devices)
            total = [(searching + REPEATS) * one for searching in (fewest, most)]
            columns = [f"{first:,.3g} - {last:,.3g}" for first, last in ((fewest * one, most * one), total)]
            columns.append(f"{total[0] * devices:,.0f} - {total[1] * devices:,.0f}")
            whole = f"{devices:,} | {devices * job.per_device:,} | {efficiency(job, devices):.0%} | {one:,.3g}"
            print(f"| {whole} | {' | '.join(columns)} |")
        print()


if __name__ == "__main__":
    main()
