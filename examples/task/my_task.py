"""A task: batches that are dicts, images shifted at random anew each time, two parameter groups, and a metric batch by batch."""

import functools

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


@functools.cache  # read once a process: a task is made anew for each run
def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y)


class Digits(Dataset):
    """scikit-learn's digits; training images are moved by up to a pixel, anew each time."""

    def __init__(self, rows, moves):
        x, y = digits()
        self.x, self.y, self.moves = x[rows], y[rows], moves

    def __len__(self):
        return len(self.y)

    def __getitem__(self, row):
        x = self.x[row]
        if self.moves:
            x = x.roll(tuple(torch.randint(-1, 2, (2,)).tolist()), (1, 2))
        return {"image": x, "label": self.y[row]}


class Task:
    metric = "accuracy"

    def __init__(self, *, width=16):
        self.width = width

    def build(self):
        body = [nn.Conv2d(1, self.width, 3, padding=1), nn.BatchNorm2d(self.width), nn.ReLU()]
        body += [nn.Conv2d(self.width, 2 * self.width, 3, stride=2), nn.ReLU(), nn.Flatten()]
        return nn.Sequential(nn.Sequential(*body), nn.Linear(2 * self.width * 9, 10))

    def optimizer(self, model):
        body, head = model
        groups = [{"params": body.parameters()}, {"params": head.parameters(), "lr": 0.2, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=0.02, momentum=0.9, weight_decay=5e-4)

    def loaders(self, batch_size, seed):
        train = DataLoader(Digits(slice(0, 1200), moves=True), batch_size, shuffle=True, drop_last=True)
        val = DataLoader(Digits(slice(1200, 1500), moves=False), batch_size=256)
        test = DataLoader(Digits(slice(1500, None), moves=False), batch_size=256)
        return train, val, test

    def training_step(self, model, batch):
        return nn.functional.cross_entropy(model(batch["image"]), batch["label"])

    def validation_step(self, model, batch):
        outputs, labels = model(batch["image"]), batch["label"]
        right = (outputs.argmax(1) == labels).float()
        losses = nn.functional.cross_entropy(outputs, labels, reduction="none")
        return {"loss": losses.mean(), "metric": right.mean(), "losses": losses, "scores": right}

    def before_update(self, model):
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
