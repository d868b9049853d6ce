"""Two inputs and tuple batches: the sum of two written digits. The last lines and two_inputs.yaml are for hpcheck."""

import plain_loop
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCH_SIZE = 10, 32


def pairs(first, last, count, seed):
    """Pairs of digits of some rows, each with the sum as its class."""
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x[first:last] / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y[first:last])
    rows = torch.randint(len(x), (2, count), generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x[rows[0]], x[rows[1]], y[rows[0]] + y[rows[1]])


class Adder(nn.Module):
    """One network looks at both pictures, another one at what it saw."""

    def __init__(self):
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Sequential(nn.Linear(2 * 144, 64), nn.ReLU(), nn.Linear(64, 19))

    def forward(self, left, right):
        return self.head(torch.cat([self.eye(left), self.eye(right)], 1))


def make_model():
    return Adder()


def make_optimizer(model, lr=0.05, weight_decay=1e-3):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay, nesterov=True)


def make_loaders(batch_size):
    return DataLoader(pairs(0, 1300, 2000, 0), batch_size, shuffle=True), DataLoader(pairs(1300, 1797, 1000, 1), 250)


def loss(model, batch):
    return F.cross_entropy(model(batch[0], batch[1]), batch[2])


def figures(model, batch):
    outputs = model(batch[0], batch[1])
    losses, right = F.cross_entropy(outputs, batch[2], reduction="none"), (outputs.argmax(1) == batch[2]).float()
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
