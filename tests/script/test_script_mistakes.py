"""Mistakes in scripts that would be answered silently for another training, and things of theirs that are no mistake."""

import copy
import math
import os
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.optimizer import _global_optimizer_post_hooks
from torch.utils.data import DataLoader, TensorDataset

from hpcheck.runs import records
from hpcheck.script.description import _unnamed, described, files_in
from hpcheck.script.inside import opened
from hpcheck.script.job import ScriptError
from hpcheck.script.launch import Launcher
from tests.support.followed import SPEC, Script, ended

TOLD = {"seed": 0, "total_batch_size": 64, "first_loss": 99.0, "train_examples": 640, "val_examples": 200, "groups": [1, 2]}


class TwoLoaders(Script):
    """Labelled examples, and three times as many without labels beside them; every epoch the script evaluates for itself."""

    def train(self, hp, loops, **_):
        data = TensorDataset(self.x, self.y)
        labelled, others = DataLoader(data, self.batch_size, shuffle=True), DataLoader(TensorDataset(self.x), 3 * self.batch_size)
        for _ in loops:
            for (x, y), (other,) in zip(labelled, others, strict=False):
                loss = nn.functional.cross_entropy(self.model(x), y) + 0.01 * self.model(other).square().mean()
                self.optimizer.zero_grad()
                loss.backward()
                hp.loss(loss)
                self.optimizer.step()
            for x, _y in DataLoader(TensorDataset(*data.tensors), batch_size=500):
                self.model(x)


def test_a_second_loader_and_an_evaluation_of_the_scripts_own_do_not_count_as_its_batches(drive):
    path = drive()
    assert ended(TwoLoaders()) == 0
    assert records.read(path).rows[-1]["step"] == 40


def test_two_loaders_that_both_ignore_the_batch_size_are_found(drive):
    drive()
    script = TwoLoaders()
    script.batch_size = 8
    with pytest.raises(ScriptError, match="about 8 examples"):
        script.train(hp := script.follow(), hp.epochs(1))


def test_the_number_of_batches_is_not_taken_for_that_of_examples(drive):
    drive(mode="describe")
    script = Script()
    hp = script.follow(train_examples=10)
    with pytest.raises(ScriptError, match="train_examples is 10, which is how many batches the data loader has"):
        script.train(hp, hp.epochs(1))


def test_the_batch_size_of_a_validation_loader_is_not_taken_for_the_trainings():
    from hpcheck.script.inside.driven import Driven

    driven = Driven.__new__(Driven)
    driven.asked, driven.own_batch_size, driven.job = set(), None, type("Job", (), {"total_batch_size": 64})
    assert [driven.total_batch_size(32), driven.total_batch_size(32)] == [64, 64]
    with pytest.raises(ScriptError, match="was given 32 and then 256"):
        driven.total_batch_size(256)


@pytest.mark.parametrize("metric", ["perplexity", "loss", "val_loss", "Validation loss", "RMSE", "error rate", "bits"])
def test_a_metric_of_which_less_is_better_is_not_made_as_large_as_can_be(drive, metric):
    drive()
    with pytest.raises(ScriptError, match=f'metric called {metric} less is better: give metric_is="lower"'):
        Script().follow(metric=metric)
    _global_optimizer_post_hooks.clear()


@pytest.mark.parametrize("given", [{"metric": "perplexity", "metric_is": "lower"}, {"metric": "bit accuracy"}, {"metric": "negative loss"}])
def test_other_names_of_metrics_are_taken_as_they_are(drive, given):
    drive()
    assert Script().follow(**given).active


def test_a_one_cycle_that_is_shorter_than_the_run_does_not_end_it(drive):
    path = drive()
    script = Script()
    scheduler = OneCycleLR(script.optimizer, 0.3, total_steps=12)
    assert ended(script, between=scheduler.step) == 0
    assert records.read(path).rows[-1]["step"] == 40


def test_a_loop_in_which_nothing_is_computed_ends(drive):
    drive()
    script = Script()
    hp = script.follow()
    used_up = iter(DataLoader(TensorDataset(script.x[:32]), batch_size=64, drop_last=True))
    with pytest.raises(ScriptError, match="3 epochs passed without an update or a loss: do the batches fit into the data"):
        [batch for _ in hp.epochs(5) for batch in used_up]


