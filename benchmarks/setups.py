"""Three trainings that are no array and a module, as tasks; and the grid that a person would make of each in a loop of their own.

python -m benchmarks setups sentences --out grid.jsonl       # every lr and weight decay in full, by their own loop
hpcheck run benchmarks/setups.yaml                         # the same training by hpcheck; its head says how the others are chosen
"""

import argparse
import json
import os
import random
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

LRS, WEIGHT_DECAYS = (3e-4, 1e-3, 3e-3, 1e-2), (1e-4, 1e-2, 1e-1)
PAD, WORDS = 0, 4000


def small() -> Path:
    return Path(os.environ.get("HPCHECK_DATA", "data")) / "small"


@cache
def slices() -> tuple[Tensor, Tensor]:
    """The 30 slices and their masks, a quarter as wide: (30, 1, 128, 128) and (30, 128, 128)."""

    def read(part: str) -> np.ndarray:
        paths = [small() / "segmentation" / part / f"{number}.png" for number in range(30)]
        return np.stack([np.asarray(Image.open(path).convert("L").resize((128, 128), Image.Resampling.BOX)) for path in paths])

    return torch.tensor(read("image")[:, None] / 255, dtype=torch.float32), torch.tensor((read("label") > 127).astype(np.float32))


class Slices(Dataset[dict[str, Tensor]]):
    """Squares of 64 pixels at random places, image and mask flipped alike; to evaluate the four corners."""

    def __init__(self, rows: slice, moves: bool) -> None:
        self.x, self.y = (part[rows] for part in slices())
        self.moves = moves

    def __len__(self) -> int:
        return 4 * len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row, corner = divmod(index, 4)
        top, left = (random.randrange(65), random.randrange(65)) if self.moves else (64 * (corner // 2), 64 * (corner % 2))
        x, y = self.x[row, :, top : top + 64, left : left + 64], self.y[row, top : top + 64, left : left + 64]
        if self.moves and random.random() < 0.5:
            x, y = x.flip(-1), y.flip(-1)
        return {"image": x, "mask": y}


class Segmentation:
    """Dense targets, dict batches, random crops; the metric is the Dice of the cells' borders."""

    metric = "dice"

    def build(self) -> nn.Module:
        def block(inside: int, out: int, dilation: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(inside, out, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(out), nn.ReLU()]

        return nn.Sequential(*block(1, 8), *block(8, 8, 2), *block(8, 8, 4), nn.Conv2d(8, 1, 1), nn.Flatten(1, 2))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        parts = Slices(slice(0, 18), True), Slices(slice(18, 24), False), Slices(slice(24, 30), False)
        return DataLoader(parts[0], batch_size, shuffle=True), DataLoader(parts[1], 24), DataLoader(parts[2], 24)

    def training_step(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return F.binary_cross_entropy_with_logits(model(batch["image"]), batch["mask"])

    def validation_step(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Any]:
        outputs, border = model(batch["image"]), batch["mask"] < 0.5
        losses = F.binary_cross_entropy_with_logits(outputs, batch["mask"], reduction="none").mean((1, 2))
        found = outputs < 0
        dice = 2 * (found & border).sum((1, 2)) / (found.sum((1, 2)) + border.sum((1, 2))).clamp(min=1)
        return {"loss": losses.mean(), "metric": dice.mean(), "scores": dice, "losses": losses}


class Coder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * log_variance).exp()), mean, log_variance


class Vae:
    """Several outputs, a loss that samples, and no metric."""

    def build(self) -> nn.Module:
        return Coder()

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        x = torch.tensor(load_digits().data / 16, dtype=torch.float32)[torch.randperm(1797, generator=torch.Generator().manual_seed(0))]
        return DataLoader(x[:1200], batch_size, shuffle=True), DataLoader(x[1200:1500], 300), DataLoader(x[1500:], 300)

    def losses(self, model: nn.Module, x: Tensor) -> Tensor:
        outputs, mean, log_variance = model(x)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(1) + divergence

    def training_step(self, model: nn.Module, batch: Tensor) -> Tensor:
        return self.losses(model, batch).mean()

    def validation_step(self, model: nn.Module, batch: Tensor) -> dict[str, Any]:
        losses = self.losses(model, batch)
        return {"loss": losses.mean(), "losses": losses, "count": len(batch)}


@cache
def sentences() -> list[tuple[list[int], int]]:
    """3,000 sentences of reviews as numbers of words, and whether they praise."""
    found = []
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        path = next(path for path in (small() / "text").rglob(f"*{name}*"))
        lines = path.read_text(encoding="latin-1").splitlines()
        found += [([1 + zlib.crc32(word.encode()) % (WORDS - 1) for word in line.split()[:50]], label) for line in lines if line.strip()]
    random.Random(0).shuffle(found)
    return found[:3000]


def padded(examples: list[tuple[list[int], int]]) -> dict[str, Tensor]:
    """A batch as wide as its longest sentence."""
    width = max(len(words) for words, _ in examples)
    rows = [words + [PAD] * (width - len(words)) for words, _ in examples]
    return {"words": torch.tensor(rows), "labels": torch.tensor([label for _, label in examples])}


class Reader(nn.Module):
    """A loss in forward, where labels are given."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.inside, self.head = nn.Embedding(WORDS, 32, padding_idx=PAD), nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, words: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        there = (words != PAD)[..., None]
        outputs = self.head((F.relu(self.inside(self.embedding(words))) * there).sum(1) / there.sum(1))
        return F.cross_entropy(outputs, labels, reduction="none"), outputs


class Sentences:
    """Variable lengths, a padding collator, a loss in forward."""

    metric = "accuracy"

    def build(self) -> nn.Module:
        return Reader()

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    def loaders(self, batch_size: int, seed: int) -> tuple[Any, ...]:
        data = sentences()
        train = DataLoader(data[:2000], batch_size, shuffle=True, collate_fn=padded)
        return train, DataLoader(data[2000:2500], 250, collate_fn=padded), DataLoader(data[2500:], 250, collate_fn=padded)

    def training_step(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return model(**batch)[0].mean()

    def validation_step(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Any]:
        losses, outputs = model(**batch)
        right = (outputs.argmax(1) == batch["labels"]).float()
        return {"loss": losses.mean(), "metric": right.mean(), "scores": right, "losses": losses}


SETUPS = {"segmentation": (Segmentation, 16, 30), "vae": (Vae, 32, 40), "sentences": (Sentences, 32, 15)}  # task, batch size, epochs


def trained(task: Any, batch_size: int, epochs: int, lr: float, weight_decay: float, seed: int) -> dict[str, Any]:
    """One training by a loop of one's own: AdamW, a cosine, and figures of the last weights."""
    torch.manual_seed(seed)
    random.seed(seed)
    model = task.build()
    train, val, test = task.loaders(batch_size, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train))
    for _ in range(epochs):
        for batch in train:
            optimizer.zero_grad()
            task.training_step(model, batch).backward()
            optimizer.step()
            scheduler.step()
    model.eval()
    figures: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "seed": seed}
    for name, loader in (("val", val), ("test", test)):
        torch.manual_seed(0)
        with torch.no_grad():
            parts = [task.validation_step(model, batch) for batch in loader]
        losses = torch.cat([part["losses"] for part in parts])
        scores = torch.cat([part["scores"] for part in parts]) if "scores" in parts[0] else losses
        figures[name] = {"loss": float(losses.mean()), "metric": float(scores.mean())}
    return figures


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks setups", description=__doc__)
    parser.add_argument("name", choices=list(SETUPS))
    parser.add_argument("--seeds", type=int, default=1, help="trainings of the grid's best, by validation")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    kind, batch_size, epochs = SETUPS[given.name]
    task = kind()
    grid = [trained(task, batch_size, epochs, lr, decay, 0) for lr in LRS for decay in WEIGHT_DECAYS]
    sign = -1.0 if hasattr(task, "metric") else 1.0
    best = min(grid, key=lambda one: sign * one["val"]["metric"])
    again = [trained(task, batch_size, epochs, best["lr"], best["weight_decay"], seed) for seed in range(1, given.seeds)]
    for one in (*grid, *again):
        print(json.dumps(one), flush=True)
    print("best by validation:", json.dumps(best))
    if given.out is not None:
        given.out.write_text("".join(json.dumps(one) + "\n" for one in (*grid, *again)), encoding="utf-8")
