"""The paper's experiments: every one has its config, its answer and a verdict; what was run is found again and never run twice."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hpcheck import config
from hpcheck.__main__ import run
from hpcheck.config import ConfigError, parse
from hpcheck.drawing.panels import Box, Panel
from hpcheck.reproduce import commands, cost, experiments, lookup, page, states, verdicts
from hpcheck.reproduce.experiments import Experiment, Run
from hpcheck.reproduce.lookup import COMMITTED, Found, Kept
from hpcheck.runs import records
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec
from hpcheck.steps.reading import Evidence, Finding, Reading, Settings, nothing_run
from tests.support.imports import imported, modules

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "configs" / "paper"
EVERY = experiments.experiments()
SETTINGS = Settings(128, 0.1, 0.01, 0.95, 0.85, 1e-4, 25.0)
CONFIG = parse("data: cifar10\nmodel: shallow3\nname: tried", "c.yaml")


def trained(*metrics: float | None, wanted: int = 4, name: str = "tried") -> Found:
    """Final trainings with these test metrics; None diverged."""
    finals = tuple(record(metric) for metric in metrics)
    return Found(Run(CONFIG.model_copy(update={"name": name}), "train", "cifar10"), None, finals, wanted, finals)


def record(metric: float | None) -> RunRecord:
    result = {} if metric is None else {"test": {"metric": metric, "loss": 1 - metric}}
    return RunRecord("0" * 16, None, (), "diverged" if metric is None else "finished", result)  # type: ignore[arg-type]


def reading(*evidence: Evidence, boxes: tuple[Box, ...] = ()) -> Reading:
    return Reading("wd-grid", SETTINGS, evidence, (Panel("LR range test", "learning rate", "loss", (), (), boxes),))


def weight_decay(value: float, **told: object) -> Evidence:
    return Evidence("weight_decay", value, **{"status": "chosen", "confidence": "high", "reason": "why", "source": "4.4", **told})  # type: ignore[arg-type]


def test_tables_have_as_many_rows_as_in_the_paper() -> None:
    assert sum(one.group == "table1" for one in EVERY) == 20
    assert sum(one.group == "table2" for one in EVERY) == 26


@pytest.mark.parametrize("experiment", EVERY, ids=lambda one: one.name)
def test_every_experiment_has_configs_a_step_and_an_answer_that_can_be_judged(experiment: Experiment) -> None:
    runs = experiments.runs(experiment)
    assert runs
    for one in runs:
        assert cost.core_seconds(lookup.find(one, lambda _: None)) > 0
    told = verdicts.judge(experiment.answer, [lookup.find(one, lambda _: None) for one in runs])
    assert told.paper
    assert told.agrees is None


def test_every_paper_config_belongs_to_an_experiment() -> None:
    belonging = {name for one in EVERY for name in one.configs}
    assert {path.stem for path in PAPER.glob("*.yaml")} == belonging


def test_the_paper_trains_as_its_table_says() -> None:
    row2, row8 = (config.load(PAPER / f"table1-row{row}.yaml") for row in (2, 8))
    assert (row2.start.momentum.max, row2.start.momentum.min, row2.train.momentum) == (1.0, 0.9, "rising")
    assert (row8.train.policy, row8.train.momentum, row8.start.max_lr, row8.start.momentum.max) == ("step", "constant", 0.005, 0.85)
    densenet = config.load(PAPER / "table2-densenet-150.yaml")
    assert (densenet.start.min_lr, densenet.start.max_lr, densenet.train.cycle_fraction * 150) == (0.1, 4.0, pytest.approx(140, abs=0.1))


def test_no_step_knows_the_papers_answers() -> None:
    importers = {module for module in modules() if any(name.startswith("hpcheck.reproduce") for name in imported(module))}
    assert {module for module in importers if not module.startswith("hpcheck.reproduce")} == {"hpcheck.cli.verify"}


def test_committed_records_are_found_without_their_data() -> None:
    lenet = states.standing(*experiments.chosen(["table2-lenet-12"]), Kept([COMMITTED]))
    assert len(lenet.found[0].finals) == 4
    assert lenet.verdict.ours.startswith("99.11 +- 0.04 (4 runs")


def test_records_of_another_precision_are_told_of_where_there_are_none_of_the_configs(tmp_path: Path) -> None:
    (experiment,) = experiments.chosen(["table2-lenet-12"])
    (tmp_path / "table2-lenet-12").mkdir()
    for path in (COMMITTED / "table2-lenet-12").glob("*.jsonl"):
        made = records.read(path)
        assert made is not None
        spec = replace(made.spec, precision="bf16")
        with closing(records.RecordWriter(tmp_path / "table2-lenet-12" / path.name, made.run_id, spec, dict(made.environment))) as written:
            for row in made.rows:
                written.row(**row)
            written.finish(made.status, dict(made.result))
    assert not states.standing(experiment, Kept([tmp_path])).found[0].finals  # to be run
    state = states.standing(experiment, Kept([tmp_path], any_precision=True))
    assert len(state.found[0].finals) == 4
    assert lookup.circumstances(state.found) == "cpu bf16"
    both = states.standing(experiment, Kept([COMMITTED, tmp_path], any_precision=True))
    assert lookup.circumstances(both.found) == "cpu fp32"


@pytest.mark.parametrize(
    ("metrics", "agrees", "ours"),
    [
        ((0.813, 0.811), True, "81.20 +- 0.14 (2 runs)"),
        ((0.80,), False, "80.00 (1 run)"),
        ((0.9,), True, "90.00 (1 run)"),
        ((0.813, None), True, "81.30 (1 run, 1 diverged)"),
        ((None, None), False, "every run diverged"),
        ((), None, ""),
    ],
)
def test_an_accuracy_misses_when_it_is_below_the_papers_by_more_than_two_spreads(metrics, agrees, ours) -> None:
    told = verdicts.accuracy(81.3, 0.1, trained(*metrics))
    assert (told.agrees, told.ours) == (agrees, ours)


@pytest.mark.parametrize(
    ("item", "agrees"),
    [
        (weight_decay(3e-3), True),  # one significant figure
        (weight_decay(1e-3), False),
        (weight_decay(1e-3, tied=(1e-3, 3.2e-3)), True),
        (weight_decay(1e-3, interval=(5e-4, 4e-3)), True),
        (weight_decay(1e-3, interval=(5e-4, 2e-3)), False),
        (weight_decay(3.2e-3, status="abstained"), None),
    ],
)
def test_a_setting_agrees_where_its_value_tie_or_interval_meets_the_papers(item: Evidence, agrees: bool | None) -> None:
    assert verdicts.setting({"setting": "weight_decay", "value": 3.2e-3}, reading(item)).agrees is agrees


def test_a_momentum_shape_agrees_where_it_is_the_papers_or_tied_with_it() -> None:
    answer = {"setting": "momentum_shape", "value": "falling"}
    chosen, tied, other = (
        Evidence("momentum_shape", value, status, "high", reason, "4.3")
        for value, status, reason in (
            ("falling", "chosen", ""),
            ("constant", "tied", "falling, constant cannot be told apart"),
            ("rising", "chosen", ""),
        )
    )
    assert [verdicts.setting(answer, reading(item)).agrees for item in (chosen, tied, other)] == [True, True, False]


def test_a_clue_agrees_where_one_of_its_kind_lies_between_the_papers_lrs() -> None:
    answer = {"clue": "overfitting", "low": 0.01, "high": 0.04}
    seen, elsewhere, other = (Box(0.02, 0.05, "overfitting"), Box(0.2, 0.5, "overfitting"), Box(0.02, 0.05, "divergence"))
    assert [verdicts.clue(answer, reading(boxes=(box,))).agrees for box in (seen, elsewhere, other)] == [True, False, False]
    assert verdicts.clue(answer, None).agrees is None


def test_a_finding_agrees_where_the_reading_has_it_whatever_its_remarks_say() -> None:
    name: Finding = "shows no optimum"
    told = replace(reading(), remarks=("the loss is lowest at momentum 0.9: this shows no optimum that cannot be read",))
    assert verdicts.finding(name, told).agrees is False
    assert verdicts.finding(name, replace(told, findings=frozenset({name}))).agrees is True
    assert verdicts.finding(name, replace(told, findings=frozenset({"cannot be read"}))).agrees is None
    assert verdicts.finding(name, nothing_run("momentum-range-test", told.settings)).agrees is None
    assert verdicts.finding(name, None).agrees is None


def test_better_compares_the_trainings_of_two_configs() -> None:
    assert verdicts.better("accuracy", trained(0.9), trained(0.8, 0.85)).agrees is True
    assert verdicts.better("loss", trained(0.8), trained(0.9)).agrees is False
    assert verdicts.better("loss", trained(0.8), trained()).agrees is None


def ramp_record(weight_decay: float, turns_at: float, steps: int = 4000, label: str = "whatever it is called") -> RunRecord:
    """A range test from 0.0001 to 0.01 whose loss falls up to one lr and rises after it."""
    schedule = ramp(1e-4, 1e-2, steps)
    spec = RunSpec(
        DataSpec("cifar10"), PartSpec("mlp"), PartSpec("sgd"), 128, steps, schedule, constant(0.9), weight_decay, (), label=label
    )
    rows = []
    for index in range(1, 41):
        lr = 1e-4 + (1e-2 - 1e-4) * index / 40
        loss = 1.0 + 150 * abs(lr - turns_at) + 0.01 * (-1) ** index
        rows.append({"step": steps * index // 40, "lr": lr, "momentum": 0.9, "train_loss": loss, "val_loss": loss, "metric": 1 - loss / 3})
    return RunRecord(f"{steps:016}", spec, tuple(rows), "finished", {})


def test_a_limit_rises_where_the_range_test_at_the_other_weight_decay_turns_later() -> None:
    early, late, fast = ramp_record(1e-4, 0.004), ramp_record(4e-3, 0.008), ramp_record(4e-3, 0.001, 2000, "twice as fast")
    sweep = replace(late, spec=replace(late.run, lr=replace(late.run.lr, log=True), steps=9000))
    ramps = Found(Run(CONFIG, "lr-range", "cifar10"), reading(), (), 0, (late, fast, sweep, early))
    assert verdicts.limit_rises([1e-4, 4e-3], ramps).agrees is True
    assert verdicts.limit_rises([4e-3, 1e-4], ramps).agrees is False
    assert verdicts.limit_rises([1e-4, 1e-2], ramps).agrees is None


def test_values_are_alike_where_the_reading_cannot_tell_them_apart() -> None:
    answer = {"setting": "total_batch_size", "tied": [256, 512]}
    item = Evidence("total_batch_size", 512, "tied", "low", "", "4.2", tied=(256, 512, 1024))
    assert verdicts.alike(answer, reading(item)).agrees is True
    assert verdicts.alike(answer, reading(Evidence("total_batch_size", 512, "chosen", "high", "", "4.2"))).agrees is False
    assert verdicts.alike(answer, None).agrees is None


def test_a_training_shows_the_clue_that_the_paper_saw() -> None:
    assert verdicts.kinds(["underfitting"], [trained()]).agrees is None
    underfits = replace(ramp_record(1e-4, 0.02), result={"test": {"metric": 0.5, "loss": 1.0}})
    seen = verdicts.kinds(["overfitting"], [Found(Run(CONFIG, "train", "cifar10"), None, (underfits,), 1, (underfits,))])
    assert seen.agrees is False


def state(name: str, paper: float, ours: float) -> states.State:
    experiment = Experiment(name, "3-layer network, CIFAR-10, lr 0.1", (name,), {"accuracy": paper, "std": 0.1})
    return states.State(experiment, (trained(ours),), verdicts.accuracy(paper, 0.1, trained(ours)))


def test_the_order_of_rows_counts_pairs_that_are_apart() -> None:
    rows = [state("table1-row1", 81.3, 0.79), state("table1-row2", 80.2, 0.78), state("table1-row3", 80.0, 0.785)]
    assert states.orders(rows) == [
        "table1, 3-layer network, CIFAR-10: 2 of 2 pairs of rows at least 0.7 points apart are in the paper's order; "
        "Kendall's tau 0.33 over 3 rows"
    ]
    assert states.orders(rows[:2]) == []


def test_experiments_are_named_by_table_row_or_figure() -> None:
    assert len(experiments.chosen(["table1"])) == 20
    assert [one.name for one in experiments.chosen(["table1"], row=3)] == ["table1-row3"]
    assert [one.name for one in experiments.chosen(["table2"], row=17)] == ["table2-lenet-12"]
    with pytest.raises(ConfigError, match=r"tabel1: no such experiment; did you mean 'table1'\?"):
        experiments.chosen(["tabel1"])
    with pytest.raises(ConfigError, match="--row: no such row"):
        experiments.chosen(["table1"], row=21)


def test_a_budget_is_a_number_with_a_unit() -> None:
    assert [cost.seconds_of(text) for text in ("90s", "30m", "1.5h")] == [90, 1800, 5400]
    for wrong in ("30", "0m", "soon", "-1h"):
        with pytest.raises(ConfigError, match="not a duration"):
            cost.seconds_of(wrong)


TINY = """# hpcheck train configs/paper/tiny.yaml
data: digits
model: {name: mlp, hidden: [16]}
budget: {epochs: 2}
start: {max_lr: 0.1, total_batch_size: 64}
train: {repeats: 2, fit: all}
run: {device: cpu, jobs: 1, threads: 1}
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """An experiment that takes a second, in place of the paper's."""
    folder = tmp_path / "configs" / "paper"
    folder.mkdir(parents=True)
    (folder / "tiny.yaml").write_text(TINY)
    answers = tmp_path / "answers.yaml"
    answers.write_text('tiny: {accuracy: 50, std: 5, what: "a perceptron, digits, lr 0.1"}\n')
    monkeypatch.setattr(experiments, "ANSWERS", answers)
    monkeypatch.setattr(experiments, "presets_folder", lambda: tmp_path / "configs")
    monkeypatch.setitem(lookup.SIZES, "digits", (1437, 360))
    monkeypatch.setitem(cost.MS_AN_EXAMPLE, "mlp", 0.01)
    monkeypatch.chdir(tmp_path)


