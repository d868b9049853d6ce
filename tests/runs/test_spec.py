"""A run is identified by what it computes."""

from dataclasses import replace

import pytest

from hpcheck.runs.schedules import constant, one_cycle, ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, TimingSpec, evenly, freeze, from_dict, run_id, to_dict

RUN = RunSpec(
    data=DataSpec("image-folder", "somewhere", freeze({"folder": "images"})),
    model=PartSpec("mlp", freeze({"hidden": [64, 64]})),
    optimizer=PartSpec("sgd"),
    total_batch_size=32,
    steps=100,
    lr=one_cycle(0.1, 0.01, 45, 100),
    momentum=constant(0.9),
    weight_decay=1e-4,
    evaluate_after=(50, 100),
)


def test_same_computation_same_identity_wherever_the_data_lie() -> None:
    moved = replace(RUN, data=DataSpec("cifar10", "elsewhere"), label="another name", keep="last")
    assert run_id(moved, "f") == run_id(RUN, "f")


def test_which_metrics_are_better_counts_where_the_best_weights_are_kept() -> None:
    lower = replace(RUN, data=replace(RUN.data, metric_is="lower"))
    assert run_id(lower, "f") == run_id(replace(lower, keep="last"), "f") == run_id(replace(RUN, keep="best"), "f") == run_id(RUN, "f")
    assert run_id(replace(lower, keep="best"), "f") != run_id(RUN, "f")


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"weight_decay": 0.0},
        {"total_batch_size": 33},
        {"lr": ramp(0.01, 0.1, 100)},
        {"evaluate_after": (100,)},
        {"precision": "bf16"},
        {"bn_splits": 4},
        {"parent": "0123456789abcdef", "at_step": 50},
        {"model": PartSpec("mlp", freeze({"hidden": [64, 32]}))},
        {"data": replace(RUN.data, augment="mirror")},
    ],
)
def test_anything_that_is_computed_changes_the_identity(changed: dict[str, object]) -> None:
    assert run_id(replace(RUN, **changed), "f") != run_id(RUN, "f")  # type: ignore[arg-type]


def test_data_contents_and_the_users_source_change_the_identity() -> None:
    assert len({run_id(RUN, "f"), run_id(RUN, "g"), run_id(RUN, "f", "source")}) == 3


def test_identity_is_the_same_in_every_version_of_this_code() -> None:
    assert run_id(RUN, "fingerprint") == "5d9c6b9455822630"  # a change here loses every user's records: raise ENGINE_SEMANTICS instead


@pytest.mark.parametrize("spec", [RUN, TimingSpec(RUN.data, RUN.model, RUN.optimizer, (32, 64))])
def test_a_spec_read_back_is_the_same(spec: RunSpec | TimingSpec) -> None:
    described = to_dict(spec)
    assert "root" not in described["data"]
    assert from_dict(described) == replace(spec, data=replace(spec.data, root=""))


def test_a_spec_of_a_newer_version_is_refused() -> None:
    with pytest.raises(TypeError):
        from_dict({**to_dict(RUN), "added_later": 1})


def test_evaluations_are_spread_to_the_last_step() -> None:
    assert evenly(100, 4) == (25, 50, 75, 100)
    assert evenly(3, 10) == (1, 2, 3)
    assert evenly(200, 2, first=100) == (150, 200)
