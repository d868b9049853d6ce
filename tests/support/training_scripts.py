"""Training scripts of users that tests launch."""

SHORT = [
    "budget.evals=10",
    "budget.short_steps=30",
    "lr_range.max=0.5",
    "lr_range.max_extensions=0",
    "train.repeats=1",
    "momentum.values=[0.9]",
]
SMALL = """
import sys
import torch
from torch import nn
import hpcheck

torch.manual_seed(hpcheck.seed(0))
size = hpcheck.total_batch_size(32)
x = torch.randn(640, 6, generator=torch.Generator().manual_seed(1))
y = (x[:, 0] * x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

def validate():
    outputs = model(x[512:])
    right = (outputs.argmax(1) == y[512:]).float()
    losses = nn.functional.cross_entropy(outputs, y[512:], reduction="none")
    return {"loss": losses.mean(), "metric": right.mean(), "scores": right, "losses": losses}

hp = hpcheck.follow(optimizer, validate, model=model, val_examples=128, metric="accuracy", TRAIN_EXAMPLES)
for step in hp.steps(200):
    rows = torch.randint(0, 512, (size,))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    hp.loss(loss)
    optimizer.step()
    optimizer.zero_grad()
open("saved.txt", "a").write(f"{size} {len(sys.argv)}\\n")
"""
