"""A Lightning project that trains as it stands, on scikit-learn's handwritten digits. Name your own in hpcheck.yaml instead.

As in `task: {lightning: my_module:Lit, data: my_module:Data}`. Neither needs a line of hpcheck's.
"""

from typing import Any

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset


class Lit(lightning.LightningModule):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return nn.functional.cross_entropy(self.network(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        outputs = self.network(x)
        self.log("val_loss", nn.functional.cross_entropy(outputs, y))
        self.log("val_acc", (outputs.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)


class Data(lightning.LightningDataModule):
    def __init__(self, batch_size: int = 32) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        data = TensorDataset(torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y))
        self.train, self.val = Subset(data, range(1400)), Subset(data, range(1400, 1797))

    def train_dataloader(self) -> Any:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(self.val, 256)
