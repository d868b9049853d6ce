"""The example's own data, network, loss and metric."""

import csv
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

SCALE = 77.0  # the target's standard deviation: a network learns best towards values near 1
CLOSE_ENOUGH = 50.0  # units of the target

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def load(*, file: str, target: str) -> tuple[Pair, Pair]:
    """(train, validation), each (x, y): measurements (N, D) and targets in units of SCALE (N,). hpcheck standardizes x itself."""
    with Path(file).open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    y = np.array([float(row.pop(target)) for row in rows], np.float32) / SCALE
    x = np.array([[float(value) for value in row.values()] for row in rows], np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    held_out, kept = order[: len(x) // 4], order[len(x) // 4 :]
    return (x[kept], y[kept]), (x[held_out], y[held_out])


def build(input_shape: tuple[int, ...], outputs: int, *, width: int = 32) -> nn.Module:
    """Two hidden layers: (B, D) -> (B, outputs)."""
    return nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Huber's loss of outputs (B, 1) against targets (B,), averaged over the batch."""
    return F.huber_loss(outputs.squeeze(1), targets)


def within(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of predictions less than CLOSE_ENOUGH off: 1 is perfect. hpcheck takes a larger metric to be better."""
    return ((outputs.squeeze(1) - targets).abs() * SCALE < CLOSE_ENOUGH).float().mean()
