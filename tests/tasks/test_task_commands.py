"""`task: pkg.module:Task`: what is taken from it, what the commands say of it, and what the config refuses beside it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.config import Config, ConfigError
from hpcheck.config.template import commented
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.errors import InputError
from hpcheck.recommendation import recommended
from hpcheck.runs import records
from hpcheck.runs.directory import RunDirectory
from hpcheck.steps.build_runs import data_spec
from hpcheck.steps.step import Asked, Facts
from hpcheck.tasks import description, resolved
from tests.support.here import Here

SOURCE = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x = torch.randn(240, 4, generator=torch.Generator().manual_seed(0))
y = (x.sum(1) > 0).long()

class Task:
    metric = "accuracy"
    def __init__(self, *, width=8):
        self.width = width
    def build(self):
        return nn.Sequential(nn.Linear(4, self.width), nn.ReLU(), nn.Linear(self.width, 2))
    def loaders(self, batch_size, seed):
        train, val = TensorDataset(x[:200], y[:200]), TensorDataset(x[200:], y[200:])
        return DataLoader(train, batch_size, shuffle=True), DataLoader(val, 40)
    def training_step(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])
    def validation_step(self, model, batch):
        outputs, right = model(batch[0]), None
        right = (outputs.argmax(1) == batch[1]).float()
        return {"loss": nn.functional.cross_entropy(outputs, batch[1]), "metric": right.mean(), "scores": right}

class Own(Task):
    batch_size = 20
    def optimizer(self, model):
        groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.03, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=0.01, weight_decay=0.05)

class Endless(Task):
    val_examples = 40
    def loaders(self, batch_size, seed):
        class Stream:
            def __iter__(self):
                while True:
                    rows = torch.randint(200, (batch_size,))
                    yield x[rows], y[rows]
        return Stream(), [(x[200:], y[200:])]
"""
SHORT = ["budget.epochs=4", "budget.evals=7", "budget.short_steps=20", "run.jobs=1", "run.threads=1", "lr_range.max_extensions=0"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolved, "_described", {})
    monkeypatch.setattr(description, "Executor", Here)
    monkeypatch.delitem(sys.modules, "tasky", raising=False)
    Path("tasky.py").write_text(SOURCE, encoding="utf-8")
    worker.of_this_process.cache_clear()
    worker.task_contents.cache_clear()
    threads = torch.get_num_threads()

    def execute(self: Pool, jobs: Any, directory: Path, on_poll: Any = None, asked_at_once: Any = None, ahead: Any = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for run_id, spec in jobs:
            worker.work(spec, run_id, directory, "cpu", 1)
        torch.set_num_threads(threads)

    monkeypatch.setattr(Pool, "execute", execute)


def config_of(text: str, *overrides: str) -> Config:
    return resolved.resolved(configs.parse(text, "hp.yaml", ["name=hp", *overrides]))


def test_the_start_is_what_the_tasks_optimizer_has_unless_the_config_says_otherwise() -> None:
    config = config_of("task: tasky:Own\nstart: {weight_decay: 0.5}")
    start = config.start
    assert (start.total_batch_size, start.max_lr, start.weight_decay, start.momentum.max) == (20, 0.03, 0.5, 0.9)
    assert (config.optimizer.name, config.data.metric, config.data.metric_is) == ("adamw", "accuracy", "higher")


def test_a_task_without_an_optimizer_is_trained_by_the_configs() -> None:
    config = config_of("task: tasky:Task\noptimizer: adamw")
    assert (config.optimizer.name, config.start.max_lr, config.start.total_batch_size) == ("adamw", None, 128)


def test_an_optimizer_beside_a_task_that_makes_its_own_is_refused() -> None:
    with pytest.raises(InputError, match="optimizer: stands beside tasky:Own, which makes its own AdamW; leave one of the two out"):
        config_of("task: tasky:Own\noptimizer: sgd")


def test_a_commented_config_leaves_the_optimizer_to_the_task() -> None:
    """As `init` writes it: every section is there, and most are empty."""
    assert config_of(commented({"task": "tasky:Own"})).optimizer.name == "adamw"


def test_the_identity_of_a_run_says_that_a_task_trains_and_with_which_arguments() -> None:
    config = config_of("task: {name: tasky:Task, width: 16}")
    spec = data_spec(Asked(config, Facts(0, 0)))
    assert (spec.name, spec.task, spec.metric) == ("tasky:Task", "task", "accuracy")
    assert config.model.options() == {"width": 16}


def test_a_loader_without_a_length_needs_a_budget_in_steps() -> None:
    with pytest.raises(InputError, match=r"give the task an attribute train_examples, or set budget\.steps"):
        config_of("task: tasky:Endless")
    config = config_of("task: tasky:Endless\nbudget: {steps: 300}\nstart: {total_batch_size: 10}")
    _, train, held_out = resolved.known(config)
    assert (config.budget.epochs * train / 10, held_out, config.budget.eval_size) == (300, 40, 40)


def test_a_part_of_a_validation_set_that_cannot_be_taken_is_refused() -> None:
    with pytest.raises(InputError, match=r"budget\.eval_size: is 10, but the validation loader is no DataLoader over indexed examples"):
        config_of("task: tasky:Endless\nbudget: {steps: 300, eval_size: 10}")


def test_the_resolved_config_is_read_back_the_same() -> None:
    config = config_of("task: {name: tasky:Own, width: 4}")
    again = configs.parse(configs.dump(config), "runs/hp/config.yaml")
    assert configs.digest(again) == configs.digest(config)
    assert (again.start, again.task, again.model) == (config.start, config.task, config.model)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: tasky:Task\ndata: mnist", "data: stands beside task, which is both data and model"),
        ("task: tasky:Task\nmodel: mlp", "model: stands beside task, which is both data and model"),
        ("task: tasky:Task\nscript: [python, train.py]", "task: stands beside script, which trains by itself"),
        ("task: tasky", "task.name: not the name of a class or a function"),
        ("task: {width: 3}", "task: names no task"),
        ("task: {name: a:B, lightning: a:L}", "task: names two"),
        ("task: {name: a:B, data: a:D}", "task.data: is for a LightningModule; a task has loaders"),
        ("task: {name: a:B, metric: f1}", "task.metric: is for a LightningModule; a task says it itself"),
        ("task: {lightning: a:L}", "task.data: is required beside task.lightning"),
        ("task: {name: a:B, deep: {a: 1}}", "task.deep: too deep for an option"),
        ("task: a:B\nrun: {bn_splits: 2}", "run.bn_splits: cannot be set for a task"),
        ("task: a:B\nrun: {engine: ray}", "run.engine: cannot be set for a task, which is computed on this machine"),
        ("task: a:B\ntrain: {fit: all}", "train.fit: cannot be set for a task, which splits its own data"),
    ],
)
def test_what_cannot_stand_beside_or_in_a_task_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configs.parse(text, "hp.yaml")
    (line,) = str(caught.value).splitlines()
    assert words in line


