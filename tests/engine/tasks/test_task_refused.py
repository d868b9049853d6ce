"""What a task cannot be, and what is said of it: one line, by name, before a search begins."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hpcheck.engine.tasks.describe import describe
from hpcheck.engine.tasks.load import OfTask
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.spec import DataSpec, PartSpec

X, Y = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(40)
HERE = "tests.engine.tasks.test_task_refused"


class Fine:
    def build(self):
        return nn.Linear(4, 1)

    def loaders(self, batch_size, seed):
        data = TensorDataset(X, Y)
        return DataLoader(data, batch_size, shuffle=True), DataLoader(data, 20)

    def training_step(self, model, batch):
        return (model(batch[0])[:, 0] - batch[1]).square().mean()

    def validation_step(self, model, batch):
        return {"loss": self.training_step(model, batch), "count": len(batch[0])}


class NoSteps:
    def build(self): ...


class NoValidation:
    build = loaders = training_step = Fine.build


class LightningModule(nn.Module):
    pass


class Lit(LightningModule):
    pass


class HalfAState(Fine):
    def state(self): ...


class Direction(Fine):
    metric, metric_is = "error", "smaller"


class Unnamed(Fine):
    metric = 3


class NoModel(Fine):
    def build(self):
        return [nn.Linear(4, 1)]


class Frozen(Fine):
    def build(self):
        return nn.Linear(4, 1).requires_grad_(False)


class Two(Fine):
    def optimizer(self, model):
        return [torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(model.parameters(), 0.1)]


class NoOptimizer(Fine):
    def optimizer(self, model):
        return None


class Lbfgs(Fine):
    def optimizer(self, model):
        return torch.optim.LBFGS(model.parameters())


class OfAnother(Fine):
    def optimizer(self, model):
        return torch.optim.SGD(nn.Linear(4, 1).parameters(), 0.1)


class NoDecay(Fine):
    def optimizer(self, model):
        return torch.optim.Rprop(model.parameters())


class OneLoader(Fine):
    def loaders(self, batch_size, seed):
        return super().loaders(batch_size, seed)[0]


class Generator(Fine):
    def loaders(self, batch_size, seed):
        return (batch for batch in [(X, Y)]), [(X, Y)]


class ADict(Fine):
    def loaders(self, batch_size, seed):
        return {"a": X}, [(X, Y)]


class OwnSize(Fine):
    def loaders(self, batch_size, seed):
        return super().loaders(10, seed)


class OwnSizeInAList(Fine):
    def loaders(self, batch_size, seed):
        return list(super().loaders(10, seed)[0]), [(X, Y)]


class Nothing(Fine):
    def loaders(self, batch_size, seed):
        return [None], [(X, Y)]


class GivesNothing(Fine):
    def training_step(self, model, batch): ...


class PerExample(Fine):
    def training_step(self, model, batch):
        return (model(batch[0])[:, 0] - batch[1]).square()


class Detached(Fine):
    def training_step(self, model, batch):
        return super().training_step(model, batch).detach()


class AnotherModel(Fine):
    def training_step(self, model, batch):
        return nn.Linear(4, 1)(batch[0]).mean()


class Counting(Fine):
    done = 0

    def __init__(self):
        self.done = 0

    def training_step(self, model, batch):
        self.done += 1
        return super().training_step(model, batch) / self.done


class Uncounted(Fine):
    def validation_step(self, model, batch):
        return {"loss": 1.0}


class ATuple(Fine):
    def validation_step(self, model, batch):
        return 1.0, 2.0


class NamelessMetric(Fine):
    def validation_step(self, model, batch):
        return {"loss": 1.0, "metric": 2.0, "count": 4}


class NoMetric(Fine):
    metric = "accuracy"


class NoCount(Fine):
    def validation_step(self, model, batch):
        return {"loss": 1.0, "count": 0}


class Unread(Fine):
    def validation_step(self, model, batch):
        return {"loss": 1.0, "count": 4, "f1": 0.5}


class TooFewScores(Fine):
    def validation_step(self, model, batch):
        return {"loss": 1.0, "count": 4, "scores": [1.0, 0.0]}


class ManyNumbers(Fine):
    def validation_step(self, model, batch):
        return {"loss": batch[1], "count": 4}


class Reading(Fine):
    def build(self):
        Path("layers.txt").read_text()
        return super().build()


SAID = {
    "NoSteps": "has no loaders, training_step; a task has build, loaders, training_step and validation_step",
    "NoValidation": "has neither validation_step nor evaluate",
    "Lit": "is a LightningModule; write task: {lightning: ",
    "HalfAState": "has one of state and load_state",
    "Direction": 'metric_is is \'smaller\'; expected "higher" or "lower"',
    "Unnamed": "metric is 3; expected its name",
    "NoModel": "build returned a list of 1; expected a torch.nn.Module",
    "Frozen": "the model has no parameters to train",
    "Two": "optimizer returned 2 objects; hpcheck drives one optimizer",
    "NoOptimizer": "optimizer returned nothing; expected a torch optimizer",
    "Lbfgs": "LBFGS cannot be driven",
    "OfAnother": "the optimizer has parameters that are not the model's",
    "NoDecay": "Rprop has no weight_decay in its parameter groups",
    "OneLoader": "loaders returned a DataLoader; expected (train, val) or (train, val, test)",
    "Generator": "the training loader is a generator, which is over after one epoch",
    "ADict": "the training loader is a dict of 1; expected something that gives batches",
    "OwnSize": "gave a training loader of batch size 10; use the batch size that loaders is given",
    "OwnSizeInAList": "was given a batch size of 16, and its first batch has 10 examples",
    "Nothing": "the training loader gave nothing as a batch",
    "GivesNothing": "training_step returned nothing; expected the loss",
    "PerExample": "training_step returned a tensor of shape (16,); expected the loss",
    "Detached": "the loss of training_step is without a gradient",
    "AnotherModel": "the loss of training_step does not depend on the model of build",
    "Counting": "training_step changes self.done, which a run that goes on would begin anew with",
    "Uncounted": "validation_step returned a dict without count (it has loss)",
    "ATuple": "validation_step returned a tuple of 2; expected a dict with count, loss",
    "NamelessMetric": "validation_step returned a metric that has no name",
    "NoMetric": "validation_step returned a dict without metric (it has loss, count)",
    "NoCount": "validation_step returned a count of 0",
    "Unread": "validation_step returned f1, which nothing reads",
    "TooFewScores": "validation_step returned 2 scores and a count of 4; expected one for each",
    "ManyNumbers": "validation_step returned a tensor of shape (20,) for loss; expected one number",
    "Reading": "reads layers.txt, which is no part of a run's identity",
}


def looked_at(name: str, reads: tuple[str, ...] = ()) -> dict[str, object]:
    task = OfTask(DataSpec(f"{HERE}:{name}", task="task"), PartSpec(f"{HERE}:{name}"), reads, torch.device("cpu"))
    return describe(task, 16, 128, 0)


@pytest.mark.parametrize("name", SAID)
def test_a_task_that_cannot_be_driven_is_refused_by_name_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("layers.txt").write_text("4", encoding="utf-8")
    with pytest.raises(UsersCodeError) as caught:
        looked_at(name)
    said = str(caught.value)
    assert SAID[name] in said
    assert f"{HERE}:{name}" in said
    assert "\n" not in said


@pytest.mark.parametrize("reads", ["layers.txt", "."])
def test_a_file_that_is_named_or_lies_in_a_folder_that_is_may_be_read(reads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("layers.txt").write_text("4", encoding="utf-8")
    assert looked_at("Reading", (reads,))["validation"] == 40


def test_what_raises_is_shown_with_its_place() -> None:
    with pytest.raises(UsersCodeError, match="NoSteps"):
        looked_at("NoSteps")


def test_a_task_without_a_metric_is_judged_by_its_loss() -> None:
    told = looked_at("Fine")
    assert (told["metric"], told["metric_is"], told["train_examples"], told["validation"]) == ("loss", "lower", 40, 40)
    assert (told["optimizer"], told["thinned"], told["repeats"]) == ("", True, True)


def test_nan_before_the_first_update_is_no_lr_too_large(tmp_path: Path) -> None:
    from hpcheck.engine.pool import worker
    from tests.engine.tasks.test_task_runs import spec_of
    from tests.support.task_runs import computed

    spec = replace(spec_of("Line", options={"shifted": float("nan")}), total_batch_size=16)
    with pytest.raises(
        UsersCodeError, match="the loss is NaN before the first update, so no learning rate is at fault: look at the steps of"
    ):
        computed(spec, tmp_path)
    worker.of_this_process.cache_clear()


def test_a_library_that_is_not_installed_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "lightning", None)
    Path("needs_it.py").write_text("import lightning", encoding="utf-8")
    task = OfTask(DataSpec("needs_it:Data", task="lightning"), PartSpec("needs_it:Lit"), (), torch.device("cpu"))
    with pytest.raises(
        UsersCodeError, match=r"needs_it:Lit imports lightning, which is not installed \(pip install hpcheck\[lightning\]\)"
    ):
        describe(task, 16, 128, 0)