def listed(capsys) -> list[dict]:
    assert run(["reproduce", "--list", "--json"]) == 0
    answer: list[dict] = json.loads(capsys.readouterr().out)
    return answer


def test_an_experiment_is_run_once_compared_and_found_again(tiny, capsys):
    (before,) = listed(capsys)
    assert (before["state"], before["ours"]) == ("not yet", None)
    assert "digits" in before["needs"]
    assert run(["reproduce", "tiny", "-q"]) == 0
    assert "pass" in capsys.readouterr().out
    written = {path: path.stat().st_mtime_ns for path in Path("runs/tiny/records").glob("*.jsonl")}
    assert len(written) == 2
    (after,) = listed(capsys)
    assert (after["state"], after["needs"], after["made_on"]) == ("pass", None, "cpu fp32")
    assert run(["reproduce", "--all", "--budget", "10s", "-q"]) == 0
    assert written == {path: path.stat().st_mtime_ns for path in Path("runs/tiny/records").glob("*.jsonl")}


def test_kept_records_are_used_in_place_of_running(tiny, capsys, tmp_path):
    assert run(["reproduce", "tiny", "-q"]) == 0
    Path("runs/tiny/records").rename(tmp_path / "kept-tiny")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept-tiny").rename(tmp_path / "kept" / "tiny")
    kept = {path.name: path.read_text() for path in (tmp_path / "kept" / "tiny").glob("*.jsonl")}
    assert run(["reproduce", "tiny", "--records", str(tmp_path / "kept"), "-q"]) == 0
    assert {path.name: path.read_text() for path in Path("runs/tiny/records").glob("*.jsonl")} == kept


