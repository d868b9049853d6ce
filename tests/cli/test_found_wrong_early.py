"""What passed `validate` once and failed later as hpcheck's own error; records that are lost; a machine without numpy."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from hpcheck.__main__ import run
from hpcheck.checklist.data_facts import unseen_classes
from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.sets import mnist
from tests.support.simulated_engine import simulate

TOO_MUCH = {
    "model.hidden=[a]": "model.hidden: of another kind than its default (got ['a']; expected a list of which each is a whole number",
    "model.hidden=[64, 1.5]": "expected a list of which each is a whole number",
    "model.hidden=[true]": "expected a list of which each is a whole number",
    "budget.epochs=1e300": "budget.epochs: too many (got 1e+300; expected at most 1,000,000 epochs)",
    "train.compare_epochs=1e7": "train.compare_epochs: too many",
    "start.max_lr=1e300": "start.max_lr: too large (got 1e+300; expected at most 1e+09)",
    "lr_range.max=1e308": "lr_range.max: too large",
    "wd_grid.values=[1e-4, 1e300]": "wd_grid.values[1]: too large",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpcheck.yaml").write_text("name: hpcheck\ndata: digits\nmodel: mlp\nconfirm: {trainings: 0}\nstart: {max_lr: 0.1}\n")
    return tmp_path


@pytest.mark.parametrize("override", TOO_MUCH)
def test_what_no_run_could_use_is_refused_by_validate(project, capsys, override):
    assert run(["validate", "hpcheck.yaml", "-s", override]) == 2
    assert TOO_MUCH[override].removeprefix(override.partition("=")[0] + ": ") in capsys.readouterr().err


def test_a_device_that_the_machine_has_not_is_refused_before_anything_is_written(project, capsys):
    assert run(["lr-range", "-q", "-s", "run.device=cuda:999"]) == 2
    assert "this machine has no cuda:999" in capsys.readouterr().err
    assert not (project / "runs").exists()


def test_records_that_are_all_gone_are_told_and_the_report_stays(project, monkeypatch, capsys):
    simulate(monkeypatch)
    assert run(["lr-range", "-q"]) == 0
    place = project / "runs" / "hpcheck"
    before = (place / "report.html").read_bytes()
    for record in (place / "records").glob("*.jsonl"):
        record.unlink()
    for command in (["show"], ["report"], ["report", "runs/hpcheck"]):
        assert run(command) == 5
        assert "is gone: " in capsys.readouterr().err
    assert (place / "report.html").read_bytes() == before
    (place / "records").rmdir()  # as in a clone, which has recommended.yaml alone
    assert run(["show"]) == 0


@pytest.mark.parametrize("damage", ["gone", "cut", "altered"])
def test_a_record_that_is_lost_is_told_with_the_command_that_mends_it(project, monkeypatch, capsys, damage):
    simulate(monkeypatch)
    assert run(["lr-range", "-q"]) == 0
    place = project / "runs" / "hpcheck"
    before = (place / "report.html").read_bytes()
    record = sorted((place / "records").glob("*.jsonl"))[0]
    whole = record.read_bytes()
    {
        "gone": record.unlink,
        "cut": lambda: record.write_bytes(whole[:-20]),
        "altered": lambda: record.write_bytes(whole.replace(b'"val_loss": ', b'"val_loss": 1', 1)),
    }[damage]()
    for command in (["show"], ["report"], ["report", "runs/hpcheck"]):
        assert run(command) == 5
        told = capsys.readouterr().err
        assert f"{record.relative_to(project)} {'is gone' if damage == 'gone' else 'is damaged'}: 1 of the " in told
        assert "hpcheck run runs/hpcheck/config.yaml makes them again" in told
    assert (place / "report.html").read_bytes() == before
    assert run(["lr-range", "-q", "runs/hpcheck/config.yaml"]) == 0
    assert run(["show"]) == 0
    assert run(["report"]) == 0


def test_a_recommendation_without_any_record_beside_it_is_shown(project, monkeypatch):
    simulate(monkeypatch)
    assert run(["lr-range", "-q"]) == 0
    shutil.rmtree(project / "runs" / "hpcheck" / "records")
    assert run(["show"]) == 0


def test_without_numpy_the_doctor_says_what_is_missing():
    script = "import sys; sys.modules['numpy'] = None\nfrom hpcheck.__main__ import run\nsys.exit(run(['doctor']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert "packages   torch " in done.stdout
    assert "problem    import of numpy halted; None in sys.modules; no command can train: pip install numpy" in done.stdout
    assert done.stderr == ""


def test_a_truncated_data_set_is_damaged_and_not_missing(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (raw / name).write_bytes(b"\0\0\x08\x03\0\0\xea\x60")
        (raw / f"{name}.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"MNIST in .*MNIST/raw is damaged, or not all there \(.*remove that folder"):
        mnist.load(tmp_path)


def test_classes_that_are_never_trained_on_are_named():
    x = np.zeros((4, 2), np.float32)
    train, val = Arrays(x, np.array([0, 1, 0, 1])), Arrays(x, np.array([0, 2, 3, 1]))
    words = "50.0% of the validation split is of classes that are never trained on: "
    assert unseen_classes(Raw(train, val, None, ("cat", "dog", "ant", "bee"))) == f"{words}ant, bee"
    assert unseen_classes(Raw(train, val, None, None)) == f"{words}2, 3"
    assert unseen_classes(Raw(train, train, None, None)) == ""
