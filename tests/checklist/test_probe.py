"""`hpcheck plan --probe`: measures, prices the plan, leaves nothing behind."""

import json

import pytest

from hpcheck.__main__ import run
from hpcheck.checklist import probe
from hpcheck.checklist import run as pipeline
from hpcheck.engine.distributed.ddp import Devices
from hpcheck.engine.distributed.ray import Tasks
from hpcheck.engine.graphs.groups import Grouped
from hpcheck.engine.pool.pool import Pool
from hpcheck.errors import InputError
from hpcheck.steps.batch import timing_spec
from hpcheck.steps.step import Asked, Facts

SMALL = """
data: {name: digits, limit: 300}
model: {name: mlp, hidden: [8]}
budget: {epochs: 2}
run: {device: cpu}
"""


def test_it_prices_the_plan_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    assert run(["plan", "small.yaml", "--probe", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    step = found["probe"]["seconds_a_step"]
    assert 0 < step < 10
    assert found["probe"]["peak_bytes"] > 2**20
    low, high = found["iterations"]["train"]
    assert found["seconds"]["train"] == pytest.approx([low * step, high * step * 1.05], rel=0.01, abs=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_the_words_say_what_was_measured_and_sum_it_up():
    found = {"total_batch_size": 32, "seconds_a_step": 0.005, "peak_bytes": 300 * 2**20, "device": "cpu (x86_64, 2 threads)"}
    assert probe.lines(found, {"lr-range": [400, 800], "train": [1000, 1000]}) == [
        "Probed: a step at batch size 32 takes 5 ms and 300 MiB on cpu (x86_64, 2 threads). At that price:",
        "  lr-range: 2 to 4.2 s",
        "  train: 5 to 5.2 s",
        "  all of it: 7 to 9.4 s",
    ]


def test_a_batch_size_that_does_not_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "_measured", lambda config, spec, run_id: type("Record", (), {"result": {"sizes": []}, "environment": {}}))
    (tmp_path / "small.yaml").write_text(SMALL)
    with pytest.raises(InputError, match="does not fit"):
        probe.probe(probe_config(tmp_path / "small.yaml"))


@pytest.mark.parametrize(
    ("section", "engine"),
    [
        ("{}", Grouped),
        ("{together: off}", Pool),
        ("{jobs: 2}", Pool),
        ("{devices: 2}", Devices),
        ("{engine: ray, address: a}", Tasks),
    ],
)
def test_what_is_timed_is_what_the_checklist_would_compute_with(tmp_path, monkeypatch, section, engine):
    """Not always one worker process: a step over several devices, or by Ray, is another step."""
    (tmp_path / "small.yaml").write_text(SMALL.replace("{device: cpu}", section))

    class MadeError(Exception):
        pass

    def made(self, *_, **__):
        raise MadeError

    monkeypatch.setattr(engine, "execute", made)
    loaded = probe_config(tmp_path / "small.yaml")
    with pytest.raises(MadeError):
        probe._measured(loaded, timing_spec(Asked(loaded, Facts(300, 30)), (32,)), "0123456789abcdef")
    assert type(pipeline.engine(loaded)) is engine


def test_a_probe_over_two_devices_is_of_both(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    started = []
    monkeypatch.setattr(Devices, "_torchrun", lambda self, real=Devices._torchrun: started.append(self.devices) or real(self))
    assert run(["plan", "small.yaml", "--probe", "--json", "-s", "run.devices=2"]) == 0
    assert started == [2]
    assert json.loads(capsys.readouterr().out)["probe"]["seconds_a_step"] > 0


def probe_config(path):
    from hpcheck import config

    return config.load(path)
