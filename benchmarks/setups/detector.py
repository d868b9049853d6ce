"""A loss in forward, as detectors have it; targets of any number: digits in scenes. The last lines and detector.yaml are for hpcheck."""

import functools
import random

import plain_loop
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

EPOCHS, BATCH_SIZE, CELLS, PIXELS = 16, 32, 4, 8  # a scene has 4 x 4 cells of 8 pixels


@functools.cache
def scenes(first, last, count, seed):
    """Noisy scenes with one to three digits at places of their own, and where which digit lies."""
    x, y = load_digits(return_X_y=True)
    draws, noise = random.Random(seed), torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        scene, corners, labels = 0.3 * torch.rand(1, 36, 36, generator=noise), [], []
        for cell in draws.sample(range(CELLS**2), draws.randint(1, 3)):
            row, top, left = draws.randrange(first, last), draws.randrange(4), draws.randrange(4)
            top, left = top + PIXELS * (cell // CELLS), left + PIXELS * (cell % CELLS)
            scene[0, top : top + 8, left : left + 8] += torch.tensor(x[row] / 16, dtype=torch.float32).view(8, 8)
            corners.append((top, left))
            labels.append(int(y[row]))
        made.append((scene, {"corners": torch.tensor(corners), "labels": torch.tensor(labels)}))
    return made


def collated(examples):
    """Scenes as one tensor; their targets are of several sizes, and stay a list."""
    return torch.stack([scene for scene, _ in examples]), [target for _, target in examples]


class Detector(nn.Module):
    """For each cell: is there a digit, which one, and where does it begin? With targets it gives its losses too."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16)]
        self.body = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.head = nn.Conv2d(32, 13, 1)

    def forward(self, scenes, targets=None):
        there, place, kind = self.head(self.body(scenes)).permute(0, 2, 3, 1).split([1, 2, 10], dim=3)
        found = {"there": there[..., 0] > 0, "kind": kind.argmax(3), "place": place}
        return found if targets is None else (self.losses(there[..., 0], place, kind, targets), found)

    def losses(self, there, place, kind, targets):
        scene = torch.cat([torch.full_like(target["labels"], number) for number, target in enumerate(targets)])
        corners, labels = (torch.cat([target[key] for target in targets]) for key in ("corners", "labels"))
        at = (scene, corners[:, 0] // PIXELS, corners[:, 1] // PIXELS)
        wanted = torch.zeros_like(there).index_put(at, torch.tensor(1.0))
        return {
            "there": F.binary_cross_entropy_with_logits(there, wanted),
            "kind": F.cross_entropy(kind[at], labels),
            "place": F.smooth_l1_loss(place[at], (corners % PIXELS) / 4.0),
        }


def make_model():
    return Detector()


def make_optimizer(model, lr=1e-3, weight_decay=0.01):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)


def make_loaders(batch_size):
    train, val = scenes(0, 1300, 1200, 0), scenes(1300, 1797, 400, 1)
    return DataLoader(train, batch_size, shuffle=True, collate_fn=collated), DataLoader(val, 200, collate_fn=collated)


def loss(model, batch):
    return sum(model(*batch)[0].values())


def evaluate(model, loader):
    """The loss, and the F1 of digits that are found with the right name, at most two pixels off."""
    losses, right, said, count, examples = 0.0, 0, 0, 0, 0
    for images, targets in loader:
        parts, found = model(images, targets)
        losses, examples = losses + float(sum(parts.values())) * len(images), examples + len(images)
        said, count = said + int(found["there"].sum()), count + sum(len(target["labels"]) for target in targets)
        for number, target in enumerate(targets):
            at = (number, target["corners"][:, 0] // PIXELS, target["corners"][:, 1] // PIXELS)
            near = (4 * found["place"][at] - target["corners"] % PIXELS).abs().amax(1) <= 2
            right += int((found["there"][at] & (found["kind"][at] == target["labels"]) & near).sum())
    return {"loss": losses / examples, "metric": 2 * right / max(said + count, 1), "count": examples}


if __name__ == "__main__":
    plain_loop.main(globals(), "f1", lr=1e-3, weight_decay=0.01)


# for hpcheck:
class Task:
    metric = "f1"

    def build(self):
        return make_model()

    def optimizer(self, model):
        return make_optimizer(model)

    def loaders(self, batch_size, seed):
        return make_loaders(batch_size)

    def training_step(self, model, batch):
        return loss(model, batch)

    def evaluate(self, model, loader):
        return evaluate(model, loader)
