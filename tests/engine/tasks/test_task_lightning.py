"""A LightningModule with its LightningDataModule as a task, against the installed library."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from hpcheck.engine import checkpoints
from hpcheck.engine.pool import worker
from hpcheck.engine.tasks.describe import describe
from hpcheck.engine.tasks.lightning import REFUSED
from hpcheck.engine.tasks.load import OfTask
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, freeze
from tests.support.task_runs import computed

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("lightning") is None, reason="lightning is not installed: pip install hpcheck[lightning]"),
    pytest.mark.filterwarnings("ignore"),  # what the library's own code warns of is not ours
]
EXAMPLE = Path(__file__).parents[3] / "examples" / "lightning" / "my_lit.py"
MORE = """
import torchmetrics
from torch import nn
from my_lit import Digits, Lit, L, torch

class Computes(Lit):
    '''Logs a metric of torchmetrics, and returns its loss.'''
    def __init__(self):
        super().__init__()
        self.val_acc = torchmetrics.Accuracy("multiclass", num_classes=10)
    def validation_step(self, batch):
        outputs = self(batch[0])
        self.val_acc(outputs, batch[1])
        self.log("val_acc", self.val_acc)
        return nn.functional.cross_entropy(outputs, batch[1])

class LossAlone(Lit):
    def validation_step(self, batch, batch_idx):
        self.log_dict({"val_loss": nn.functional.cross_entropy(self(batch[0]), batch[1])})

class Many(Lit):
    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_f1", 0.5)

class AtTheEnd(Lit):
    def on_validation_epoch_start(self):
        self.right = []
    def validation_step(self, batch, batch_idx):
        outputs = self(batch[0])
        self.right.append((outputs.argmax(1) == batch[1]).float())
        self.log("val_loss", nn.functional.cross_entropy(outputs, batch[1]))
    def on_validation_epoch_end(self):
        self.log("val_acc", torch.cat(self.right).mean())

class Manual(Lit):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

class TwoOptimizers(Lit):
    def configure_optimizers(self):
        return [torch.optim.SGD(self.body.parameters(), 0.1), torch.optim.SGD(self.head.parameters(), 0.1)], []

class Hook(Lit):
    def on_train_epoch_end(self): ...

class Epochs(Lit):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * (1 + self.current_epoch)

class Steps(Lit):
    def validation_step(self, batch, batch_idx):
        self.log("steps", float(self.global_step))
        return super().validation_step(batch, batch_idx)

class AsksTheTrainer(Lit):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.trainer.estimated_stepping_batches)

class OneCycle(Lit):
    def configure_optimizers(self):
        groups = [{"params": self.body.parameters()}, {"params": self.head.parameters()}]
        optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=0.01)
        return [optimizer], [torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.01, 0.02], total_steps=100)]

class NoValidation(L.LightningModule):
    def training_step(self, batch, batch_idx): ...
    def configure_optimizers(self): ...

class Sums(Lit):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self(batch[0]).mean(), reduce_fx="max")

class Fixed(Digits):
    def __init__(self):
        super().__init__()
        del self.batch_size

class TwoLoaders(Digits):
    def val_dataloader(self):
        return [super().val_dataloader()] * 2

