"""What counts as drift between two recommendations, on hand-written ones."""

import copy

import pytest

from hpcheck.config import ConfigError
from hpcheck.recommendation.drift import changed, checked, compare, stated
from tests.support.baselines import BASE, edited, rerun


def drifted(old, new):
    return [verdict.setting for verdict in compare(old, new) if verdict.status == "drifted"]


def verdict(old, new, setting):
    return next(one for one in compare(old, new) if one.setting == setting)


def test_the_same_recommendation_has_not_drifted():
    assert {one.status for one in compare(BASE, copy.deepcopy(BASE))} == {"same"}


MOVED = [
    ("total_batch_size", 128),
    ("learning_rate", 1.2),
    ("learning_rate", 0.4 / 3),
    ("momentum", 0.975),
    ("momentum", 0.9),
    ("weight_decay", 0.003),
    ("weight_decay", 0.001 / 3),
]


@pytest.mark.parametrize(("setting", "value"), MOVED)
def test_a_setting_moved_threefold_by_hand_in_the_baseline_drifts_and_is_named(setting, value):
    assert drifted(edited(setting, value), BASE) == [setting]
    assert "edited by hand" in verdict(edited(setting, value), BASE, setting).why


@pytest.mark.parametrize(("setting", "value"), MOVED)
def test_a_setting_read_threefold_elsewhere_with_a_narrow_interval_drifts_and_is_named(setting, value):
    new = rerun(setting, value, interval=[value, value])
    if setting == "momentum" and value == 0.9:
        value = 0.85
        new = rerun(setting, value, interval=[value, value])
    assert drifted(BASE, new) == [setting]
    assert drifted(new, BASE) == [setting]


def test_a_value_inside_the_others_interval_has_not_drifted():
    assert drifted(BASE, rerun("weight_decay", 0.005, interval=[0.0009, 0.02])) == []
    assert drifted(BASE, rerun("weight_decay", 0.005, interval=[0.003, 0.02])) == ["weight_decay"]


def test_neighbours_on_the_checklists_own_grid_have_not_drifted():
    assert drifted(BASE, rerun("learning_rate", 0.18, interval=[0.17, 0.19])) == []
    assert "nearer than the checklist resolves" in verdict(BASE, rerun("learning_rate", 0.18), "learning_rate").why


@pytest.mark.parametrize(("size", "has_drifted"), [(32, False), (64, False), (128, True), (65, True)])
def test_batch_sizes_are_compared_exactly_save_for_ties(size, has_drifted):
    assert drifted(BASE, rerun("total_batch_size", size)) == ["total_batch_size"] * has_drifted


def test_a_batch_size_between_two_tied_ones_has_not_drifted():
    assert drifted(BASE, rerun("total_batch_size", 128, tied=[16, 32, 128])) == []


def test_rounding_is_no_drift():
    assert verdict(BASE, rerun("weight_decay", 0.00104), "weight_decay").why == "the same value"


def test_weight_decay_zero_is_far_from_every_other_value():
    assert drifted(BASE, rerun("weight_decay", 0.0, interval=[0.0, 1e-5])) == ["weight_decay"]
    assert drifted(BASE, rerun("weight_decay", 0.0, interval=[0.0, 0.001])) == []


def test_an_abstention_is_not_compared_unless_the_values_agree():
    abstained = {"status": "abstained", "interval": None}
    assert verdict(BASE, rerun("weight_decay", 1e-5, **abstained), "weight_decay").status == "not compared"
    assert verdict(BASE, rerun("weight_decay", 0.001, **abstained), "weight_decay").status == "same"


def test_momentum_that_no_longer_falls_has_drifted_unless_the_shapes_were_tied():
    new = copy.deepcopy(BASE)
    new["settings"]["momentum"]["min"] = new["evidence"]["momentum"]["value"]["min"] = 0.95
    assert drifted(BASE, new) == ["momentum.min"]
    new["evidence"]["momentum_shape"]["tied"] = ["falling", "constant"]
    assert drifted(BASE, new) == []


def test_a_setting_never_read_is_compared_by_value():
    bare = copy.deepcopy(BASE)
    bare["evidence"] = {}
    assert drifted(bare, BASE) == []
    del bare["settings"]["learning_rate"]
    assert drifted(bare, BASE) == ["learning_rate"]


