"""Several outputs, a loss that samples, and no metric: a variational autoencoder of digits. The last lines and vae.yaml are for hpcheck."""

import plain_loop
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

EPOCHS, BATCH_SIZE = 30, 32


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * log_variance).exp()), mean, log_variance


def make_model():
    return Coder()


def make_optimizer(model, lr=1e-3, weight_decay=0.01):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)


def make_loaders(batch_size):
    x = torch.tensor(load_digits().data / 16, dtype=torch.float32)[torch.randperm(1797, generator=torch.Generator().manual_seed(0))]
    return DataLoader(x[:1200], batch_size, shuffle=True), DataLoader(x[1200:], 300)


def each(model, x):
    """The negative evidence bound of each example, by one sample."""
    outputs, mean, log_variance = model(x)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
    return F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(1) + divergence


def loss(model, batch):
    return each(model, batch).mean()


def figures(model, batch):
    losses = each(model, batch)
    return {"loss": losses.mean(), "losses": losses}


if __name__ == "__main__":
    plain_loop.main(globals(), "bound", lr=1e-3, weight_decay=0.01)


# for hpcheck:
class Task:
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
