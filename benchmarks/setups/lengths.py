"""Sequences of variable length: reviews of films, read word by word. The last lines and lengths.yaml are for hpcheck."""

import functools
import os
import random
import zlib
from pathlib import Path

import plain_loop
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader

EPOCHS, BATCH_SIZE, WORDS, LONGEST = 9, 32, 4000, 20


@functools.cache
def sentences():
    """Sentences as numbers of words, and whether they praise, in random order."""
    found = []
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        path = Path(os.environ.get("HPCHECK_DATA", "data")) / "small" / "text" / name
        for line in path.read_text(encoding="latin-1").splitlines():
            words = [zlib.crc32(word.encode()) % WORDS for word in line.split()[:LONGEST]]
            if words:
                found.append((torch.tensor(words), label))
    random.Random(0).shuffle(found)
    return found


def packed(examples):
    """Sentences as they are, without padding, and their labels."""
    return pack_sequence([words for words, _ in examples], enforce_sorted=False), torch.tensor([label for _, label in examples])


class Reader(nn.Module):
    """What a recurrent network knows after the last word."""

    def __init__(self):
        super().__init__()
        self.embedding, self.inside, self.head = nn.Embedding(WORDS, 16), nn.GRU(16, 16), nn.Linear(16, 2)

    def forward(self, words):
        return self.head(self.inside(words._replace(data=self.embedding(words.data)))[1][0])


def make_model():
    return Reader()


def make_optimizer(model, lr=1e-3, weight_decay=0.01):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)


def make_loaders(batch_size):
    train, val = sentences()[:2000], sentences()[2000:3000]
    return DataLoader(train, batch_size, shuffle=True, collate_fn=packed), DataLoader(val, 250, collate_fn=packed)


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def figures(model, batch):
    outputs = model(batch[0])
    losses, right = F.cross_entropy(outputs, batch[1], reduction="none"), (outputs.argmax(1) == batch[1]).float()
    return {"loss": losses.mean(), "metric": right.mean(), "losses": losses, "scores": right}


if __name__ == "__main__":
    plain_loop.main(globals(), "accuracy", lr=1e-3, weight_decay=0.01)


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
