"""Fine-tuning: the first layer is frozen, the body is tuned, and a new head learns at ten times its rate. Six lines are hpcheck's."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--lr", type=float, default=0.01, help="of the body")
parser.add_argument("--weight-decay", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
torch.manual_seed(0)
x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
x = (x / 16).float()
body = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())


def pretrain():
    """What one would load from a file: a body that tells even digits from odd ones."""
    network = nn.Sequential(body, nn.Linear(64, 2))
    adam = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(network(x[:900]), y[:900] % 2).backward()
        adam.step()


pretrain()
torch.manual_seed(hpcheck.seed(arguments.seed))  # 2
body[0].requires_grad_(False)
head = nn.Linear(64, 10)
model = nn.Sequential(body, head)
train, (val_x, val_y) = TensorDataset(x[:900], y[:900]), (x[900:], y[900:])
loader = DataLoader(train, batch_size=hpcheck.total_batch_size(32), shuffle=True)  # 3
groups = [{"params": body[2].parameters()}, {"params": head.parameters(), "lr": 10 * arguments.lr}]
optimizer = torch.optim.SGD(groups, lr=arguments.lr, momentum=0.9, weight_decay=arguments.weight_decay)
updates = arguments.epochs * len(loader)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=updates + 1)


@torch.no_grad()
def validate():
    """Loss and accuracy over the whole validation set, and which examples are right."""
    outputs = model(val_x)
    losses = nn.functional.cross_entropy(outputs, val_y, reduction="none")
    right = (outputs.argmax(1) == val_y).float()
    return {"loss": losses.mean().item(), "metric": right.mean().item(), "scores": right, "losses": losses}


hp = hpcheck.follow(optimizer, validate, model=model, train_examples=len(train), val_examples=len(val_y), metric="accuracy")  # 4
for _ in hp.epochs(arguments.epochs):  # 5
    for inputs, targets in loader:
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        hp.loss(loss)  # 6
        optimizer.step()
        if scheduler.last_epoch < updates:
            scheduler.step()
print("validation loss {loss:.4f}, accuracy {metric:.4f}".format(**validate()))