def test_changed_versions_device_and_data_are_named():
    new = copy.deepcopy(BASE)
    new["provenance"]["data"] = "d1"
    new["provenance"]["environment"] = {"torch": "2.11.0", "device": "cuda"}
    assert changed(BASE, new) == ["data: 'd0' -> 'd1'", "torch: '2.10.0' -> '2.11.0'", "device: 'cpu' -> 'cuda'"]


BROKEN = [
    {"settings": {**BASE["settings"], "weight_decay": "much"}},
    {"settings": {**BASE["settings"], "total_batch_size": True}},
    {"settings": {**BASE["settings"], "learning_rate": 0.1}},
    {"settings": {**BASE["settings"], "weight_decay": float("nan")}},
    {"evidence": {**BASE["evidence"], "weight_decay": {"status": "chosen"}}},
    {"evidence": {**BASE["evidence"], "weight_decay": {"value": 0.001, "status": "chosen", "interval": [1, 2, 3]}}},
    {"evidence": {**BASE["evidence"], "momentum": "high"}},
    {"evidence": []},
    {"provenance": {"environment": "here"}},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_baseline_that_cannot_be_compared_with_is_refused_by_name(broken):
    with pytest.raises(ConfigError, match=r"base\.yaml: not a recommended\.yaml"):
        checked({**BASE, **broken}, "base.yaml")


def test_a_momentum_that_the_new_reading_abstained_from_is_not_compared_in_either_part():
    new = rerun("momentum", 0.5, status="abstained")
    new["settings"]["momentum"]["min"] = 0.5
    new["evidence"]["momentum"]["value"] = {"max": 0.5, "min": 0.5}
    verdicts = {verdict.setting: verdict.status for verdict in compare(BASE, new)}
    assert (verdicts["momentum"], verdicts["momentum.min"]) == ("not compared", "not compared")


def test_shapes_tied_with_another_in_each_are_not_tied_with_each_other():
    old, new = copy.deepcopy(BASE), rerun("momentum", 0.95)
    new["settings"]["momentum"]["min"] = 0.95
    new["evidence"]["momentum"]["value"]["min"] = 0.95
    old["evidence"]["momentum_shape"]["tied"], new["evidence"]["momentum_shape"]["tied"] = ["falling", "rising"], ["constant", "rising"]
    assert drifted(old, new) == ["momentum.min"]
    new["evidence"]["momentum_shape"]["tied"] = ["falling", "constant"]
    assert drifted(old, new) == []


def test_shapes_in_a_baseline_of_before_are_read_though_they_are_numbers():
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    new["settings"]["momentum"]["min"] = new["evidence"]["momentum"]["value"]["min"] = 0.95
    old["evidence"]["momentum_shape"]["tied"] = [1.0, 2.0]
    assert drifted(old, new) == []
    old["evidence"]["momentum_shape"]["tied"] = [1.0, 3.0]
    assert drifted(old, new) == ["momentum.min"]


def test_momentum_that_rises_is_not_momentum_that_falls():
    rising = copy.deepcopy(BASE)
    rising["settings"]["momentum"]["shape"] = "rising"
    assert drifted(BASE, rising) == drifted(rising, BASE) == ["momentum.shape"]
    assert drifted(rising, copy.deepcopy(rising)) == []


def test_the_ends_of_a_constant_momentum_are_judged_once():
    old, new = rerun("momentum", 0.95), rerun("momentum", 0.97)
    for content in (old, new):
        largest = content["settings"]["momentum"]["max"]
        content["settings"]["momentum"]["min"] = content["evidence"]["momentum"]["value"]["min"] = largest
    assert drifted(old, new) == []


def test_an_abstention_is_said_of_the_reading_that_it_was_in():
    abstained = rerun("weight_decay", 1e-5, status="abstained", interval=None)
    assert verdict(BASE, abstained, "weight_decay").why.endswith("the reading abstained this time")
    assert verdict(abstained, BASE, "weight_decay").why.endswith("the reading abstained in the baseline")


def test_a_smallest_momentum_edited_by_hand_has_drifted_though_the_shapes_are_tied():
    old = copy.deepcopy(BASE)
    old["settings"]["momentum"]["min"] = 0.5
    old["evidence"]["momentum_shape"]["tied"] = ["falling", "constant"]
    assert drifted(old, BASE) == ["momentum.min"]
    assert "edited by hand" in verdict(old, BASE, "momentum.min").why


def test_what_the_baseline_does_not_name_has_not_changed():
    new = copy.deepcopy(BASE)
    new["provenance"]["environment"]["cudnn"] = "9"
    assert changed(BASE, new) == []


def cycled(**changed):
    content = copy.deepcopy(BASE)
    content["settings"]["learning_rate"].update(changed)
    return content


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"policy": "triangular"}, "policy 1cycle before, triangular now"),
        ({"min": 0.01}, "the lr began 10 times below its largest value before, 40 times now"),
        ({"epochs": 75.0, "cycle_epochs": 67.5}, "the training was 25 epochs long, and is 75 epochs long now"),
        ({"cycle_epochs": 12.0}, "the cycle took 90% of the training before, 48% now"),
    ],
)
def test_another_cycle_is_a_drift(change, why):
    found = verdict(BASE, cycled(**change), "learning_rate.cycle")
    assert (found.status, found.why) == ("drifted", why)


