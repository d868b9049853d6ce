"""A spec and the rows of its record."""

import math

from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec

SPEC = RunSpec(DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd"), 32, 20, constant(0.1), constant(0.9), 0.0, (10, 20))
ROWS = [
    {"step": 10, "lr": 0.1, "momentum": 0.9, "train_loss": 2.0, "val_loss": 1.5, "metric": 0.5, "seconds": 0.1},
    {"step": 20, "lr": 0.1, "momentum": 0.9, "train_loss": math.inf, "val_loss": math.nan, "metric": 0.1, "seconds": 0.2},
]
