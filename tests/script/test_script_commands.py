"""`hpcheck STEP -- COMMAND`: the command line, the config, and whole steps on a small script."""

import json
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.config import ConfigError
from hpcheck.recommendation import recommended
from hpcheck.runs import records
from hpcheck.runs.spec import RunSpec
from hpcheck.script import api, command_line, resolved
from hpcheck.script.advice import advice
from hpcheck.script.description import Description, hash_of
from tests.support.training_scripts import SHORT, SMALL

EXAMPLE = Path(__file__).parents[2] / "examples" / "script" / "train.py"
TOLD = {
    "train_examples": 1000,
    "val_examples": 100,
    "metric": "accuracy",
    "metric_is": "higher",
    "validation": 100,
    "loops": {"epochs": 10},
    "seed": 0,
    "seed_asked": True,
    "total_batch_size": 50,
    "first_loss": 2.3,
    "optimizer": "AdamW",
    "kind": "adamw",
    "lr": 0.003,
    "weight_decay": 0.02,
    "momentum": 0.9,
    "groups": [[1.0, 1.0], [0.1, 0.0]],
    "snapshots": False,
    "processes": 1,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "_command", None)
    monkeypatch.setattr(resolved, "_described", {})
    monkeypatch.setattr(resolved, "_launchers", {})
    Path("train.py").write_text(SMALL.replace("TRAIN_EXAMPLES", "train_examples=512"), encoding="utf-8")


def looked_at(name="train", command=("python", "train.py"), **more):
    """As if an earlier command had looked at the script."""
    folder = Path("runs", name)
    folder.mkdir(parents=True)
    Description(command, {**TOLD, **more}, {str(Path("train.py").resolve()): hash_of(Path("train.py"))}).save(folder)


def test_what_stands_after_the_dashes_is_the_users_command():
    assert command_line.take(["run", "hp.yaml", "-q", "--", "python", "train.py", "-s", "--", "x"]) == ["run", "hp.yaml", "-q"]
    assert command_line.of_this_call() == ["python", "train.py", "-s", "--", "x"]
    assert command_line.take(["read", "--", "-curve.csv"]) == ["read", "--", "-curve.csv"]


@pytest.mark.parametrize(
    ("line", "words"), [("show -- python x.py", "hpcheck show: takes no command"), ("run --", "there is no command after --")]
)
def test_a_command_that_cannot_stand_there_is_refused(line, words, capsys):
    assert run(shlex.split(line)) == 2
    assert words in capsys.readouterr().err