def test_what_does_not_fit_in_the_budget_is_not_begun(tiny, capsys, monkeypatch):
    monkeypatch.setitem(cost.MS_AN_EXAMPLE, "mlp", 1000.0)
    assert run(["reproduce", "--all", "--budget", "30s"]) == 0
    assert "tiny: not begun: about " in capsys.readouterr().err
    assert not Path("runs/tiny").exists()


def test_what_takes_a_gpu_is_not_begun_without_one_unless_a_device_is_named(tiny, capsys, monkeypatch):
    path = Path("configs/paper/tiny.yaml")
    path.write_text(path.read_text().replace("device: cpu, ", ""))
    monkeypatch.setitem(cost.MS_AN_EXAMPLE, "mlp", 1e5)
    monkeypatch.setattr(commands.doctor, "has_gpu", lambda: False)
    assert run(["reproduce", "tiny"]) == 0
    assert "tiny: not begun, since there is no GPU here; -s run.device=cpu runs it all the same" in capsys.readouterr().err
    assert not Path("runs/tiny").exists()
    assert run(["reproduce", "tiny", "-q", "-s", "run.device=cpu"]) == 0
    assert "pass" in capsys.readouterr().out


def test_a_miss_ends_with_exit_code_1(tiny, capsys, tmp_path):
    (tmp_path / "answers.yaml").write_text('tiny: {accuracy: 100, std: 0.01, what: "a perceptron, digits, lr 0.1"}\n')
    assert run(["reproduce", "tiny", "-q"]) == 1
    assert "miss" in capsys.readouterr().out


def test_the_results_page_tells_runs_needs_and_where_records_come_from(tmp_path):
    text = page.markdown()
    assert "| `table2-lenet-12` | LeNet, MNIST" in text
    assert "99.25 +- 0.03 | 99.11 +- 0.04 (4 runs), cpu fp32 | **miss**, 0.14 points below |" in text
    assert "| table2-lenet-12 | 4 | 0, 1, 2, 3 | mnist | x86_64 cpu, fp32 | " in text
    empty = page.markdown(tmp_path)
    assert empty.count("not yet: ") == len(EVERY)


def test_a_momentum_agrees_by_steps_of_1_minus_m() -> None:
    answer = {"setting": "momentum", "value": 0.9}

    def agrees(value: float, **told: object) -> bool | None:
        more = {"status": "chosen", "confidence": "high", "reason": "", "source": "4.3", **told}
        return verdicts.setting(answer, reading(Evidence("momentum", {"max": value, "min": value}, **more))).agrees  # type: ignore[arg-type]

    assert agrees(0.9)
    assert agrees(0.87)
    assert not agrees(0.95)
    assert not agrees(0.99)
    assert agrees(0.99, tied=(0.9, 0.99))
    assert agrees(0.95, interval=(0.89, 0.96))
