"""The six training logs that the paper's author published are read without an error, and compared as the paper compares them."""

import os
from pathlib import Path

import pytest

from hpcheck.curves import describe, files, judge
from hpcheck.curves.load import Loaded

FOLDER = Path(os.environ.get("HPCHECK_DATA", "")) / "paper-curves"
CURVES = {
    "cifar10-densenet40-1cycle0.1-4-cm0.9-0.85-wd1e-6-50ep": 24,
    "cifar10-resnet56-1cycle0.08-0.8-m0.95-wd1e-4-95ep": 46,
    "cifar10-wide32-1cycle0.1-1-cm0.95-0.85-wd1e-4-50ep": 24,
    "cifar100-3layer-1cycle0.002-0.02-cm0.95-0.8-wd6e-4-50ep": 24,
    "imagenet-resnet50-1cycle0.05-1-cm0.95-0.85-wd3e-6-20ep": 400,
    "imagenet-resnet50-standard-lr0.1-m0.9-wd1e-4-145ep": 2675,
}
pytestmark = pytest.mark.skipif(
    not (os.environ.get("HPCHECK_DATA") and FOLDER.is_dir()), reason="NOT TESTED: no paper-curves in the folder that HPCHECK_DATA names"
)


def load(name: str) -> Loaded:
    (found,) = files.load_all([FOLDER / f"{name}.csv"], {})
    return found


@pytest.mark.parametrize(("name", "evaluations"), CURVES.items())
def test_a_curve_of_the_paper_is_read_whole(name: str, evaluations: int) -> None:
    found = load(name)
    reading = judge.read_one(found)
    assert found.evaluations == evaluations
    assert set(found.columns) == {"step", "lr", "momentum", "weight_decay", "train_loss", "accuracy", "val_loss"}
    assert not reading.abstained
    assert "divergence" not in {clue.kind for clue in reading.clues}  # each of them is a training that the paper reports as a success
    assert describe.headline(reading)
    assert len(describe.panels(judge.Found((reading,)))) == 2


def test_the_standard_training_of_imagenet_underfits_for_its_first_100_000_iterations(tmp_path: Path) -> None:
    """Smith 2018, 3.2, Fig. 3b and 4b: the loss "continues to decrease", by little beside all it has fallen."""
    lines = (FOLDER / "imagenet-resnet50-standard-lr0.1-m0.9-wd1e-4-145ep.csv").read_text().splitlines(keepends=True)
    begun = tmp_path / "begun.csv"
    begun.write_text("".join(lines[:201]))  # an evaluation every 500 iterations
    (found,) = files.load_all([begun], {})
    assert found.curve.step[-1] == 100_000
    assert {clue.kind for clue in judge.read_one(found).clues} == {"underfitting"}


def test_super_convergence_beats_the_standard_training_on_imagenet() -> None:
    """Smith 2018, Fig. 16a: 67.6% after 20 epochs of 1cycle against 63.7% after 130 of the standard policy."""
    fast, standard = (
        load("imagenet-resnet50-1cycle0.05-1-cm0.95-0.85-wd3e-6-20ep"),
        load("imagenet-resnet50-standard-lr0.1-m0.9-wd1e-4-145ep"),
    )
    found = judge.read_all([fast, standard]).comparison
    assert found is not None
    assert found.choice.status == "chosen"
    assert found.choice.value is not None
    assert found.members[found.choice.value] == (fast.curve.label,)
    scores = [describe.metric_or_loss(found, score) for _, score, _ in found.choice.scores]
    assert scores == pytest.approx([0.67, 0.637], abs=0.01)
