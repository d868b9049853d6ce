"""Weight decay from whole runs and from both of Fig. 12's snapshots, on a simulated network whose best weight decay is known."""

from dataclasses import replace

import pytest

from hpcheck.runs.schedules import values
from hpcheck.runs.spec import RunSpec
from hpcheck.steps import weight_decay
from hpcheck.steps.compare import Compared
from hpcheck.steps.reading import Settings
from tests.support.simulated import World, asked, read

KNOWN = Settings(128, 0.3, 0.03, 0.95, 0.85, 1e-4, 10.0)


def runs(world: World) -> list[RunSpec]:
    return [record.run for record in world.records.values()]


def iterations(world: World) -> int:
    return sum(spec.steps - spec.at_step for spec in runs(world))


@pytest.mark.parametrize("mode", ["cycle", "range", "constant"])
@pytest.mark.parametrize("forked", ["true", "false"])
def test_every_mode_finds_the_best_weight_decay(mode: str, forked: str) -> None:
    world = World(best_weight_decay=1e-3, noise=0.002)
    reading = read(world, weight_decay.decide, asked(f"wd_grid.mode={mode}", f"wd_grid.from_snapshot={forked}"), KNOWN)
    assert 1e-3 / 3.2 <= reading.settings.weight_decay <= 1e-3 * 3.2


@pytest.mark.parametrize("mode", ["cycle", "range"])
def test_half_a_run_each_costs_less_than_whole_runs_and_says_one_of_those_that_they_cannot_tell_apart(mode: str) -> None:
    whole, forked = World(noise=0.002), World(noise=0.002)
    grid = read(whole, weight_decay.decide, asked(f"wd_grid.mode={mode}", "wd_grid.from_snapshot=false"), KNOWN)
    snapshot = read(forked, weight_decay.decide, asked(f"wd_grid.mode={mode}", "wd_grid.from_snapshot=true"), KNOWN)
    assert snapshot.settings.weight_decay in (grid.settings.weight_decay, *grid.evidence[0].tied)
    assert iterations(forked) < 0.75 * iterations(whole)


@pytest.mark.parametrize(("needed", "lengths"), [(10.0, 1), (1e9, 3)])
def test_forks_of_a_run_that_has_learnt_are_not_lengthened_because_they_stay_in_their_noise(needed: float, lengths: int) -> None:
    """They begin where the loss has fallen, and may well be flat; only where nothing was learnt by then may longer runs read more."""
    world = World(best_weight_decay=1e-3, needed=needed, noise=0.15)
    reading = read(world, weight_decay.decide, asked("wd_grid.from_snapshot=true", "wd_grid.max_rounds=0"), KNOWN)
    assert len({spec.steps for spec in runs(world) if spec.parent is not None}) == lengths
    assert (reading.evidence[0].status == "abstained") == (lengths > 1)


def test_a_fork_makes_the_second_half_of_the_whole_run() -> None:
    world = World(noise=0.002)
    read(world, weight_decay.decide, asked("wd_grid.from_snapshot=true"), KNOWN)
    fork = next(spec for spec in runs(world) if spec.parent is not None)
    trunk = world.records[fork.parent or ""].run
    whole = weight_decay.full_run(asked(), KNOWN)(fork.weight_decay, fork.steps)
    second = slice(fork.at_step, fork.steps)
    assert fork.at_step == trunk.steps
    assert values(fork.lr, fork.steps - fork.at_step) == pytest.approx(values(whole.lr, whole.steps)[second])
    assert values(fork.momentum, fork.steps - fork.at_step) == pytest.approx(values(whole.momentum, whole.steps)[second])
    assert values(trunk.lr, trunk.steps) == pytest.approx(values(whole.lr, whole.steps)[: trunk.steps])
    assert values(fork.lr, 1)[0] == pytest.approx(KNOWN.max_lr)
    assert trunk.keep == "last"
    assert fork.keep == ""