def test_an_optimizer_that_chooses_its_own_lr_is_refused(drive):
    drive()
    script = Script()
    script.optimizer.param_groups[0]["lr"] = None
    with pytest.raises(ScriptError, match="SGD chooses its own lr"):
        script.follow()


@pytest.mark.parametrize("resumes", [True, False])
def test_a_run_that_goes_on_from_what_an_earlier_one_saved_is_refused(drive, tmp_path, resumes):
    checkpoint = tmp_path / "last.pt"
    torch.save([1], checkpoint)
    os.utime(checkpoint, (time.time() - 5, time.time() - 5))  # after the search began, and before this launch
    path = drive(told=TOLD, since=time.time() - 10)
    script = Script()
    if resumes:
        torch.load(checkpoint)
        with pytest.raises(ScriptError, match=r"was 99 when the command looked: this run reads last\.pt, which an earlier run"):
            script.train(hp := script.follow(), hp.epochs(1))
    else:
        ended(script)
        assert records.read(path).result["unseeded"] is True


def test_what_was_written_before_the_search_or_by_this_very_launch_is_no_earlier_run(tmp_path):
    opened.begin()
    for name, age in (("before", 100), ("other", 50), ("own", -1)):
        path = tmp_path / f"{name}.bin"
        path.write_bytes(b"")
        os.utime(path, (time.time() - age, time.time() - age))
        path.read_bytes()
    found = opened.end()
    assert [path.name for path in opened.written_since(found, time.time() - 60)] == ["other.bin"]
    (tmp_path / "later.bin").touch()
    (tmp_path / "later.bin").read_bytes()
    assert len(found) == 3


def test_an_average_of_the_weights_that_a_snapshot_lacks_is_noticed(drive):
    class Averaged(Script):
        def __init__(self):
            super().__init__()
            self.model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
            self.average = copy.deepcopy(self.model)

        def validate(self):
            outputs = self.average(self.x[:200])
            return nn.functional.cross_entropy(outputs, self.y[:200]), (outputs.argmax(1) == self.y[:200]).float().mean()

        def moves(self):
            with torch.no_grad():
                for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
                    slow.lerp_(fast, 0.2)

    drive(replace(SPEC, keep="last"))
    script = Averaged()
    ended(script, between=script.moves)
    drive(replace(SPEC, parent="a" * 16, at_step=40, steps=60, evaluate_after=(60,)), run_id="c" * 16)
    script = Averaged()
    hp = script.follow()
    with pytest.raises(ScriptError, match=r"with the snapshot loaded, and gave .* it looks at more than model="):
        script.train(hp, hp.epochs(1))


def test_a_config_that_a_script_reads_is_spoken_of_unless_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hp.json").write_text('{"lr": 0.25}', encoding="utf-8")
    text = """
        import json, sys, torch, hpcheck
        torch.manual_seed(hpcheck.seed(0))
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=json.load(open("hp.json"))["lr"])
        size = hpcheck.total_batch_size(8)
        hp = hpcheck.follow(optimizer, lambda: (1.0, 0.5), train_examples=80, val_examples=10)
        for epoch in hp.epochs(5):
            for batch in range(10):
                loss = model(torch.randn(size, 3)).square().mean()
                loss.backward()
                hp.loss(loss)
                optimizer.step()
    """
    Path("train.py").write_text(textwrap.dedent(text), encoding="utf-8")
    said: list[str] = []
    launcher = Launcher([sys.executable, "train.py"])
    found = described(launcher.command, 0, None, [], "", 60.0, launcher, said.append)
    launcher.close()
    assert any("train.py reads hp.json: name it in script_reads" in line for line in said)
    assert math.isclose(found.told["lr"], 0.25)
    assert _unnamed([str(Path("hp.json").resolve()), "/elsewhere/x.json"], {}) == ["hp.json"]
    assert _unnamed(["hp.json"], {str(Path("hp.json").resolve()): "its hash"}) == []


def test_files_that_a_command_names_are_found_after_an_equals_sign_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b=c.yaml", "c.yaml"):
        Path(name).touch()
    assert [str(path) for path in files_in(["x", "a.yaml", "--config=c.yaml", "--n=3", "b=c.yaml"])] == [
        "a.yaml",
        "c.yaml",
        "b=c.yaml",
        "c.yaml",
    ]
