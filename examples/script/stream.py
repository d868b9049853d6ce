"""Data that never end: an iterable data set of augmented images, counted in updates. Six lines are hpcheck's."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=500)
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--weight-decay", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
torch.manual_seed(hpcheck.seed(arguments.seed))  # 2
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y)
x, y, val_x, val_y = x[:600], y[:600], x[600:], y[600:]


class Stream(IterableDataset):
    """Digits in random order for ever, each moved and noisy in its own way."""

    def __iter__(self):
        while True:
            row = int(torch.randint(len(y), ()))
            moved = x[row].roll(tuple(torch.randint(-1, 2, (2,)).tolist()), (1, 2))
            yield moved + 0.2 * torch.randn_like(moved), y[row]


loader = iter(DataLoader(Stream(), batch_size=hpcheck.total_batch_size(32)))  # 3
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=arguments.lr, momentum=0.9, nesterov=True, weight_decay=arguments.weight_decay)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, total_steps=arguments.steps + 1)


def validate():
    """Loss and accuracy over the whole validation set, and which examples are right."""
    model.eval()
    with torch.no_grad():
        outputs = model(val_x)
        losses = nn.functional.cross_entropy(outputs, val_y, reduction="none")
    model.train()
    right = (outputs.argmax(1) == val_y).float()
    return {"loss": losses.mean().item(), "metric": right.mean().item(), "scores": right, "losses": losses}


hp = hpcheck.follow(optimizer, validate, model=model, val_examples=len(val_y), metric="accuracy")  # 4
for _ in hp.steps(arguments.steps):  # 5
    inputs, targets = next(loader)
    loss = nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    hp.loss(loss)  # 6
    optimizer.step()
    if scheduler.last_epoch < arguments.steps:
        scheduler.step()
print("validation loss {loss:.4f}, accuracy {metric:.4f}".format(**validate()))
