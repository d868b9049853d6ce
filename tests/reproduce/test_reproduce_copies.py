"""Which copy of CIFAR a record was made on, and the page of what was run on JPEG images."""

from dataclasses import replace

from hpcheck.config import parse
from hpcheck.reproduce import experiments, lookup, page, states, verdicts
from hpcheck.reproduce.experiments import Experiment, Run
from hpcheck.reproduce.lookup import COMMITTED, JPEG, Found, Kept
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, run_id

SPEC = RunSpec(DataSpec("cifar10"), PartSpec("shallow3"), PartSpec("sgd"), 128, 10, constant(0.1), constant(0.9), 0.0, (10,))
CONFIG = parse("data: cifar10\nmodel: shallow3\nname: tried", "c.yaml")


def record(data: DataSpec, fingerprint: str, metric: float = 0.8) -> RunRecord:
    spec = replace(SPEC, data=data)
    return RunRecord(run_id(spec, fingerprint), spec, (), "finished", {"test": {"metric": metric, "loss": 1.0}}, {"device": "cpu"})


def state(metric: float) -> states.State:
    made = (record(DataSpec("cifar10"), "official", metric),)
    run = Found(Run(CONFIG, "train", "cifar10"), None, made, 1, made)
    return states.State(
        Experiment("table1-row1", "what", ("tried",), {"accuracy": 81.3, "std": 0.1}), (run,), verdicts.accuracy(81.3, 0.1, run)
    )


def test_committed_records_say_on_which_copy_of_cifar10_they_were_made() -> None:
    (row1,) = experiments.chosen(["table1-row1"])
    assert lookup.circumstances(states.standing(row1, Kept([JPEG])).found) == "image-folder cifar10-jpg, cpu fp32"
    made = states.standing(row1, Kept([COMMITTED])).found
    assert lookup.circumstances(made) == ("lossless cifar10-png, cpu fp32" if made[0].finals else "")


def test_a_record_of_the_lossless_folder_is_known_by_its_id_whatever_the_folder_was_called() -> None:
    elsewhere = DataSpec("image-folder", options=(("folder", "elsewhere"),))
    lossless = lookup.LOSSLESS["cifar10-png"]
    made = [record(data, fingerprint) for fingerprint in (lossless, "official") for data in (DataSpec("cifar10"), elsewhere)]
    assert [lookup.data_of(one) for one in made] == ["lossless cifar10-png", "lossless cifar10-png", "cifar10", "image-folder elsewhere"]


def test_the_history_page_has_only_what_was_run() -> None:
    history = page.history(JPEG)
    assert "`table1-row1`" in history
    assert "`table1-row11`" not in history


def test_the_page_says_what_another_copy_of_the_data_changed() -> None:
    (line,) = page.changes({"table1-row1": state(0.79)}, {"table1-row1": state(0.81)})
    assert line == "| `table1-row1` | 81.3 +- 0.1 | 79.00 (1 run): miss | 81.00 (1 run) | miss, +2.00 points |"


def test_the_change_of_what_is_judged_by_another_figure_has_no_points_of_accuracy() -> None:
    before, after = (
        replace(one, experiment=Experiment("fig3a", "what", ("tried",), {"better": "loss"})) for one in (state(0.79), state(0.81))
    )
    (line,) = page.changes({"fig3a": before}, {"fig3a": after})
    assert line.endswith("| miss |")
