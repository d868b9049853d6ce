"""The user's own model, loss and metric: what does not fit is said in a line before the run begins, and trying it changes nothing."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpcheck.errors import InputError
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.identity import identify
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, freeze
from tests.support.engine_runs import MLP, RUN, computed, curves

SHORT = replace(RUN, steps=8, evaluate_after=(0, 4, 8))
OWN = replace(SHORT, model=PartSpec("own:build"))
HEAD = "import torch\nfrom torch import nn\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    from hpcheck.engine.pool import worker

    worker.of_this_process.cache_clear()


BAD = [
    (OWN, "def build(shape, outputs):\n    return 3", "model own:build returned a int; expected a torch.nn.Module"),
    (
        OWN,
        "def build(shape, outputs):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))",
        "model own:build gives outputs of shape (2, 5) for 2 examples; the data need (2, 10)",
    ),
    (
        OWN,
        "def build(shape, outputs):\n    return nn.Sequential(nn.Flatten(), nn.Linear(63, 10))",
        "model own:build does not take inputs of shape (2, 1, 8, 8)",
    ),
    (
        OWN,
        "class Two(nn.Linear):\n    def forward(self, x):\n        return x, x\ndef build(shape, outputs):\n    return Two(64, 10)",
        "model own:build gives a tuple; expected a tensor",
    ),
    (
        replace(SHORT, data=replace(RUN.data, loss="own:loss")),
        "def loss(outputs, y):\n    return outputs",
        "loss own:loss returned a tensor of shape (2, 10)",
    ),
    (replace(SHORT, data=replace(RUN.data, metric="own:metric")), "def metric(outputs, y):\n    return 'good'", "metric own:metric: "),
    (replace(SHORT, data=replace(RUN.data, metric="own:metric")), "def metric(outputs, y):\n    return outputs", "metric own:metric: "),
    (OWN, "def build(shape, outputs):\n    return nn.Flatten()", "model own:build has no parameters to train"),
    (OWN, "build = 3", "own.py has no function build"),
    (
        OWN,
        "class LightningModule(nn.Module): ...\n"
        "class Lit(LightningModule):\n    def __init__(self):\n        super().__init__()\n        self.net = nn.Linear(64, 10)\n"
        "    def training_step(self, batch, index): ...\n"
        "def build(shape, outputs):\n    return Lit()",
        "model own:build is a LightningModule, whose training_step would never be called here",
    ),
    (
        replace(SHORT, data=replace(RUN.data, loss="own:loss")),
        "def loss(outputs, y):\n    return nn.functional.cross_entropy(outputs @ outputs.T, torch.arange(len(outputs)))",
        "loss own:loss is no mean over examples",
    ),
    (
        replace(SHORT, data=replace(RUN.data, loss="own:loss")),
        "def loss(outputs, y):\n    return nn.functional.cross_entropy(outputs, y, reduction='sum')",
        "loss own:loss is no mean over examples",
    ),
]


@pytest.mark.parametrize(("spec", "source", "words"), BAD, ids=[words[:50] for _, _, words in BAD])
def test_what_does_not_fit_is_one_line_and_leaves_no_row(tmp_path: Path, spec: RunSpec, source: str, words: str) -> None:
    Path("own.py").write_text(HEAD + source)
    with pytest.raises(UsersCodeError) as caught:
        computed(spec, tmp_path)
    assert str(caught.value).startswith(words) or words in str(caught.value).splitlines()[0]
    assert all(path.read_bytes().count(b"\n") <= 1 for path in tmp_path.glob("*.jsonl"))


TABLE = """import numpy as np
def load():
    x = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    return (x, x[:, 0]), (x[:40], x[:40, 0])
def build(shape, outputs):
    return nn.Linear(3, outputs)
def loss(outputs, targets):
    return {}
