"""A small training as a user writes it, followed in this process, and the run that it is asked for."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hpcheck
from hpcheck.runs.schedules import ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly

SPEC = RunSpec(
    DataSpec("script"),
    PartSpec("script"),
    PartSpec("sgd"),
    total_batch_size=64,
    steps=40,
    lr=ramp(0.01, 0.4, 40),
    momentum=ramp(0.95, 0.85, 40),
    weight_decay=1e-3,
    evaluate_after=(0, *evenly(40, 8)),
)


class Script:
    """A small training as a user writes it, with what was seen at each update."""

    def __init__(self, optimizer=torch.optim.SGD, groups=True, **options):
        torch.manual_seed(hpcheck.seed(0))
        self.batch_size = hpcheck.total_batch_size(32)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
        parts = [{"params": self.model[:4].parameters()}, {"params": self.model[4].parameters(), "lr": 0.5, "weight_decay": 0.0}]
        defaults = {"lr": 0.05, "weight_decay": 1e-2, **({"momentum": 0.9} if optimizer is torch.optim.SGD else {}), **options}
        self.optimizer = optimizer(parts if groups else self.model.parameters(), **defaults)
        x = torch.randn(640, 6, generator=torch.Generator().manual_seed(0))
        self.x, self.y = x, (x[:, 0] > 0).long()
        self.seen, self.evaluated_at, self.updates = [], [], 0

    def validate(self):
        self.model.eval()
        torch.rand(5)  # draws, as augmentation in a validation set does
        self.evaluated_at.append(self.updates)
        outputs = self.model(self.x[:200])
        return nn.functional.cross_entropy(outputs, self.y[:200]), (outputs.argmax(1) == self.y[:200]).float().mean()

    def train(self, hp, loops, accumulate=1, between=lambda: None, clip=None, scaler=None):
        loader = DataLoader(TensorDataset(self.x, self.y), batch_size=self.batch_size // accumulate, shuffle=True)
        self.model.train()
        for _ in loops:
            for number, (x, y) in enumerate(loader):
                assert all(module.training for module in self.model.modules())
                loss = nn.functional.cross_entropy(self.model(x), y) / accumulate
                loss.backward()
                hp.loss(loss * accumulate)
                if (number + 1) % accumulate:
                    continue
                if clip is not None:
                    nn.utils.clip_grad_norm_(self.model.parameters(), clip)
                self.optimizer.step()
                self.seen.append(
                    [
                        (group["lr"], group.get("momentum", group.get("betas")), group["weight_decay"])
                        for group in self.optimizer.param_groups
                    ]
                )
                self.updates += 1
                between()
                self.optimizer.zero_grad()

    def follow(self, **more):
        given = {"model": self.model, "train_examples": 640, "val_examples": 200, "metric": "accuracy", **more}
        return hpcheck.follow(self.optimizer, self.validate, **given)


def ended(script, **given):
    """Train until the follower ends the script; returns the exit code."""

    def train():
        hp = script.follow()
        script.train(hp, hp.epochs(1), **given)

    with pytest.raises(SystemExit) as end:
        train()
    return end.value.code
