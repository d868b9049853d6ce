"""A loop of accelerate: AdamW, accumulated batches, labels of which a tenth are wrong. Six lines are hpcheck's."""

import argparse

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--weight-decay", type=float, default=0.01)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
set_seed(hpcheck.seed(arguments.seed))  # 2

x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
x = (x / 16).float()
fixed = torch.Generator().manual_seed(1)
wrong = torch.rand(len(y), generator=fixed) < 0.1
y = torch.where(wrong, torch.randint(0, 10, y.shape, generator=fixed), y)
train, (val_x, val_y) = TensorDataset(x[:1200], y[:1200]), (x[1200:], y[1200:])
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.lr, weight_decay=arguments.weight_decay)
batch_size = hpcheck.total_batch_size(64) // accelerator.num_processes // 2  # 3
loader = DataLoader(train, batch_size=batch_size, shuffle=True, drop_last=True)
updates = arguments.epochs * len(loader)  # accelerate steps a scheduler once for each process and batch
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, total_steps=updates + 1)
model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)


def evaluate():
    """Loss and accuracy over the whole validation set, and which examples are right."""
    model.eval()
    with torch.no_grad():
        outputs = model(val_x)
        losses = nn.functional.cross_entropy(outputs, val_y, reduction="none")
    model.train()
    right = (outputs.argmax(1) == val_y).float()
    return {"loss": losses.mean().item(), "metric": right.mean().item(), "scores": right, "losses": losses}


hp = hpcheck.follow(optimizer, evaluate, model=model, train_examples=len(train), val_examples=len(val_y), metric="accuracy")  # 4
for _ in hp.epochs(arguments.epochs):  # 5
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            accelerator.backward(loss)
            hp.loss(loss)  # 6
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
accelerator.print("validation loss {loss:.4f}, accuracy {metric:.4f}".format(**evaluate()))
