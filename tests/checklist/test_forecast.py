"""`hpcheck plan`: what every step may come to, in trainings of the user's and in iterations, and the search as a whole against its goal."""

from pathlib import Path

import pytest

from hpcheck import config as configs
from hpcheck.analysis.memory import Memory
from hpcheck.checklist import costs
from hpcheck.checklist.forecast import plan_lines, planned
from hpcheck.config import parse, yaml12
from hpcheck.reproduce.lookup import COMMITTED, Kept
from hpcheck.runs.records import RunRecord, examples_processed
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.step import Asked, Facts

ROOT = Path(__file__).parents[2]


def plan(tmp_path, *overrides):
    text = f"data: digits\nmodel: mlp\nname: plan\nrun: {{dir: {tmp_path}}}\nbudget: {{epochs: 50}}"
    with Memory():
        return planned(parse(text, "c.yaml", ("confirm.trainings=0", *overrides)))


def test_full_trainings_are_planned_in_place_of_the_weight_decay_grid(tmp_path) -> None:
    found = plan(tmp_path, "confirm.trainings=null")
    assert list(found["iterations"]) == ["lr-in-full", "batch", "momentum", "confirm", "train"]
    assert found["trainings"]["confirm"] == [7, 7]  # one of the eight was trained to find the lr
    assert found["trainings"]["train"] == [0, 0]  # it is one of the eight
    assert found["confirm"]["parts"] == {"first": 3, "neighbours": 2, "challengers": 1, "fresh": 2}
    longer = plan(tmp_path, "confirm.trainings=null", "budget.epochs=200")
    assert longer["confirm"]["parts"] == {"first": 3, "neighbours": 1, "challengers": 2, "fresh": 2}
    said = "\n".join(plan_lines(found))
    assert "confirm.trainings is 8: a training has at most 20,000 iterations." in said
    assert "2 at other learning rates, 1 neighbour in weight decay" in "\n".join(plan_lines(longer))
    assert plan(tmp_path, "confirm.trainings=null", "start.max_lr=0.1")["confirm"]["parts"]["first"] == 4


def test_repeats_and_training_on_all_data_are_planned_beside_the_full_trainings(tmp_path) -> None:
    four = plan(tmp_path, "confirm.trainings=8", "train.repeats=4", "budget.hold=epochs", "batch.sizes=[128]")
    assert four["trainings"]["train"] == pytest.approx([2, 2], rel=0.01)  # two seeds are there
    folded = plan(tmp_path, "confirm.trainings=8", "train.repeats=4", "train.fit=all", "budget.hold=epochs", "batch.sizes=[128]")
    assert folded["trainings"]["train"][0] > 4


def test_the_plan_bounds_every_step_in_trainings_and_iterations(tmp_path) -> None:
    found = plan(tmp_path)
    assert list(found["iterations"]) == list(found["trainings"])
    assert list(found["iterations"]) == ["lr-range", "batch", "momentum", "wd-grid", "lr-reprobe", "train"]
    for step, (fewest, most) in found["iterations"].items():
        assert fewest <= most
        assert found["trainings"][step][0] <= found["trainings"][step][1]
    full = found["iterations_of_a_full_training"]  # before the batch step the batch size is the start's
    assert found["trainings"]["lr-range"] == pytest.approx([end / full for end in found["iterations"]["lr-range"]], rel=0.06)
    assert found["search"]["iterations"] == [
        sum(ends[at] for step, ends in found["iterations"].items() if step != "train") for at in (0, 1)
    ]


def test_the_goal_is_the_larger_of_4000_iterations_and_two_and_a_half_trainings(tmp_path) -> None:
    assert plan(tmp_path)["goal"] == 4000
    long = plan(tmp_path, "budget.epochs=1000")
    assert long["goal"] == round(2.5 * long["iterations_of_a_full_training"]) > 4000


def test_what_is_compared_is_counted_at_its_own_length(tmp_path) -> None:
    alone, compared = plan(tmp_path), plan(tmp_path, "train.compare=[step]", "train.compare_epochs=100")
    in_small = 1.1  # three arms are ranked by runs of a tenth of the length too
    assert 4 <= compared["trainings"]["train"][0] / alone["trainings"]["train"][0] <= 4 * in_small


def test_trainings_count_examples_so_that_a_larger_batch_size_is_not_free(tmp_path) -> None:
    given = ("start.total_batch_size=32", "batch.sizes=[32, 128]", "momentum.steps=100", "budget.epochs=20", "budget.hold=epochs")
    found = plan(tmp_path, *given)
    examples = found["iterations_of_a_full_training"] * 32
    most = max(found["iterations"]["momentum"])
    assert found["trainings"]["momentum"][1] > 1.5 * most * 32 / examples


def test_a_training_that_equal_time_may_lengthen_is_counted_at_the_users_epochs(tmp_path) -> None:
    held = plan(tmp_path, "batch.sizes=[128, 512]", "budget.hold=epochs")["trainings"]["train"]
    longer = plan(tmp_path, "batch.sizes=[128, 512]")["trainings"]["train"]
    assert held == pytest.approx([4, 4], rel=0.06)
    assert longer == pytest.approx([4, 16], rel=0.06)


