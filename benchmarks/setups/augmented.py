"""Random augmentation in `__getitem__`: 2,000 handwritten digits, moved and covered. The last lines and augmented.yaml are for hpcheck."""

import functools
import os
import random
from pathlib import Path

import numpy as np
import plain_loop
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

EPOCHS, BATCH_SIZE = 9, 32


@functools.cache
def digits():
    """MNIST's training images, (60000, 28, 28), and their labels."""
    folder = Path(os.environ.get("HPCHECK_DATA", "data")) / "MNIST" / "raw"
    images = np.frombuffer((folder / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer((folder / "train-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)


class Digits(Dataset):
    """Images moved by up to three pixels, with a square of 8 pixels blackened, anew each time; to validate, as they are."""

    def __init__(self, rows, augment):
        images, labels = digits()
        self.images, self.labels, self.augment = images[rows], labels[rows], augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        image = np.pad(self.images[row], 3)
        down, right = (random.randrange(7), random.randrange(7)) if self.augment else (3, 3)
        image = image[down : down + 28, right : right + 28]
        if self.augment:
            top, left = random.randrange(21), random.randrange(21)
            image[top : top + 8, left : left + 8] = 0
        return torch.tensor(image[None], dtype=torch.float32) / 255, int(self.labels[row])


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10),
    )  # fmt: skip


def make_optimizer(model, lr=0.05, weight_decay=1e-3):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay)


def make_loaders(batch_size):
    train, val = Digits(slice(0, 2000), augment=True), Digits(slice(2000, 4000), augment=False)
    return DataLoader(train, batch_size, shuffle=True), DataLoader(val, 500)


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def figures(model, batch):
    outputs = model(batch[0])
    losses, right = F.cross_entropy(outputs, batch[1], reduction="none"), (outputs.argmax(1) == batch[1]).float()
    return {"loss": losses.mean(), "metric": right.mean(), "losses": losses, "scores": right}


if __name__ == "__main__":
    plain_loop.main(globals(), "accuracy", lr=0.05, weight_decay=1e-3)


# for hpcheck:
class Task:
    metric = "accuracy"

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