def test_a_file_that_a_task_reads_and_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"task\.reads: there is no file or folder words\.txt"):
        config_of("task: {name: tasky:Task, reads: [words.txt]}")


def test_a_first_step_runs_and_is_shown_without_the_task_being_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("hpcheck.yaml").write_text("task: tasky:Task\nname: hp\nstart: {total_batch_size: 20}\n", encoding="utf-8")
    assert run(["lr-range", *[word for key in SHORT for word in ("-s", key)]]) in (0, 6)
    said = capsys.readouterr().err
    assert "tasky:Task: 58 parameters, the optimizer of the config, 200 training examples, 40 validation examples, batch size 20" in said
    content = recommended.read(Path("runs/hp/recommended.yaml"), whole=True)
    assert content["provenance"]["metric"] == "accuracy"
    found = [record for path in Path("runs/hp/records").glob("*.jsonl") if (record := records.read(path)) is not None]
    assert found
    assert all(record.spec.data.task == "task" for record in found)
    page = Path("runs/hp/report.html").read_text(encoding="utf-8")
    assert "Your task" in page
    assert "from tasky import Task" in page

    monkeypatch.setattr(description, "Executor", None)  # nothing is looked at from here on
    resolved._described.clear()
    short = [word for key in SHORT for word in ("-s", key)]
    assert run(["show", *short]) == 0
    assert "another than these settings" not in capsys.readouterr().err
    assert run(["show", "--snippet", "pytorch", *short]) == 2
    assert "there is no snippet pytorch for a task" in capsys.readouterr().err
    assert run(["report", *short]) == 0


def test_a_command_that_only_looks_says_so_where_nothing_was_looked_at_yet(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hpcheck.yaml").write_text("task: tasky:Task\nname: hp\n", encoding="utf-8")
    RunDirectory(Path("runs/hp")).create(configs.load(Path("hpcheck.yaml")))
    assert run(["report"]) == 2
    assert "the task has not been looked at yet; hpcheck lr-range or hpcheck run does" in capsys.readouterr().err


def test_a_run_directorys_config_never_names_a_task_that_is_imported(capsys: pytest.CaptureFixture[str]) -> None:
    RunDirectory(Path("runs/hp")).create(config_of("task: tasky:Task"))
    assert run(["lr-range"]) == 2
    assert "names your own code (tasky:Task), which is not imported from a run directory" in capsys.readouterr().err


def test_a_plan_knows_the_tasks_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hpcheck.yaml").write_text("task: tasky:Own\nname: hp\nbudget: {epochs: 10}\n", encoding="utf-8")
    assert run(["plan", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["iterations_of_a_full_training"] == 100
    assert not Path("runs").exists()


def test_data_options_cannot_be_tried_in_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hpcheck.yaml").write_text("task: tasky:Task\nname: hp\n", encoding="utf-8")
    assert run(["wd-grid", "--over", "data.limit=10,20"]) == 2
    assert "a task has loaders of its own" in capsys.readouterr().err


def test_init_and_validate_know_a_config_with_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hp.yaml").write_text("task: tasky:Task\nbudget: {epochs: 3}\n", encoding="utf-8")
    assert run(["validate", "--skip-others", "hp.yaml"]) == 0
    assert capsys.readouterr().out.startswith("ok: hp.yaml")
