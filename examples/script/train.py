"""A training script as people write them: groups, augmentation, clipping, accumulation, a scheduler. Six lines are hpcheck's."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--accumulate", type=int, default=2)
parser.add_argument("--lr", type=float, default=0.2)
parser.add_argument("--weight-decay", type=float, default=5e-4)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
torch.manual_seed(hpcheck.seed(arguments.seed))  # 2


class Digits(Dataset):
    """scikit-learn's digits; training images are moved by up to a pixel, anew each time."""

    def __init__(self, rows, moves):
        x, y = load_digits(return_X_y=True)
        self.x, self.y = torch.tensor(x[rows] / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y[rows])
        self.moves = moves

    def __len__(self):
        return len(self.y)

    def __getitem__(self, row):
        x = self.x[row]
        if self.moves:
            x = x.roll(tuple(torch.randint(-1, 2, (2,)).tolist()), (1, 2))
        return {"image": x, "label": self.y[row]}


train, val = Digits(slice(0, 1400), moves=True), Digits(slice(1400, None), moves=False)
batch_size = hpcheck.total_batch_size(64) // arguments.accumulate  # 3
loader = DataLoader(train, batch_size=batch_size, shuffle=True)
body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(), nn.Flatten())
head = nn.Linear(32 * 9, 10)
model = nn.Sequential(body, head)
groups = [{"params": body.parameters(), "lr": arguments.lr / 10}, {"params": head.parameters(), "weight_decay": 0.0}]
optimizer = torch.optim.SGD(groups, lr=arguments.lr, momentum=0.9, weight_decay=arguments.weight_decay)
updates = arguments.epochs * (len(loader) // arguments.accumulate)
lrs = [group["lr"] for group in optimizer.param_groups]
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, lrs, total_steps=updates)  # used alone; hpcheck's schedule replaces it


def validate():
    """Loss and accuracy over the whole validation set, and which examples are right."""
    model.eval()
    losses, right = [], []
    with torch.no_grad():
        for batch in DataLoader(val, batch_size=256):
            outputs = model(batch["image"])
            losses.append(nn.functional.cross_entropy(outputs, batch["label"], reduction="none"))
            right.append((outputs.argmax(1) == batch["label"]).float())
    model.train()
    losses, right = torch.cat(losses), torch.cat(right)
    return {"loss": losses.mean().item(), "metric": right.mean().item(), "scores": right, "losses": losses}


hp = hpcheck.follow(optimizer, validate, model=model, train_examples=len(train), val_examples=len(val), metric="accuracy")  # 4
for _ in hp.epochs(arguments.epochs):  # 5
    for number, batch in enumerate(loader):
        loss = nn.functional.cross_entropy(model(batch["image"]), batch["label"])
        (loss / arguments.accumulate).backward()
        hp.loss(loss)  # 6
        if (number + 1) % arguments.accumulate == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            if scheduler.last_epoch < updates:
                scheduler.step()
print("validation loss {loss:.4f}, accuracy {metric:.4f}".format(**validate()))
torch.save(model.state_dict(), "digits.pt")