def test_at_a_constant_lr_the_snapshot_waits_for_the_plateau() -> None:
    quick, slow = World(noise=0.002, needed=30.0), World(noise=0.002, needed=120.0)
    options = ("wd_grid.mode=constant", "wd_grid.from_snapshot=true")
    for world in (quick, slow):
        read(world, weight_decay.decide, asked(*options), KNOWN)
    plateaus = [max(spec.at_step for spec in runs(world) if "from the snapshot" in spec.label) for world in (quick, slow)]
    assert plateaus[0] < plateaus[1]


@pytest.mark.parametrize(("policy", "share"), [("1cycle", 0.5), ("constant", 1.0), ("step", 1.0)])
@pytest.mark.parametrize("forked", ["true", "false"])
def test_a_constant_lr_is_the_trainings_own_where_that_does_not_rise(policy: str, share: float, forked: str) -> None:
    world = World(noise=0.002)
    options = ("wd_grid.mode=constant", f"wd_grid.from_snapshot={forked}", f"train.policy={policy}")
    read(world, weight_decay.decide, asked(*options), replace(KNOWN, min_lr=0.03 if policy == "1cycle" else KNOWN.max_lr))
    assert {float(values(spec.lr, 1)[0]) for spec in runs(world)} == {share * 0.3}


@pytest.mark.parametrize(("optimizer", "said"), [("sgd", False), ("adamw", True)])
def test_short_runs_are_told_by_each_optimizers_own_decay(optimizer: str, said: bool) -> None:
    """500 steps at lr 0.01 and momentum 0.95: SGD has decayed by 500 * 0.01 / 0.05 * 0.0099 = 0.99, AdamW by a twentieth of that."""
    world = World(best_weight_decay=1e-3, noise=0.02)  # as far from one value as from the other
    plain = ("wd_grid.steps=500", "wd_grid.max_rounds=0", "wd_grid.mode=constant", "wd_grid.from_snapshot=false")
    question = asked(f"optimizer={optimizer}", "wd_grid.values=[1e-4, 1e-2]", *plain)
    reading = read(world, weight_decay.decide, question, replace(KNOWN, max_lr=0.02))
    assert [item.status for item in reading.evidence] == ["tied"]
    assert any("too short" in remark for remark in reading.remarks) is said
    assert ("too short to tell" in reading.findings) is said


def test_where_no_plateau_comes_the_snapshot_is_taken_and_that_is_told() -> None:
    world = World(noise=0.002, needed=1000.0)
    reading = read(world, weight_decay.decide, asked("wd_grid.mode=constant", "wd_grid.from_snapshot=true"), KNOWN)
    assert any("no plateau came in" in remark for remark in reading.remarks)


def test_forks_share_their_beginning_so_no_confidence_in_them_is_high(monkeypatch: pytest.MonkeyPatch) -> None:
    question = asked("wd_grid.values=[1e-2, 1e-3, 1e-4]", "wd_grid.max_rounds=0", "wd_grid.from_snapshot=true")

    def confidence() -> str:
        return read(World(noise=0.02), weight_decay.decide, question, KNOWN).evidence[0].confidence

    assert confidence() == "medium"
    monkeypatch.setattr(Compared, "forked", False)
    assert confidence() == "high"


def test_the_grid_is_the_papers_for_what_is_known_of_the_network() -> None:
    assert weight_decay.grid_values(asked("model=lenet")) == (1e-4, 1e-3, 1e-2)
    assert weight_decay.grid_values(asked("model=resnet_cifar")) == (0.0, 1e-5, 1e-4, 1e-3)
    assert weight_decay.grid_values(asked("wd_grid.values=[3e-3, 1e-3]")) == (1e-3, 3e-3)


def test_the_snapshot_is_taken_at_the_weight_decay_that_the_config_names() -> None:
    world = World(noise=0.002)
    read(world, weight_decay.decide, asked("wd_grid.from_snapshot=true", "wd_grid.snapshot_weight_decay=2e-4"), KNOWN)
    assert {spec.weight_decay for spec in runs(world) if spec.keep == "last"} == {2e-4}
