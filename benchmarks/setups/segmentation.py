"""Dense targets and dict batches: the borders of cells in 30 slices. The last lines and segmentation.yaml are for hpcheck."""

import functools
import os
import random
from pathlib import Path

import numpy as np
import plain_loop
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

EPOCHS, BATCH_SIZE = 60, 8


@functools.cache
def slices():
    """The slices and their masks, an eighth as wide: (30, 1, 64, 64) and (30, 64, 64)."""
    folder = Path(os.environ.get("HPCHECK_DATA", "data")) / "small" / "segmentation"

    def read(part):
        images = [Image.open(folder / part / f"{number}.png").convert("L") for number in range(30)]
        return np.stack([np.asarray(image.resize((64, 64), Image.Resampling.BOX)) for image in images])

    return torch.tensor(read("image")[:, None] / 255, dtype=torch.float32), torch.tensor(read("label") > 127, dtype=torch.float32)


class Slices(Dataset):
    """Squares of 32 pixels: at random places, image and mask flipped alike; to validate, the four corners."""

    def __init__(self, rows, moves):
        self.images, self.masks = (part[rows] for part in slices())
        self.moves = moves

    def __len__(self):
        return 4 * len(self.images)

    def __getitem__(self, index):
        row, corner = divmod(index, 4)
        top, left = (random.randrange(33), random.randrange(33)) if self.moves else (32 * (corner // 2), 32 * (corner % 2))
        image, mask = self.images[row, :, top : top + 32, left : left + 32], self.masks[row, top : top + 32, left : left + 32]
        if self.moves and random.random() < 0.5:
            image, mask = image.flip(-1), mask.flip(-1)
        return {"image": image, "mask": mask}


def block(inside, out, stride=1):
    return [nn.Conv2d(inside, out, 3, stride, padding=1), nn.BatchNorm2d(out), nn.ReLU()]


def make_model():
    return nn.Sequential(*block(1, 8), *block(8, 16, 2), *block(16, 16), nn.Upsample(scale_factor=2), nn.Conv2d(16, 1, 1), nn.Flatten(1, 2))


def make_optimizer(model, lr=1e-3, weight_decay=0.01):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)


def make_loaders(batch_size):
    train, val = Slices(slice(0, 18), moves=True), Slices(slice(18, 30), moves=False)
    return DataLoader(train, batch_size, shuffle=True), DataLoader(val, 24)


def loss(model, batch):
    return F.binary_cross_entropy_with_logits(model(batch["image"]), batch["mask"])


def figures(model, batch):
    """The loss, and the Dice of the borders in each square."""
    outputs, border = model(batch["image"]), batch["mask"] < 0.5
    losses = F.binary_cross_entropy_with_logits(outputs, batch["mask"], reduction="none").mean((1, 2))
    found = outputs < 0
    dice = 2 * (found & border).sum((1, 2)) / (found.sum((1, 2)) + border.sum((1, 2))).clamp(min=1)
    return {"loss": losses.mean(), "metric": dice.mean(), "losses": losses, "scores": dice}


if __name__ == "__main__":
    plain_loop.main(globals(), "dice", lr=1e-3, weight_decay=0.01)


# for hpcheck:
class Task:
    metric = "dice"

    def build(self):
        return make_model()

    def optimizer(self, model):
        return make_optimizer(model)

    def loaders(self, batch_size, seed):
        return make_loaders(batch_size)

    def training_step(self, model, batch):
        return loss(model, batch)

    def validation_step(self, model, batch):
        return figures(model, batch)
