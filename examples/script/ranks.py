"""Two processes of torchrun that share each batch (DDP): a regression with SGD. Six lines are hpcheck's."""

import argparse
import os

import torch
import torch.distributed as dist
from sklearn.datasets import make_friedman1
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--lr", type=float, default=0.03)
parser.add_argument("--weight-decay", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
world = int(os.environ.get("WORLD_SIZE", "1"))
if world > 1:
    dist.init_process_group("gloo")
seed = hpcheck.seed(arguments.seed)  # 2
torch.manual_seed(seed)

x, y = (torch.tensor(part, dtype=torch.float32) for part in make_friedman1(1200, noise=1.0, random_state=0))
x, y = (x - 0.5) / 0.29, ((y - y.mean()) / y.std()).unsqueeze(1)
train, (val_x, val_y) = TensorDataset(x[:800], y[:800]), (x[800:], y[800:])
batch_size = hpcheck.total_batch_size(32) // world  # 3
sampler = DistributedSampler(train, num_replicas=world, rank=int(os.environ.get("RANK", "0")), seed=seed)
loader = DataLoader(train, batch_size=batch_size, sampler=sampler)
model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
model = nn.parallel.DistributedDataParallel(model) if world > 1 else model
optimizer = torch.optim.SGD(model.parameters(), lr=arguments.lr, momentum=0.9, weight_decay=arguments.weight_decay)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, total_steps=arguments.epochs * len(loader))


@torch.no_grad()
def validate():
    """Squared error and R2 over the whole validation set, and the errors of its examples."""
    errors = (model(val_x) - val_y).square().flatten()
    loss = errors.mean().item()
    return {"loss": loss, "metric": 1 - loss / val_y.var(correction=0).item(), "losses": errors}


hp = hpcheck.follow(optimizer, validate, model=model, train_examples=len(train), val_examples=len(val_y), metric="R2")  # 4
for epoch in hp.epochs(arguments.epochs):  # 5
    sampler.set_epoch(epoch)
    for inputs, targets in loader:
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        hp.loss(loss)  # 6
        optimizer.step()
        if scheduler.last_epoch < scheduler.total_steps - 1:
            scheduler.step()
if int(os.environ.get("RANK", "0")) == 0:
    print("validation loss {loss:.4f}, R2 {metric:.4f}".format(**validate()))
if world > 1:
    dist.destroy_process_group()
