"""The commands, from the outside: help, exit codes, what goes to stdout and stderr, and that nothing is computed twice."""

import json
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hpcheck.__main__ import report, run
from hpcheck.checklist import tensorboard
from hpcheck.drawing import png
from hpcheck.errors import ChangedError, InputError

SMALL = """
data: {name: digits, val_fraction: 0.25, limit: 600}
model: {name: mlp, hidden: [16]}
budget: {epochs: 4, short_steps: 40, evals: 10, eval_size: 150}
start: {total_batch_size: 24}
lr_range: {max: 1.0}
batch: {sizes: [24]}
momentum: {values: [0.9], cyclical: false}
wd_grid: {values: [1e-3, 1e-4], max_rounds: 0}
confirm: {trainings: 0}
train: {repeats: 1}
run: {device: cpu, jobs: 1, threads: 1}
"""
OWN = """
import os, signal
import torch
from torch import nn

class Network(nn.Linear):
    def forward(self, x):
        return self.act(super().forward(x.flatten(1)))

    def act(self, x):
        return x

class Raises(Network):
    def act(self, x):
        raise ValueError("the user's own words")

class IsKilled(Network):
    def act(self, x):
        os.kill(os.getpid(), signal.SIGKILL)

class LearnsNothing(Network):
    def act(self, x):
        return x * 0

def normed(inputs, outputs):
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(inputs), nn.Linear(inputs, outputs))

def build(shape, outputs, *, kind):
    print("a line that the network prints")
    return globals()[kind](64, outputs)

def load():
    print("a line that the loader prints")
    train = torch.arange(300 * 64).reshape(300, 64).float().numpy(), (torch.arange(300) % 3).numpy()
    return train, train
"""
COMMANDS = ("run", "lr-range", "batch", "momentum", "wd-grid", "train")
HPCHECK = [sys.executable, "-m", "hpcheck"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The working directory: a small config, and the user's own network beside it. Pictures are drawn in tests of their own."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.yaml").write_text(SMALL)
    (folder / "own_network.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(png, "draw", lambda *_: None)
        yield folder


@pytest.fixture
def hpcheck(folder, capsys):
    """A command as typed: its exit code, stdout and stderr."""

    def command(*arguments):
        code = run(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def own(kind):
    return "-s", "model={name: 'own_network:build', kind: " + kind + "}", "-s", f"name={kind}"


def made(directory):
    """Path -> time of change of every record."""
    return {path.name: path.stat().st_mtime_ns for path in Path("runs", directory, "records").iterdir()}


def test_every_command_says_what_it_does(hpcheck):
    code, out, _ = hpcheck("--help")
    assert code == 0
    listed = dict(re.findall(r"^  ([a-z-]+)  +(\S.*)$", out.partition("Commands:")[2], re.MULTILINE))
    assert set(COMMANDS) | {"plan", "show", "schema", "validate"} <= listed.keys()
    for command in listed:
        code, out, err = hpcheck(command, "--help")
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: hpcheck {command} ")
        assert len(out.splitlines()[2]) > 20


def test_help_answers_at_once():
    """Processor seconds, which other processes do not lengthen: well under half a second, with Python's own start."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*HPCHECK, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(seconds) < 0.4


@pytest.fixture(scope="module")
def whole(folder):
    """The whole checklist, run once."""
    assert run(["run", "small.yaml", "-q"]) == 0


def test_the_same_command_again_runs_nothing_and_says_the_same(whole, hpcheck):
    before = made("small")
    shown = hpcheck("show", "small.yaml")
    code, out, words = hpcheck("run", "small.yaml")
    assert (code, out) == (0, "")
    assert words.endswith(shown[1])
    assert hpcheck("show", "small.yaml") == shown
    assert made("small") == before


def test_code_to_paste_is_for_the_optimizer_that_the_settings_were_read_with(whole, hpcheck):
    code, out, err = hpcheck("show", "small.yaml", "--snippet", "timm")
    assert (code, "--opt sgd " in out, "timm keeps momentum constant" in err, "is another" in err) == (0, True, True, False)
    code, out, err = hpcheck("show", "small.yaml", "--snippet", "pytorch", "-s", "optimizer=adamw")
    assert (code, "torch.optim.SGD" in out) == (0, True)
    assert "the section optimizer of this config has changed since these settings were found" in err


def test_the_weights_of_the_first_training_are_named_and_missing_ones_told_of(whole, hpcheck):
    run_id = json.loads(hpcheck("show", "small.yaml", "--json")[1])["results"]["train"]["recommended"]["runs"][0]
    last, best = (Path(f"runs/small/records/{run_id}{ending}.pt") for ending in ("", ".best"))
    words = hpcheck("train", "small.yaml")[2]
    assert f"weights of the first training: {last} (the last), {best} (the best by validation)" in words
    assert torch.load(best, weights_only=True)["model"].keys() == torch.load(last, weights_only=True)["model"].keys()
    moved = [path.rename(path.with_suffix(".away")) for path in (last, best)]
    assert (
        f"no weights of the first training: its record was copied or made as a repeat; once {last.with_suffix('.jsonl')} is gone"
        in (hpcheck("train", "small.yaml")[2])
    )
    for path in moved:
        path.rename(path.with_suffix(".pt"))


def test_json_has_no_word_for_infinity(whole, hpcheck):
    recommended = Path("runs/odd/recommended.yaml")
    recommended.parent.mkdir()
    text = Path("runs/small/recommended.yaml").read_text()
    recommended.write_text(re.sub(r"score: [-0-9.e]+", "score: .inf", text).replace("runs/small", "runs/odd"))
    Path("odd.yaml").write_text(SMALL)
    code, out, _ = hpcheck("show", "odd.yaml", "--json")
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (code, '"inf"' in json.dumps(found["evidence"])) == (0, True)


def test_run_confirms_by_full_trainings_and_step_by_step_comes_to_the_same(hpcheck):
    four = ("-s", "confirm.trainings=4", "-s", "lr_range.max=1.0")
    code, out, err = hpcheck("run", "small.yaml", "--json", "-s", "name=four", *four)
    assert code == 0, err
    said = json.loads(out)
    assert said["format"] == 2
    assert said["verdict"]["words"].startswith(("Better than yours", "Probably better than yours", "Keep yours"))
    assert said["results"]["confirm"]["trainings"] == 4
    assert said["provenance"]["cost"]["confirmation"]["runs"] == 4
    assert said["provenance"]["cost"]["training"]["runs"] == 0  # it is one of the four
    before = made("four")
    for step in ("lr-range", "confirm", "train"):  # the looks at batch and momentum go beyond the search's share as commands
        assert hpcheck(step, "small.yaml", "-q", "-s", "name=four", *four)[0] == 0
    assert made("four") == before
    shown = json.loads(hpcheck("show", "small.yaml", "-s", "name=four", "--json")[1])
    assert shown["settings"] == said["settings"]
    kept = [
        json.loads(line.rpartition("\t")[0]) for path in Path("runs/four/records").glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    outcomes = [line["result"]["outcomes"] for line in kept if "outcomes" in line.get("result", {})]
    assert len(outcomes) == 4
    assert {one["metric"]["as"] for one in outcomes} == {"bits"}


def test_without_confirmation_every_step_answers_and_is_marked_unconfirmed(whole, hpcheck):
    said = json.loads(hpcheck("show", "small.yaml", "--json")[1])
    assert said["verdict"]["words"].startswith("Not confirmed: ")
    assert {"learning_rate", "total_batch_size", "momentum", "weight_decay"} <= set(said["evidence"])
    assert {one["confidence"] for one in said["evidence"].values()} <= {"low", "none"}


def test_the_steps_one_by_one_give_the_settings_of_run(whole, hpcheck):
    expected = json.loads(hpcheck("show", "small.yaml", "--json")[1])
    for step in COMMANDS[1:]:
        code, out, err = hpcheck(step, "small.yaml", "--json", "-s", "name=stepwise")
        assert code == 0, err
    stepwise = json.loads(out)
    for part in ("settings", "evidence", "results"):
        assert stepwise[part] == expected[part]
    assert made("stepwise").keys() == made("small").keys()


def test_stdout_is_json_alone_and_words_go_to_stderr(hpcheck):
    code, out, err = hpcheck("wd-grid", "small.yaml", "--json", "-s", "name=words", "-s", "start.max_lr=0.1")
    assert code == 0
    json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert "wd-grid: weight decay 0.0001 from the snapshot, weight decay 0.001 from the snapshot" in err
    assert hpcheck("wd-grid", "small.yaml", "-q", "-s", "name=words", "-s", "start.max_lr=0.1") == (0, "", "")


def test_what_a_loader_writes_to_the_descriptor_of_stdout_is_not_in_the_json(folder):
    Path("writes.py").write_text(
        "import os\nimport numpy as np\n\ndef load():\n    os.write(1, b'raw\\n')\n    os.system('echo of a child')\n"
        "    return ((np.zeros((60, 3), np.float32), np.arange(60) % 2),) * 2\n"
    )
    Path("writes.yaml").write_text("data: {name: 'writes:load'}\nmodel: mlp\nstart: {total_batch_size: 8}\n")
    ended = subprocess.run([*HPCHECK, "plan", "writes.yaml", "--json"], capture_output=True, text=True, check=False)
    assert json.loads(ended.stdout)["goal"] == 4000
    assert "raw\n" in ended.stderr
    assert "of a child\n" in ended.stderr


def test_a_closed_pipe_is_no_drift(folder):
    for command in (["reproduce", "--list"], ["--help"], ["schema"]):
        begun = subprocess.Popen([*HPCHECK, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begun.stdout.close()
        assert (begun.wait(), begun.stderr.read()) == (141, b"")
        begun.stderr.close()


def test_without_a_stdout_a_command_runs_and_says_nothing(folder):
    ended = subprocess.run(["sh", "-c", f"{sys.executable} -m hpcheck schema >&-"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_loader_that_exits_is_the_users_own_error(folder):
    Path("exits_at_once.py").write_text("import sys\n\ndef load():\n    sys.exit(1)\n")
    Path("exits.yaml").write_text(SMALL.replace("data: {name: digits,", "data: {name: 'exits_at_once:load',"))
    ended = subprocess.run([*HPCHECK, "lr-range", "exits.yaml"], capture_output=True, text=True, check=False)
    assert (ended.returncode, "exits_at_once.py:4: load raised SystemExit" in ended.stderr) == (2, True)


def test_what_the_users_code_prints_is_not_in_the_json(folder):
    (folder / "all_own.yaml").write_text(SMALL.replace("data: {name: digits,", "data: {name: 'own_network:load',"))
    command = [*HPCHECK, "lr-range", "all_own.yaml", *own("LearnsNothing"), "-s", "lr_range.steps=14", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 6  # nothing can be read from a loss that does not move
    assert json.loads(ended.stdout)["evidence"]["learning_rate"]["status"] == "abstained"
    assert "a line that the network prints" in ended.stderr
    assert "a line that the loader prints" in ended.stderr
    assert "Traceback" not in ended.stderr
    ended = subprocess.run([*HPCHECK, "report", *command[4:-1]], capture_output=True, text=True, check=False)
    assert ended.stdout == "runs/LearnsNothing/report.html\n"
    assert "a line that the loader prints" in ended.stderr


def test_what_a_recommendation_had_and_has_no_longer_is_told(hpcheck):
    given, lost = ("small.yaml", "-s", "name=lost", "-s", "start.max_lr=0.1"), "what recommended.yaml said of weight_decay no longer holds"
    assert hpcheck("wd-grid", *given, "-q")[0] == 0
    for same in ("wd-grid", "momentum", "report"):
        assert "no longer holds" not in hpcheck(same, *given)[2]
    assert lost in hpcheck("report", *given, "-s", "seed=1")[2]
    assert lost in hpcheck("momentum", *given, "-s", "seed=1")[2]
    assert "no longer holds" not in hpcheck("momentum", *given, "-s", "seed=1")[2]


def test_event_files_of_runs_that_were_made_without_them(whole, hpcheck):
    pytest.importorskip("tensorboard", reason="not installed: pip install 'hpcheck[tensorboard]'")
    before = made("small")
    code, _, _ = hpcheck("lr-range", "small.yaml", "-q", "--tensorboard")
    assert (code in (0, 6), made("small")) == (True, before)
    assert any(path.name.startswith("lr-range.lr_range_test") for path in Path("runs/small/tensorboard").iterdir())


def test_from_snapshot_alone_goes_on_with_the_newest_run(hpcheck):
    assert hpcheck("wd-grid", "small.yaml", "--whole-runs", "-q", "-s", "name=snapshot", "-s", "start.max_lr=0.1")[0] == 0
    full = made("snapshot")
    code, out, err = hpcheck("wd-grid", "--from-snapshot", "--json")
    assert code in (0, 6), err
    assert "to half-way at weight decay" in err
    assert "weight decay 0.0001 from the snapshot" in err
    assert json.loads(out)["evidence"]["weight_decay"]["runs"]
    again = made("snapshot")
    assert all(again[name] == changed for name, changed in full.items())
    assert len(again) > len(full)


def test_a_config_that_is_wrong_is_a_line_for_each_problem_and_leaves_nothing(hpcheck, folder):
    (folder / "wrong.yaml").write_text("data: digits\nmodel: mlp\nseed: x\nbudget: {epochs: 0}\nbathc: {}\n")
    before = sorted(folder.rglob("*"))
    for command in (*COMMANDS, "plan", "validate"):
        code, out, err = hpcheck(command, "wrong.yaml")
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 3
        assert all(line.startswith("error: wrong.yaml:") for line in err.splitlines())
        assert "did you mean 'batch'?" in err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"], ["run", "a.yaml", "b.yaml"], ["run", "-s"], ["validate"]])
def test_a_command_line_that_is_wrong_is_one_line(hpcheck, arguments):
    code, out, err = hpcheck(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")


def test_a_users_function_that_raises_is_their_mistake_and_their_traceback(hpcheck):
    code, out, err = hpcheck("lr-range", "small.yaml", "-q", *own("Raises"))
    assert (code, out) == (2, "")
    assert "the user's own words" in err
    assert "own_network.py" in err
    assert "hpcheck/engine" not in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("a.key: too large"), 2, "error: a.key: too large\n"),
        (ValueError("min() arg is empty"), 3, "hpcheck's own error: ValueError: min() arg is empty; --debug shows where\n"),
        (RuntimeError("CUDA error"), 3, "error: RuntimeError: CUDA error; --debug shows where\n"),
        (ChangedError("your code changed"), 3, "error: your code changed\n"),
    ],
)
def test_only_what_the_user_gave_wrong_is_told_as_theirs(capsys, error, code, words):
    assert report(error) == code
    assert capsys.readouterr() == ("", words)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (("-s", "model.dropout=2", "-s", "name=dropout"), "error: mlp with the options dropout, hidden: dropout probability has to be"),
        (("-s", "start.total_batch_size=1", *own("normed")), "BatchNorm has a single value a channel to take its statistics of"),
    ],
)
def test_a_value_that_torch_refuses_is_the_users_mistake(hpcheck, override, words):
    code, _, err = hpcheck("lr-range", "small.yaml", "-q", *override)
    assert (code, words in err) == (2, True), err


def test_a_run_that_fails_is_exit_3_and_one_line(hpcheck):
    code, out, err = hpcheck("lr-range", "small.yaml", "-q", *own("IsKilled"))
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "lower run.jobs" in err


def test_plan_lists_what_would_run_and_runs_nothing(hpcheck, folder):
    before = sorted(folder.rglob("*"))
    code, out, _ = hpcheck("plan", "small.yaml", "-s", "name=planned", "--json")
    assert code == 0
    assert json.loads(out)["known"][0]["step"] == "lr-range"
    assert sorted(folder.rglob("*")) == before


def test_step_times_are_measured_again_on_request_alone(whole, hpcheck):
    (timing,) = [path for path in Path("runs/small/records").glob("*.jsonl") if '"TimingSpec"' in path.read_text()]
    before = timing.read_text()
    assert hpcheck("batch", "small.yaml", "-q")[0] in (0, 6)
    assert timing.read_text() == before
    assert hpcheck("batch", "small.yaml", "-q", "--measure-again")[0] in (0, 6)
    assert timing.read_text() != before


def test_a_step_that_nothing_could_be_run_for_exits_6(hpcheck):
    for step in ("batch", "momentum", "wd-grid", "train"):
        code, _, err = hpcheck(step, "small.yaml", "-s", f"name=nothing-{step}")
        assert code == 6
        assert f"{step}: no learning rate is known; read one" in err
    assert hpcheck("momentum", "small.yaml", "-q", "--range-test", "-s", "name=nothing-range-test")[0] == 6


def test_a_reading_beside_the_checklist_writes_event_files_too(hpcheck, monkeypatch):
    written = []
    monkeypatch.setattr(tensorboard, "refuse_without_tensorboard", lambda: None)
    monkeypatch.setattr(tensorboard, "write", lambda runs, step, run_ids: written.append((step, len(run_ids))))
    settings = ("-q", "--tensorboard", "-s", "name=looked", "-s", "start.max_lr=0.1")
    assert hpcheck("momentum", "small.yaml", "--range-test", *settings)[0] == 0
    assert hpcheck("wd-grid", "small.yaml", "--over", "model.dropout=0,0.2", *settings)[0] in (0, 6)
    assert [step for step, runs in written if runs] == ["momentum-range-test", "wd-grid-over"]


def test_a_reprobe_that_is_not_needed_is_not_said_to_be_unfinished(whole, hpcheck):
    assert "begun and not finished" not in hpcheck("train", "small.yaml")[2]


def test_other_run_directories_are_no_matter_where_there_is_a_config(hpcheck, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpcheck.yaml").write_text(SMALL)
    (tmp_path / "runs" / "evil").mkdir(parents=True)
    (tmp_path / "runs" / "evil" / "config.yaml").symlink_to(folder / "small.yaml")
    assert hpcheck("plan")[0] == 0
    (tmp_path / "hpcheck.yaml").unlink()
    code, _, err = hpcheck("plan")
    assert (code, "leads out of the run directory" in err) == (2, True)


def test_code_that_a_run_directorys_config_names_is_not_run(hpcheck, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_dir = tmp_path / "runs" / "x"
    run_dir.mkdir(parents=True)
    (run_dir / "config.yaml").write_text("name: x\ndata: {name: 'os:system', command: 'touch it_ran'}\nmodel: mlp\n")
    for command in ("plan", "report", "train", "check"):
        code, _, err = hpcheck(command)
        assert (code, "names your own code (os:system), which is not imported" in err) == (2, True)
    assert not (tmp_path / "it_ran").exists()


def test_a_report_is_written_again_for_a_config(whole, hpcheck):
    assert hpcheck("report", "small.yaml")[:2] == (0, "runs/small/report.html\n")
    assert hpcheck("report", "small.yaml", "-s", "name=nowhere")[0] == 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "model={name: 'own_network:build', kind: Raises, widht: 3}",
            "with 2 arguments and the options kind, widht, which it does not take: got an unexpected",
        ),
        ("data={name: 'own_network:build', nn: 3}", "with no arguments, but the options nn, which it does not take"),
    ],
)
def test_an_option_that_ones_own_code_does_not_take_exits_2(hpcheck, override, words):
    code, _, err = hpcheck("lr-range", "small.yaml", "-s", override, "-s", "name=refused")
    assert (code, words in err) == (2, True), err