"""
ON_TABLE = replace(OWN, data=DataSpec("own:load", loss="own:loss"))


@pytest.mark.parametrize("value", ["(outputs - targets).abs().mean()", "((targets - outputs) ** 2).mean()"])
def test_a_loss_that_sets_every_output_against_every_target_is_refused(tmp_path: Path, value: str) -> None:
    Path("own.py").write_text(HEAD + TABLE.format(value))
    with pytest.raises(
        UsersCodeError, match=r"loss own:loss gets outputs \(2, 1\) and targets \(2,\), and sets every output against every target"
    ):
        computed(ON_TABLE, tmp_path)


@pytest.mark.parametrize("outputs", ["outputs[:, 0]", "outputs.squeeze(1)", "outputs.flatten()", "outputs[..., 0]", "outputs.mean(-1)"])
def test_a_loss_that_knows_of_the_outputs_shape_is_not(tmp_path: Path, outputs: str) -> None:
    Path("own.py").write_text(
        HEAD
        + "import torch.nn.functional as F\n"
        + TABLE.format(f"(({outputs} - targets) ** 2).mean() + F.mse_loss(outputs, targets[:, None])")
    )
    assert computed(ON_TABLE, tmp_path).rows


def test_a_forward_that_raises_shows_their_frames_alone(tmp_path: Path) -> None:
    Path("own.py").write_text(
        HEAD
        + "class Bad(nn.Linear):\n    def forward(self, x):\n        return x.nonsense\ndef build(shape, outputs):\n    return Bad(64, 10)"
    )
    with pytest.raises(UsersCodeError) as caught:
        computed(OWN, tmp_path)
    assert "own.py:5: forward raised AttributeError" in str(caught.value)
    assert "hpcheck/" not in str(caught.value)


def test_trying_a_model_changes_neither_its_weights_nor_the_random_numbers(tmp_path: Path) -> None:
    Path("own.py").write_text("from hpcheck.models.mlp import build")
    ours = replace(SHORT, model=PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5})))
    theirs = replace(ours, model=PartSpec("own:build", ours.model.options))
    assert curves(computed(theirs, tmp_path)) == curves(computed(ours, tmp_path))
    assert curves(computed(replace(theirs, model=PartSpec("own:build", MLP.options)), tmp_path)) == curves(
        computed(replace(ours, model=MLP), tmp_path)
    )


def test_a_loss_that_weighs_classes_is_a_mean_over_examples(tmp_path: Path) -> None:
    source = "def loss(outputs, y):\n    return nn.functional.cross_entropy(outputs, y, weight=torch.arange(1.0, 11.0))"
    Path("own.py").write_text(HEAD + source)
    assert computed(replace(SHORT, data=replace(RUN.data, loss="own:loss")), tmp_path).rows


def test_a_network_whose_outputs_are_losses_is_trained(tmp_path: Path) -> None:
    """As an autoencoder's may be: the loss knows of no targets, so it cannot set outputs against other examples' ones."""
    network = "class Net(nn.Linear):\n    def forward(self, x):\n        return ((super().forward(x) - x) ** 2).mean(1, keepdim=True)\n"
    Path("own.py").write_text(HEAD + network + TABLE.format("outputs.mean()").replace("nn.Linear(3, outputs)", "Net(3, 3)"))
    assert computed(ON_TABLE, tmp_path).rows


READS = """from pathlib import Path
def build(shape, outputs):
    float(Path("scale.txt").read_text())
    return nn.Sequential(nn.Flatten(), nn.Linear(64, outputs))
"""


def test_a_file_that_the_builder_reads_must_be_declared_and_is_then_part_of_the_identity(tmp_path: Path) -> None:
    Path("own.py").write_text(HEAD + READS)
    Path("scale.txt").write_text("1.0")
    with pytest.raises(UsersCodeError, match=r"model own:build reads scale.txt, .*model.reads: \[scale.txt\]"):
        computed(OWN, tmp_path)
    said = replace(OWN, reads=("scale.txt",))
    before = computed(said, tmp_path).run_id
    Path("scale.txt").write_text("2.0")
    assert computed(said, tmp_path).run_id != before
    Path("scale.txt").unlink()
    with pytest.raises(InputError, match=r"model.reads: scale.txt cannot be read"):
        identify(said)
