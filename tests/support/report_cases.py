"""Hand-made readings for the tests of plots and report: every kind of picture, evidence and empty state, with no training behind them."""

import math
from pathlib import Path
from typing import Any

from hpcheck import config as configs
from hpcheck.config import Config
from hpcheck.drawing.panels import Box, Panel, Series
from hpcheck.recommendation.metric import Metric
from hpcheck.steps.reading import Evidence, Reading, Settings

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(128, 0.2, 0.02, 0.9, 0.85, 1e-3, 100.0)
METRIC = Metric("accuracy", percent=True)
HOSTILE = "<img src=x onerror=\"alert('1')\">&</script>"


def config(*overrides: str) -> Config:
    return configs.load(ROOT / "configs" / "quickstart.yaml", ["start.max_lr=0.1", *overrides])


def falling(label: str, to: float, steps: int = 26, start: float = 2.3, **more: Any) -> Series:
    """A loss that falls from `start` towards `to`, with a ripple that stands for noise."""
    x = tuple(8.0 * step for step in range(steps))
    smooth = tuple(to + (start - to) * math.exp(-step / 4.0) for step in range(steps))
    raw = tuple(value * (1 + 0.07 * math.sin(2.1 * step)) for step, value in enumerate(smooth))
    return Series(label, x, raw, smooth, **more)


def ramp(label: str = "validation loss", until: float = 0.6, blows_up: bool = True) -> Series:
    """A range test: the loss falls, is flat, then runs away by orders of magnitude and ends as NaN."""
    x = tuple(until * step / 25 for step in range(1, 26))
    smooth = [0.3 + 2.0 * math.exp(-lr / 0.05) for lr in x]
    raw = [value * (1 + 0.05 * math.cos(3 * index)) for index, value in enumerate(smooth)]
    if blows_up:
        smooth[19:] = [math.nan] * 6
        raw[19:] = [1.9, 6.0, 640.0, 8e4, math.inf, math.nan]
    return Series(label, x, tuple(raw), tuple(smooth))


def lr_range() -> Reading:
    limit = Evidence("lr_limit", 0.45, "chosen", "high", "the loss turns up for good above 0.45", "section 4.1", (0.4, 0.5))
    items = (
        Evidence(
            "learning_rate",
            0.2,
            "tied",
            "medium",
            "0.2, 0.4 cannot be told apart by their validation loss; 0.2 keeps a factor of 2 away",
            "section 4.1; section 5, item 1",
            (0.2, 0.566),
            tied=(0.2, 0.4),
            clues=("plateau (flat), lr 2e-05 to 0.19: the loss has become horizontal, which is the goal [section 3.1, Remark 2]",),
            considered=((0.1, 0.31, 0.002), (0.2, 0.1286, 0.002), (0.4, 0.1447, 0.0031), (0.8, math.inf, 0.0)),
        ),
        limit,
    )
    boxes = (
        Box(
            0.02,
            0.07,
            "overfitting",
            "overfitting (small-lr-bump), lr 0.02 to 0.07: raise the smallest learning rate [section 3.1, Fig. 1a]",
        ),
        Box(0.15, 0.4, "plateau"),
        Box(0.46, 0.6, "divergence", "divergence (sharp-rise), lr 0.46 to 0.6: a smaller maximum learning rate [section 3.3, Fig. 4a]"),
        Box(0.5, 0.6, "divergence", "divergence (sharp-rise), lr 0.46 to 0.6: a smaller maximum learning rate [section 3.3, Fig. 4a]"),
    )
    marks = ((0.45, "limit 0.45"), (0.4, "limit by accuracy 0.4"), (0.2, "max lr 0.2"))
    loss = Panel("LR range test", "learning rate", "loss", (ramp(), ramp("training loss")), marks, boxes)
    lines = ramp().x
    accuracy = tuple(0.98 - 0.9 * math.exp(-lr / 0.04) if lr < 0.45 else 0.1 for lr in lines)
    metric = Panel("LR range test, metric", "learning rate", "validation metric", (Series("metric", lines, accuracy, accuracy),), marks)
    names = ("max 0.1", "max 0.2", "max 0.4", "max 0.8")
    cycles = tuple(falling(name, to, chosen=name == "max 0.2") for name, to in zip(names, (0.31, 0.13, 0.14, 0.5), strict=True))
    return Reading(
        "lr-range", SETTINGS, items, (loss, metric, Panel("Short 1cycles", "iteration", "validation loss", cycles)), runs=("a", "b")
    )