def test_people_read_the_same(tmp_path) -> None:
    found = plan(tmp_path)
    text = " ".join(" ".join(plan_lines(found)).split())
    assert "Data: digits (train 1,294; validate 144, held out of the training split; test 359)" in text
    assert f"One training of yours: 50 epochs, {found['iterations_of_a_full_training']} iterations at batch size 128." in text
    assert f" momentum: {found['trainings']['momentum'][0]:g} to {found['trainings']['momentum'][1]:g} trainings, " in text
    assert f"Its goal is {found['goal']:,} iterations at most" in text
    assert "lr-reprobe: 0 to " in text


def test_where_full_trainings_confirm_the_share_of_the_search_is_told_and_no_other_goal(tmp_path) -> None:
    text = " ".join(plan_lines(plan(tmp_path, "confirm.trainings=8")))
    assert "The search before them may cost 4 trainings. The learning rate is read in any case; batch or momentum is left out if " in text
    assert "Its goal" not in text


def test_a_snapshot_shortens_the_runs_of_the_weight_decay_grid(tmp_path):
    long = ("budget.epochs=400", "batch.sizes=[128]")
    forked, whole = plan(tmp_path, *long, "wd_grid.from_snapshot=true"), plan(tmp_path, *long, "wd_grid.from_snapshot=false")
    assert forked["iterations"]["wd-grid"][0] < whole["iterations"]["wd-grid"][0]


def test_the_runs_of_the_momentum_step_are_as_many_as_the_config_has_values_and_shapes(tmp_path) -> None:
    def runs(*overrides: str) -> list[float]:
        return [ends / 100 for ends in plan(tmp_path, "momentum.steps=100", *overrides)["iterations"]["momentum"]]

    assert 4 < runs()[0] <= 7 <= runs()[1]  # four values, three shapes; what diverges stops early
    assert runs("momentum.values=[0.8, 0.9, 0.99]", "momentum.cyclical=false")[0] <= 3
    assert runs("momentum.values=[0.95]")[0] <= 3  # a single value is taken, not run
    assert runs("momentum.values=[0.95]", "momentum.cyclical=false") == [0, 0]


def test_range_tests_alone_are_counted_without_1cycles_and_with_their_overlays(tmp_path) -> None:
    def runs(*overrides: str) -> list[float]:
        return [ends / 100 for ends in plan(tmp_path, "lr_range.steps=100", *overrides)["iterations"]["lr-range"]]

    assert all(a < b for a, b in zip(runs("lr_range.cycles=false"), runs(), strict=True))
    assert all(a < b for a, b in zip(runs(), runs("lr_range.weight_decays=[1e-3, 1e-4]"), strict=True))


def committed(name: str) -> list[RunRecord]:
    return list(Kept([COMMITTED, COMMITTED.parent / "jpeg"]).records(name))


@pytest.mark.parametrize(
    ("config", "names", "facts"),
    [
        ("mnist-lenet", ("mnist-lenet", "mnist-1", "mnist-2"), Facts(54_000, 6_000, classes=True)),
        ("cifar10-shallow3", ("cifar10-1", "cifar10-2", "cifar10-shallow3-bf16"), Facts(45_000, 5_000, classes=True)),
    ],
)
def test_the_committed_searches_lie_within_the_bounds_of_their_plan(config: str, names: tuple[str, ...], facts: Facts) -> None:
    with Memory():
        bounds = costs.bounds(Asked(configs.load(ROOT / "configs" / f"{config}.yaml", ["confirm.trainings=0"]), facts))
    fewest, most = (sum(one.examples[end] for step, one in bounds.items() if step != "train") for end in (0, 1))
    steps = {"lr range": "lr-range", "batch ": "batch", "momentum ": "momentum"}
    for name in names:
        assert committed(name)
        search = [record for record in committed(name) if not (isinstance(record.spec, RunSpec) and record.spec.finally_on)]
        assert fewest <= sum(map(examples_processed, search)) <= most, name
        for label, step in steps.items():
            of_step = sum(examples_processed(record) for record in search if record.spec.label.startswith(label))
            assert of_step <= bounds[step].examples[1], (name, step)


def test_the_committed_quickstart_lies_within_the_bounds_of_its_plan() -> None:
    asked = Asked(configs.load(ROOT / "configs" / "quickstart.yaml"), Facts(1_078, 360, classes=True))
    content = yaml12.read((ROOT / "docs/results/quickstart/recommended.yaml").read_text(encoding="utf-8")).value
    spent = content["provenance"]["cost"]["search"]
    with Memory():
        searched = [one for step, one in costs.bounds(asked).items() if step not in ("confirm", "train")]
    iterations = [sum(ends) for ends in zip(*(one.iterations for one in searched), strict=True)]
    one_training = asked.facts.train_examples * asked.config.budget.epochs
    trainings = [sum(ends) / one_training for ends in zip(*(one.examples for one in searched), strict=True)]
    assert iterations[0] <= spent["iterations"] <= iterations[1]
    assert round(trainings[0], 1) <= spent["trainings"] <= trainings[1]


def test_the_same_plan_comes_out_each_time(tmp_path) -> None:
    assert plan(tmp_path) == plan(tmp_path)