def test_a_plan_takes_what_the_script_told_and_launches_nothing(capsys):
    looked_at()
    assert run(["plan", "--json", "--", "python", "train.py"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["iterations_of_a_full_training"] == 200  # 10 epochs of 1,000 examples at 50
    assert found["known"][0]["total_batch_size"] == 50


def resolved_config(text="script: [python, train.py]", *overrides, **more):
    looked_at("hp", **more)
    config = configs.parse(text, "hp.yaml", ["name=hp", *overrides])
    return resolved.resolved(config)


def test_the_start_is_what_the_script_has_unless_the_config_says_otherwise():
    config = resolved_config("script: [python, train.py]\nstart: {weight_decay: 0.5}")
    start = config.start
    assert (start.total_batch_size, start.max_lr, start.weight_decay, start.momentum.max, start.momentum.min) == (50, 0.003, 0.5, 0.9, 0.9)
    assert (config.optimizer.name, config.data.metric, config.budget.epochs, config.wd_grid.from_snapshot) == (
        "adamw",
        "accuracy",
        10.0,
        False,
    )


def test_the_start_has_the_momenta_of_the_scripts_own_cycle():
    assert resolved_config(momentum=0.95, least_momentum=0.85).start.momentum.model_dump() == {"max": 0.95, "min": 0.85}


def test_a_budget_in_steps_holds_at_the_starts_batch_size():
    config = resolved_config("script: [python, train.py]\nbudget: {steps: 300}", train_examples=None, loops={})
    _, examples, _ = resolved.known(config)
    assert config.budget.epochs * examples / config.start.total_batch_size == pytest.approx(300)


def test_the_resolved_config_is_read_back_the_same():
    config = resolved_config()
    again = configs.parse(configs.dump(config), "runs/hp/config.yaml")
    assert configs.digest(again) == configs.digest(config)
    assert (again.start, again.budget, again.script) == (config.start, config.budget, config.script)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("script: [python, train.py]\ndata: mnist", "data: stands beside script, which is both data and model"),
        ("script: python train.py", "script: not a list"),
        ("script: []", "script: empty"),
        ("script: [python, train.py]\nrun: {precision: bf16}", "run.precision: is decided by the script"),
        ("data: digits\nmodel: mlp\nbudget: {steps: 100}", "budget.steps: is for a script or a task"),
    ],
)
def test_what_does_not_fit_beside_a_script_is_refused(text, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        configs.parse(text, "hp.yaml")


def test_a_script_is_never_taken_from_a_run_directory(capsys, monkeypatch):
    looked_at()
    Path("runs/train/config.yaml").write_text("script: [python, train.py]\nname: train\n", encoding="utf-8")
    Path("runs/train/records").mkdir(exist_ok=True)
    launched = []
    monkeypatch.setattr(resolved, "described", lambda *given: launched.append(given))
    for arguments in (
        ["lr-range"],
        ["run", "runs/train/config.yaml"],
        ["check", "runs/train/config.yaml"],
        ["plan", "runs/train/config.yaml"],
    ):
        assert run(arguments) == 2
        assert "names your own code (python train.py), which is not imported from a run directory" in capsys.readouterr().err
    assert not launched


def test_a_script_whose_file_has_changed_is_looked_at_again(monkeypatch):
    looked_at()
    Path("train.py").write_text("print('other')\n", encoding="utf-8")
    launched = []
    monkeypatch.setattr(resolved, "described", lambda *given: launched.append(given))
    with pytest.raises(AttributeError):
        resolved.resolved(configs.parse("script: [python, train.py]", "x", ["name=train"]))
    assert launched


def test_the_lines_to_add_are_found_by_looking():
    plain = re.sub(r"hpcheck\.\w+\((\d+)\)", r"\1", EXAMPLE.read_text(encoding="utf-8")).replace("hp.epochs(", "range(")
    Path("plain.py").write_text(
        "".join(line for line in plain.splitlines(True) if "hpcheck" not in line and "hp.loss" not in line), encoding="utf-8"
    )
    words = "\n".join(advice(Path("plain.py")))
    for expected in (
        "hpcheck.total_batch_size(arguments.accumulate * batch_size) // arguments.accumulate",
        "hpcheck.follow(optimizer, validate, model=model",
        "for _ in hp.epochs(arguments.epochs)",
    ):
        assert expected in words
    assert "calls hpcheck.follow already" in advice(EXAMPLE)[0]


def test_a_recommendation_is_trained_with_by_use(monkeypatch):
    torch = pytest.importorskip("torch")
    content = {
        "settings": {
            "total_batch_size": 16,
            "learning_rate": {"policy": "1cycle", "max": 0.4, "min": 0.04, "final": 4e-5, "cycle_epochs": 9.0, "epochs": 10.0},
            "momentum": {"max": 0.95, "min": 0.85},
            "weight_decay": 0.003,
        },
        "provenance": {"seed": 7},
    }
    Path("recommended.yaml").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.delenv(api.SETTINGS, raising=False)
    try:
        api.use("recommended.yaml")
        weights = [torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))]
        optimizer = torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": 0.01}], lr=0.1, momentum=0.9)
        assert (api.seed(0), api.total_batch_size(64)) == (7, 16)
        hp = api.follow(optimizer, lambda: None, train_examples=160)
        seen = []
        for _ in hp.epochs(3):
            for _ in range(10):
                optimizer.step()
                seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"], optimizer.param_groups[0]["momentum"]))
        assert len(seen) == 100
        assert max(seen) == pytest.approx((0.4, 0.04, 0.85))
        assert seen.index(max(seen)) == 45
        assert seen[0] == pytest.approx((0.04, 0.004, 0.95))
        assert seen[-1][0] == pytest.approx(4e-5)
    finally:
        api._used.clear()
        api._recommended.cache_clear()
        from torch.optim.optimizer import _global_optimizer_post_hooks

        _global_optimizer_post_hooks.clear()