@pytest.mark.parametrize(
    ("size", "machine", "status"), [(1024, "another", "same"), (1024, "same", "drifted"), (2048, "another", "drifted")]
)
def test_a_batch_size_one_doubling_away_is_a_drift_on_the_same_machine_alone(size, machine, status):
    old, new = edited("total_batch_size", 512), edited("total_batch_size", size)
    for content, value in ((old, 512), (new, size)):
        content["evidence"].pop("total_batch_size", None)
        content["settings"]["total_batch_size"] = value
        content["provenance"]["environment"]["device_name"] = "here"
    new["provenance"]["environment"]["device_name"] = {"same": "here", "another": "elsewhere"}[machine]
    assert verdict(old, new, "total_batch_size").status == status


def test_what_measured_times_and_runs_move_of_a_cycle_is_none():
    assert drifted(BASE, cycled(epochs=45.0, cycle_epochs=40.5)) == []
    assert drifted(BASE, cycled(max=0.45, min=0.004)) == []  # the start's own smallest lr goes with its largest alone
    other_batch = rerun("total_batch_size", 32, tied=[32.0, 64.0])
    other_batch["settings"]["learning_rate"] |= {"epochs": 13.0, "cycle_epochs": 11.7}
    assert drifted(BASE, other_batch) == []
    by_runs = cycled(min=0.013)
    by_runs["evidence"]["min_lr"] = {"value": 0.013, "status": "chosen"}
    assert drifted(BASE, by_runs) == []
    without = copy.deepcopy(BASE)
    del without["settings"]["learning_rate"]
    assert verdict(without, BASE, "learning_rate.cycle").status == "same"  # the learning rate's own verdict says it


@pytest.mark.parametrize(
    "edited_by_hand", [{"tied": "0.2"}, {"tied": ["0.2"]}, {"interval": ["a", "b"]}, {"interval": [0.1]}, {"tied": 0.2}]
)
def test_evidence_that_is_no_numbers_is_no_baseline(edited_by_hand):
    content = copy.deepcopy(BASE)
    content["evidence"]["learning_rate"].update(edited_by_hand)
    with pytest.raises(ConfigError, match="not a recommended"):
        checked(content, "r.yaml")


@pytest.mark.parametrize(("setting", "to"), [("momentum", 0.8), ("total_batch_size", 128), ("weight_decay", 0.1), ("learning_rate", 3.0)])
def test_a_setting_without_evidence_that_no_full_training_had_was_edited_by_hand(setting, to):
    """Else a check would train what was edited in, and find it as good as the start."""
    base = copy.deepcopy(BASE)
    trained = {"total_batch_size": 64, "max_lr": 0.4, "momentum": [0.95, 0.85], "weight_decay": 0.001, "start": True}
    base["results"] = {"confirm": {"trainings": 8, "considered": [trained]}}
    del base["evidence"][setting]
    assert stated(base, setting).edited_from is None
    edited_by_hand = edited(setting, to)
    del edited_by_hand["evidence"][setting]
    edited_by_hand["results"] = base["results"]
    new = copy.deepcopy(edited_by_hand)  # what was edited in came out as it is
    found = {one.setting: one for one in compare(edited_by_hand, new)}[setting]
    assert found.status == "drifted"
    assert "edited by hand" in found.why
