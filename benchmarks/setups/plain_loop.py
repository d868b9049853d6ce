"""The loop of most set-ups here: `--lr`, `--weight-decay`, `--seed`, torch's OneCycleLR, and figures of the last weights."""

import argparse
import random

import torch


def main(setup, metric, lr, weight_decay):
    """Train a set-up once: its module has make_model, make_optimizer, make_loaders, loss and figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--weight-decay", type=float, default=weight_decay)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    random.seed(given.seed)
    model = setup["make_model"]()
    train, val = setup["make_loaders"](setup["BATCH_SIZE"])
    optimizer = setup["make_optimizer"](model, given.lr, given.weight_decay)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.lr, total_steps=setup["EPOCHS"] * len(train))
    for _ in range(setup["EPOCHS"]):
        for batch in train:
            optimizer.zero_grad()
            setup["loss"](model, batch).backward()
            optimizer.step()
            scheduler.step()
    model.eval()
    with torch.no_grad():
        found = evaluate(setup, model, val)
    print(f"validation loss {found['loss']:.5f}, {metric} {found['metric']:.5f}")


def evaluate(setup, model, loader):
    """By the set-up's own `evaluate`, else by its figures of each batch."""
    if "evaluate" in setup:
        return setup["evaluate"](model, loader)
    parts = [setup["figures"](model, batch) for batch in loader]
    losses, scores = (torch.cat([part.get(key, part["losses"]) for part in parts]) for key in ("losses", "scores"))
    return {"loss": losses.mean(), "metric": scores.mean()}
