"""Your model and your table, as hpcheck sees them: two functions, named in hpcheck.yaml as hpcheck_entry:load and hpcheck_entry:build.

Change either as you like. Keep keyword parameters for what you want to set in hpcheck.yaml: `file`, `target` and `drop` stand there under
`data`.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn


def load(*, file: str, target: str, drop: Sequence[str] = (), validation_share: float = 0.2) -> Any:
    """Return (train, validation), each a pair (x, y): x floats (N, D); y classes as integers (N,) or values as floats (N,).

    The columns in `drop` are left out; every other one needs a number in each row. A target of words, or of at most 20 whole numbers, is
    taken as classes; any other as values.
    """
    with Path(file).open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    columns = {name: _numbers([row[name] for row in rows]) for name in rows[0] if name not in (target, *drop)}
    worded = [name for name, values in columns.items() if values is None]
    if worded:
        raise ValueError(f"not every row of {file} has a number under {', '.join(worded)}: clean them, or name them under data.drop")
    x = np.stack(list(columns.values()), axis=1)  # (N, D)
    y = _targets([row[target] for row in rows])  # (N,)
    order = np.random.default_rng(0).permutation(len(x))
    held_out = max(1, round(validation_share * len(x)))
    train, validation = order[held_out:], order[:held_out]
    return (x[train], y[train]), (x[validation], y[validation])


def build(input_shape: tuple[int, ...], outputs: int, *, width: int = 64) -> nn.Module:
    """Return your model, freshly initialized: (B, D) vectors in, as many outputs as there are classes or values."""
    return nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))


def _numbers(words: list[str]) -> Any:
    try:
        values = np.array([float(word) for word in words], dtype=np.float32)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _targets(words: list[str]) -> Any:
    values = _numbers(words)
    if values is None or ((values == values.round()).all() and len(set(words)) <= 20):
        return np.unique(words, return_inverse=True)[1]
    return (values - values.mean()) / values.std()  # unit scale, so that the lr does not depend on the target's unit
