"""A small language model in the manner of nanoGPT: it counts steps, has AdamW and its own schedule. Six lines are hpcheck's."""

import argparse
import math
from pathlib import Path

import torch
from torch import nn

import hpcheck  # 1

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--lr", type=float, default=3e-3)
parser.add_argument("--weight-decay", type=float, default=0.1)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
torch.manual_seed(hpcheck.seed(arguments.seed))  # 2
batch_size = hpcheck.total_batch_size(16)  # 3
block, width, heads, layers = 32, 48, 4, 2

text = Path(argparse.__file__).read_text(encoding="utf-8")  # a text that every Python has
letters = sorted(set(text))
data = torch.tensor([letters.index(letter) for letter in text])
train, val = data[: int(0.9 * len(data))], data[int(0.9 * len(data)) :]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.project = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1))

    def forward(self, x):
        parts = self.attend(self.first(x)).view(*x.shape[:2], 3, heads, width // heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        x = x + self.project(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape))
        return x + self.mlp(self.second(x))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.place = nn.Embedding(len(letters), width), nn.Embedding(block, width)
        self.blocks, self.norm = nn.Sequential(*[Block() for _ in range(layers)]), nn.LayerNorm(width)
        self.head = nn.Linear(width, len(letters), bias=False)

    def forward(self, x, y):
        outputs = self.head(self.norm(self.blocks(self.token(x) + self.place.weight[: x.shape[1]])))
        return nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten())


def get_batch():
    starts = torch.randint(len(train) - block, (batch_size,))
    rows = starts[:, None] + torch.arange(block)
    return train[rows], train[rows + 1]


@torch.no_grad()
def estimate():
    """Loss over the whole validation text, and the same in bits a letter."""
    model.eval()
    count = (len(val) - 1) // block
    x, y = val[: count * block].view(count, block), val[1 : count * block + 1].view(count, block)
    loss = model(x, y).item()
    model.train()
    return loss, loss / math.log(2)


def get_lr(step):
    """Up for three tenths of the training, then down: one cycle."""
    up = 0.3 * arguments.steps
    return arguments.lr * (max(step, 1) / up if step < up else max(0.0, (arguments.steps - step) / (arguments.steps - up)))


model = Gpt()
decayed = [one for one in model.parameters() if one.dim() >= 2]
others = [one for one in model.parameters() if one.dim() < 2]
groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=arguments.lr, betas=(0.9, 0.99), weight_decay=arguments.weight_decay)
hp = hpcheck.follow(optimizer, estimate, model=model, val_examples=len(val) // block, metric="bits", metric_is="lower")  # 4
for step in hp.steps(arguments.steps):  # 5
    for group in optimizer.param_groups:
        group["lr"] = get_lr(step)
    loss = model(*get_batch())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    hp.loss(loss)  # 6
    optimizer.step()
print("validation loss {:.4f}, bits {:.4f}".format(*estimate()))