class Moves(Digits):
    def transfer_batch_to_device(self, batch, device, idx):
        return batch
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoints, "_stop", [])
    for name in ("my_lit", "more_lit"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    Path("my_lit.py").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    Path("more_lit.py").write_text(MORE, encoding="utf-8")
    worker.of_this_process.cache_clear()
    worker.task_contents.cache_clear()


def looked_at(lit: str = "my_lit:Lit", data: str = "my_lit:Digits", **options: object) -> dict[str, object]:
    task = OfTask(DataSpec(data, task="lightning"), PartSpec(lit, freeze(options)), (), torch.device("cpu"))
    return describe(task, 32, 128, 0)


def spec_of(lit: str = "my_lit:Lit", **options: object) -> RunSpec:
    return RunSpec(
        data=DataSpec("my_lit:Digits", metric="val_acc", task="lightning"),
        model=PartSpec(lit, freeze(options)),
        optimizer=PartSpec("adamw"),
        total_batch_size=32,
        steps=60,
        lr=constant(0.01),
        momentum=constant(0.9),
        weight_decay=0.01,
        evaluate_after=(0, 30, 60),
        finally_on=("val", "test"),
    )


def test_what_a_lightning_module_is_is_taken_from_its_hooks() -> None:
    told = looked_at(width=16)
    assert (told["metric"], told["metric_is"], told["train_examples"], told["validation"], told["test"]) == (
        "val_acc",
        "higher",
        1200,
        300,
        True,
    )
    assert (told["optimizer"], told["kind"], told["lr"], told["weight_decay"]) == ("AdamW", "adamw", 3e-3, 0.01)
    assert told["groups"] == [[pytest.approx(1 / 3), 1.0], [1.0, 1.0]]
    assert told["remarks"] == ["its scheduler (CosineAnnealingLR) is left out: hpcheck sets the learning rate"]
    assert told["parameters"] == 64 * 16 + 16 + 32 + 16 * 10 + 10


def test_the_lr_and_the_momenta_of_a_one_cycle_schedule_are_its_largest_and_not_those_that_it_begins_with() -> None:
    told = looked_at("more_lit:OneCycle")
    assert (told["lr"], told["momentum"], told["least_momentum"]) == (0.02, 0.95, 0.85)
    assert told["groups"] == [[0.5, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("lit", ["my_lit:Lit", "more_lit:Computes", "more_lit:AtTheEnd"])
def test_a_lightning_module_trains_and_its_figures_are_those_that_it_logs(lit: str, tmp_path: Path) -> None:
    record = computed(spec_of(lit), tmp_path)
    assert record.rows[-1]["metric"] > 0.7 > record.rows[0]["metric"]
    assert record.result["val"]["examples"] == 300
    assert record.result["test"]["metric"] > 0.7
    same = computed(spec_of("my_lit:Lit"), tmp_path)
    assert [row["metric"] for row in record.rows] == pytest.approx([row["metric"] for row in same.rows], abs=1e-6)
    assert [row["val_loss"] for row in record.rows] == pytest.approx([row["val_loss"] for row in same.rows], rel=1e-5)


def test_it_trains_as_a_loop_by_hand_does(tmp_path: Path) -> None:
    """The same weights, batches and dropout: the loss of its first updates is that of a plain loop."""
    from hpcheck.engine.randomness import seed_all
    from hpcheck.engine.tasks.batches import Epochs

    record = computed(spec_of(), tmp_path)
    task = OfTask.of(spec_of(), torch.device("cpu")).begin()
    model = task.build(0)
    batches = Epochs("by hand", task.loaders(32, 0).train, 0)
    groups = [{"params": model.body.parameters(), "lr": 0.01 / 3}, {"params": model.head.parameters(), "lr": 0.01}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    losses = []
    model.train()
    for step in range(30):
        x, y = batches.batch(step)
        seed_all(torch.device("cpu"), step)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    assert record.rows[1]["train_loss"] == pytest.approx(float(torch.stack(losses).mean()), rel=1e-5)


def test_it_measures_what_a_trainer_measures() -> None:
    import lightning

    from hpcheck.engine.tasks.evaluation import evaluated

    task = OfTask.of(spec_of(), torch.device("cpu")).begin()
    model, loader = task.build(0), task.loaders(32, 0).val
    found = evaluated(task, model, loader, torch.device("cpu"))
    del model.log, model.log_dict
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    (measured,) = lightning.Trainer(accelerator="cpu", **quiet).validate(model, loader, verbose=False)
    assert (found.loss, found.metric) == (pytest.approx(measured["val_loss"]), pytest.approx(measured["val_acc"]))


def test_where_only_a_loss_is_logged_it_judges() -> None:
    told = looked_at("more_lit:LossAlone")
    assert (told["metric"], told["metric_is"]) == ("val_loss", "lower")


def test_which_value_is_the_metric_can_be_said() -> None:
    assert looked_at("more_lit:Many", metric="val_f1")["metric"] == "val_f1"


@pytest.mark.parametrize(
    ("lit", "data", "words"),
    [
        ("more_lit:Many", "my_lit:Digits", "task.metric: more_lit:Many logs val_acc, val_f1 in validation; say which is the metric"),
        ("more_lit:Manual", "my_lit:Digits", "optimizes manually (automatic_optimization is False), which cannot be driven"),
        (
            "more_lit:TwoOptimizers",
            "my_lit:Digits",
            "configure_optimizers of more_lit:TwoOptimizers gives 2 optimizers; hpcheck drives one",
        ),
        ("more_lit:Hook", "my_lit:Digits", "has a hook on_train_epoch_end, which is not called here"),
        ("more_lit:Epochs", "my_lit:Digits", "uses self.current_epoch, which only a Trainer counts"),
        ("more_lit:Steps", "my_lit:Digits", "uses self.global_step, which only a Trainer counts"),
        ("more_lit:AsksTheTrainer", "my_lit:Digits", "configure_optimizers of more_lit:AsksTheTrainer uses self.trainer"),
        ("more_lit:NoValidation", "my_lit:Digits", "task.lightning: more_lit:NoValidation has no validation_step"),
        ("more_lit:Sums", "my_lit:Digits", "logs val_loss with reduce_fx='max'; hpcheck takes means over examples"),
        ("my_lit:Digits", "my_lit:Digits", "task.lightning: my_lit:Digits is a Digits; expected a LightningModule"),
        ("my_lit:Lit", "my_lit:Lit", "task.data: my_lit:Lit is a Lit; expected a LightningDataModule"),
        ("my_lit:Lit", "more_lit:Fixed", "task.data: more_lit:Fixed has neither an argument nor an attribute batch_size"),
        ("my_lit:Lit", "more_lit:TwoLoaders", "val_dataloader of more_lit:TwoLoaders gives several loaders"),
        ("my_lit:Lit", "more_lit:Moves", "task.data: more_lit:Moves has a hook transfer_batch_to_device, which is not called here"),
    ],
)
def test_what_cannot_be_driven_is_refused_by_name_in_one_line(lit: str, data: str, words: str) -> None:
    with pytest.raises(UsersCodeError) as caught:
        looked_at(lit, data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hook", [name for name in REFUSED if name != "on_train_epoch_end"])
def test_each_hook_that_only_a_trainer_calls_is_refused_by_name(hook: str) -> None:
    with Path("more_lit.py").open("a", encoding="utf-8") as file:
        file.write(f"setattr(Hook, {hook!r}, Hook.on_train_epoch_end)\ndel Hook.on_train_epoch_end\n")
    with pytest.raises(UsersCodeError, match=f"more_lit:Hook has a hook {hook}, which is not called here"):
        looked_at("more_lit:Hook")


def test_a_value_that_is_not_logged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsersCodeError, match=r"task\.metric: my_lit:Lit logs val_loss, val_acc in validation, and not val_auc"):
        computed(spec_of(metric="val_auc"), tmp_path)