def wd_grid(status: str = "chosen") -> Reading:
    values = (0.0, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    lines = tuple(
        falling(f"weight decay {value:g}", 0.1 + 0.02 * abs(index - 4.2), chosen=value == 1e-3) for index, value in enumerate(values)
    )
    item = Evidence(
        "weight_decay",
        1e-3,
        status,
        "none" if status == "abstained" else "high",
        "0.001 has the best validation loss, 4.7 standard errors ahead" if status == "chosen" else "no candidate could be read",
        "section 4.4, Remark 6",
        None if status == "abstained" else (3e-4, 3e-3),
        considered=tuple((value, 0.1 + 0.02 * abs(index - 4), 0.003) for index, value in enumerate(values)),
    )
    return Reading("wd-grid", SETTINGS, (item,), (Panel("Weight decay", "iteration", "validation loss", lines),), runs=("c",))


def momentum() -> Reading:
    values = {"max": 0.9, "min": 0.85}
    items = (
        Evidence(
            "momentum",
            values,
            "chosen",
            "low",
            "0.9 has the best validation loss",
            "section 4.3",
            (0.9, 0.93),
            considered=((0.9, 0.1, 0.02), (0.99, math.inf, 0.0)),
        ),
        Evidence(
            "momentum_shape",
            "falling",
            "tied",
            "medium",
            "falling and constant cannot be told apart",
            "section 4.3",
            considered=(("falling", 0.14, 0.003), ("constant", 0.15, 0.004)),
        ),
    )
    early = falling("momentum 0.99", 0.7)
    diverged = Series(early.label, early.x, (*early.raw[:12], 900.0, *[math.nan] * 13), (*early.smooth[:12], *[math.nan] * 14))
    lines = (falling("momentum 0.9", 0.1, chosen=True), falling("momentum 0.95", 0.25), diverged)
    return Reading(
        "momentum", SETTINGS, items, (Panel("Momentum", "iteration", "validation loss", lines),), ("momentum range tests are not used",)
    )


def train() -> Reading:
    first = falling("recommended", 0.15, 40)
    low, high = (tuple(value * factor for value in first.smooth) for factor in (0.9, 1.1))
    banded = Series(first.label, first.x, first.raw, first.smooth, low=low, high=high, chosen=True, note="4 runs")
    loss = Panel(
        "Full training",
        "iteration",
        "validation loss",
        (banded, falling("start", 0.2, 40)),
        (),
        (Box(100, 312, "plateau"), Box(160, 312, "overfitting")),
    )
    arm = {"runs": ["a", "b", "c", "d"], "diverged": 0, "test": {"metric": 0.9847, "std": 0.0016, "each": [0.9861, 0.9861, 0.9833, 0.9833]}}
    other = {"runs": ["e", "f"], "diverged": 1, "test": {"metric": 0.98, "std": math.nan, "each": [0.98]}}
    remark = "plateau (flat), lr 2e-05 to 0.2: the loss has become horizontal, which is the goal [section 3.1, Remark 2]"
    return Reading("train", SETTINGS, (), (loss,), (remark,), results={"recommended": arm, "start": other, "schedule": {"epochs": 100.0}})


def batch(label: str = "batch 64") -> Reading:
    item = Evidence(
        "total_batch_size",
        128,
        "tied",
        "low",
        "64, 128 cannot be told apart by their metric; 128 is taken",
        "section 4.2, Remark 4",
        (64.0, 128.0),
        (64.0, 128.0),
        considered=((64.0, -0.9561, 0.0055), (128.0, -0.9852, 0.0049)),
        judged_by="accuracy",
    )
    lines = (falling(label, 0.3), falling("batch 128", 0.2, 12))
    return Reading(
        "batch",
        SETTINGS,
        (item,),
        (Panel("Batch size, at equal execution time", "iteration", "validation loss", lines),),
        ("step times: 64: 0.4 ms, 128: 0.5 ms",),
    )


def everything() -> list[Reading]:
    return [lr_range(), batch(), momentum(), wd_grid(), train()]


def content(readings: list[Reading], learning_rate: bool = True) -> dict[str, Any]:
    """What recommended.yaml would say of these readings."""
    lr = {"policy": "1cycle", "max": 0.2, "min": 0.02, "final": 2e-5, "cycle_epochs": 89.8, "epochs": 100.0}
    settings: dict[str, Any] = {"total_batch_size": 128, "learning_rate": lr, "momentum": {"max": 0.9, "min": 0.85}, "weight_decay": 1e-3}
    if not learning_rate:
        del settings["learning_rate"]
    evidence = {
        item.setting: {"value": item.value, "status": item.status, "confidence": item.confidence, "reason": item.reason}
        | ({"interval": list(item.interval)} if item.interval else {})
        for reading in readings
        for item in reading.evidence
    }
    results = {reading.step: reading.results for reading in readings if reading.results}
    cost = {"trainings": 15.38, "runs": 31, "iterations": 5230, "device_seconds": 33.2}
    environment = {"torch": "2.15.0", "device": "cpu"}
    provenance = {
        "hpcheck": "0.1.0",
        "config": "5b7d2e4f8bc3564c",
        "seed": 0,
        **METRIC.block(),
        "environment": environment,
        "cost": {"search": cost, "training": cost},
    }
    return {"settings": settings, "evidence": evidence, "results": results, "provenance": provenance}
