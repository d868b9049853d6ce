"""A LightningModule with groups of its own, on the movements of a robot's arm. No line of it is hpcheck's; lit.yaml is."""

import argparse
import os
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCH_SIZE = 14, 64


class Lit(L.LightningModule):
    """The head learns three times as fast as the body, and has no weight decay."""

    def __init__(self, lr=3e-4, weight_decay=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.head = nn.Linear(64, 1)

    def forward(self, x):
        return self.head(self.body(x))[:, 0]

    def training_step(self, batch, batch_idx):
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        outputs = self(batch[0])
        self.log("val_loss", F.mse_loss(outputs, batch[1]), prog_bar=True)
        self.log("val_mae", F.l1_loss(outputs, batch[1]), prog_bar=True)

    def configure_optimizers(self):
        lr, steps = self.hparams.lr, EPOCHS * (2560 // BATCH_SIZE)
        groups = [{"params": self.body.parameters()}, {"params": self.head.parameters(), "lr": 3 * lr, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=self.hparams.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [lr, 3 * lr], total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Arm(L.LightningDataModule):
    def __init__(self, batch_size=BATCH_SIZE):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage):
        table = np.loadtxt(Path(os.environ.get("HPCHECK_DATA", "data")) / "small" / "tabular" / "kin8nm.txt", dtype=np.float32)
        table = torch.tensor((table - table.mean(0)) / table.std(0))[:4560]
        self.train, self.val = TensorDataset(table[:2560, :-1], table[:2560, -1]), TensorDataset(table[2560:, :-1], table[2560:, -1])

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return DataLoader(self.val, 500)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    L.seed_everything(given.seed, verbose=False)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(max_epochs=EPOCHS, accelerator="cpu", **quiet)
    module, data = Lit(given.lr, given.weight_decay), Arm()
    trainer.fit(module, data)
    found = trainer.validate(module, data, verbose=False)[0]
    print(f"validation loss {found['val_loss']:.5f}, mae {found['val_mae']:.5f}")