def overrides(*more):
    return [word for key in (*SHORT, *more) for word in ("-s", key)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("examples", ["train_examples=512", ""])
def test_the_whole_checklist_runs_on_a_script(examples, capsys):
    Path("train.py").write_text(SMALL.replace("TRAIN_EXAMPLES", examples), encoding="utf-8")
    command = ["--", sys.executable, "train.py", "one", "two"]
    assert run(["run", "-q", *overrides("batch.sizes=[32, 64]"), *command]) in (0, 6)
    found = recommended.read(Path("runs/train/recommended.yaml"), ("settings", "provenance", "results"))
    assert found["settings"]["learning_rate"]["max"] > 0
    assert found["results"]["train"]["recommended"]["val"]["metric"] > 0.5
    made = [records.read(path) for path in Path("runs/train/records").glob("*.jsonl")]
    in_full = [record for record in made if isinstance(record.spec, RunSpec) and record.spec.outcomes]
    assert len(in_full) == found["results"]["confirm"]["trainings"] == 8
    assert all(record.result["outcomes"].keys() == {"metric", "loss"} for record in in_full)
    assert found["verdict"]["says"] in ("better", "probably better", "not better")
    saved = Path("saved.txt").read_text(encoding="utf-8").splitlines()
    assert saved == [f"{found['settings']['total_batch_size']} 3"]  # the recommended training alone went on
    before = {path: path.read_bytes() for path in Path("runs/train/records").glob("*.jsonl")}
    assert run(["run", "-q", *overrides("batch.sizes=[32, 64]"), *command]) in (0, 6)
    assert {path: path.read_bytes() for path in Path("runs/train/records").glob("*.jsonl")} == before  # nothing is run twice
    assert run(["confirm", "-q", *overrides("batch.sizes=[32, 64]"), *command]) in (0, 6)
    assert {path: path.read_bytes() for path in Path("runs/train/records").glob("*.jsonl")} == before
    assert run(["check", "--update", "-q", *overrides("batch.sizes=[32, 64]"), *command]) == 0
    assert run(["check", "-q", *overrides("batch.sizes=[32, 64]"), *command]) in (0, 6)
    capsys.readouterr()
    assert run(["show", "-s", "name=train"]) == 0
    assert "hpcheck.use('runs/train/recommended.yaml')" in capsys.readouterr().out
    Path("runs/train/report.html").unlink()
    assert run(["report", "runs/train"]) == 0
    assert "train.py one two" in Path("runs/train/report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_confirm_alone_trains_from_the_lr_that_the_script_has(capsys):
    command = ["--", sys.executable, "train.py"]
    assert run(["confirm", "-q", *overrides("confirm.trainings=4"), *command]) in (0, 6)
    found = recommended.read(Path("runs/train/recommended.yaml"), ("settings", "results"))
    considered = found["results"]["confirm"]["considered"]
    assert sum(len(one["runs"]) for one in considered) == 4
    assert {one["max_lr"] for one in considered} == {0.1}
    assert [one["weight_decay"] for one in considered if one["start"]] == [1e-4]
    assert not Path("saved.txt").exists()  # none of these goes on to the script's end


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_example_runs_alone_and_driven(monkeypatch, capsys):
    shutil.copy(EXAMPLE, "train.py")
    monkeypatch.setattr(sys, "argv", ["train.py", "--epochs", "2"])
    runpy.run_path("train.py", run_name="__main__")
    assert float(re.search(r"accuracy ([\d.]+)", capsys.readouterr().out)[1]) > 0.2
    assert run(["lr-range", "-q", *overrides(), "--", sys.executable, "train.py", "--accumulate", "4"]) in (0, 6)
    found = [records.read(path) for path in Path("runs/train/records").glob("*.jsonl")]
    assert len(found) >= 5
    assert all(record.run.total_batch_size == 64 for record in found)
