"""Mixed precision by PyTorch's own recipe: autocast and a GradScaler, few examples. Six lines are hpcheck's."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--weight-decay", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(hpcheck.seed(arguments.seed))  # 2
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32, device=device), torch.tensor(y, device=device)
train, (val_x, val_y) = TensorDataset(x[:500], y[:500]), (x[500:], y[500:])
loader = DataLoader(train, batch_size=hpcheck.total_batch_size(32), shuffle=True)  # 3
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=arguments.lr, momentum=0.9, weight_decay=arguments.weight_decay)
updates = arguments.epochs * len(loader)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, total_steps=updates + 1)
scaler = torch.amp.GradScaler(device)


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
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        hp.loss(loss)  # 6
        scaler.step(optimizer)
        scaler.update()
        if scheduler.last_epoch < updates:
            scheduler.step()
print("validation loss {loss:.4f}, accuracy {metric:.4f}".format(**validate()))
