"""Code to paste: executed, it gives the schedules that hpcheck itself trains with."""

import ast
import importlib.util
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hpcheck.errors import InputError
from hpcheck.optimizers.groups import parameter_groups, set_hyper
from hpcheck.recommendation import snippets
from hpcheck.runs.identity import declares_multipliers
from hpcheck.runs.schedules import cyclical_momentum, one_cycle, values

EXAMPLES = 1078
SETTINGS: dict[str, Any] = {
    "total_batch_size": 128,
    "learning_rate": {"policy": "1cycle", "max": 0.2, "min": 0.02, "final": 2e-5, "cycle_epochs": 89.8, "epochs": 100.0},
    "momentum": {"max": 0.95, "min": 0.85},
    "weight_decay": 1e-3,
}
STEPS, STEPSIZE = 842, 378


def train_set() -> range:
    return range(EXAMPLES)


def lived_through(snippet: str) -> tuple[list[float], list[float], dict[str, Any]]:
    """The lr and momentum that each update of an executed snippet is made with."""
    lrs: list[float] = []
    momenta: list[float] = []

    def watch(optimizer: torch.optim.Optimizer, *_: object) -> None:
        group = optimizer.param_groups[0]
        lrs.append(group["lr"])
        momenta.append(group["betas"][0] if "betas" in group else group["momentum"])

    model = torch.nn.Linear(2, 1)
    names: dict[str, Any] = {"model": model, "train_set": train_set()}
    before_loop, loop = snippet.split("for step in range(steps):")
    exec(before_loop, names)
    model(torch.ones(1, 2)).sum().backward()
    names["optimizer"].register_step_pre_hook(watch)
    exec("for step in range(steps):" + loop, names)
    return lrs, momenta, names


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_pytorch_snippet_gives_hpchecks_own_schedules(optimizer: str) -> None:
    lrs, momenta, names = lived_through(snippets.pytorch(SETTINGS, optimizer))
    assert (names["steps"], names["stepsize"]) == (STEPS, STEPSIZE)
    np.testing.assert_allclose(lrs, values(one_cycle(0.2, 0.02, STEPSIZE, STEPS), STEPS), rtol=1e-12)
    np.testing.assert_allclose(momenta, values(cyclical_momentum(0.95, 0.85, STEPSIZE, STEPS), STEPS), rtol=1e-12)
    assert names["optimizer"].param_groups[0]["weight_decay"] == 1e-3


def test_a_constant_momentum_stays_constant_in_the_snippet() -> None:
    constant = SETTINGS | {"momentum": {"max": 0.9, "min": 0.9}}
    assert set(lived_through(snippets.pytorch(constant))[1]) == {0.9}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_onecyclelr_is_told_so_that_it_differs_by_less_than_the_floor(optimizer: str) -> None:
    lrs, momenta, _ = lived_through(snippets.onecycle(SETTINGS, optimizer))
    ours = values(one_cycle(0.2, 0.02, STEPSIZE, STEPS), STEPS)
    assert np.abs(np.array(lrs) - ours).max() <= 2e-5 * (1 + 1e-9)
    assert lrs[0] == pytest.approx(0.02)
    assert int(np.argmax(lrs)) == STEPSIZE
    assert lrs[-1] == pytest.approx(2e-5)
    cycle = values(cyclical_momentum(0.95, 0.85, STEPSIZE, STEPS), STEPS)
    np.testing.assert_allclose(momenta[: 2 * STEPSIZE], cycle[: 2 * STEPSIZE], rtol=1e-9)
    assert set(np.round(momenta[2 * STEPSIZE :], 9)) == {0.95}


@pytest.mark.parametrize("name", ["pytorch", "onecycle", "lightning", "hf"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_every_python_snippet_parses_and_has_readable_lines(name: str, optimizer: str) -> None:
    text = snippets.write(name, SETTINGS, optimizer, {})
    ast.parse(text)
    assert max(map(len, text.splitlines())) <= 100


def test_plain_momentum_is_kept_plain() -> None:
    assert "nesterov=False" in snippets.write("pytorch", SETTINGS, "sgd", {"nesterov": False})
    assert "--opt momentum" in snippets.write("timm", SETTINGS, "sgd", {"nesterov": False})


def test_an_optimizer_of_ones_own_gets_the_sgd_snippet() -> None:
    assert "torch.optim.SGD" in snippets.write("pytorch", SETTINGS, "entry:optimizer", {})


def test_without_a_learning_rate_there_is_no_snippet() -> None:
    nothing = {key: value for key, value in SETTINGS.items() if key != "learning_rate"}
    with pytest.raises(InputError, match="hpcheck lr-range"):
        snippets.write("pytorch", nothing, "sgd", {})


def test_for_another_policy_there_is_no_snippet() -> None:
    constant = SETTINGS | {"learning_rate": {"policy": "constant", "max": 0.1, "epochs": 10.0}}
    with pytest.raises(ValueError, match="policy is constant, and snippets are written for 1cycle alone"):
        snippets.write("pytorch", constant, "sgd", {})


def test_each_snippet_says_where_it_differs() -> None:
    assert snippets.DIFFERENCES.keys() == snippets.SNIPPETS.keys() == snippets.TITLES.keys()
    for name in snippets.SNIPPETS:
        always = list(snippets.DIFFERENCES[name])
        assert snippets.differences(name, "adamw", {}) == snippets.differences(name, "sgd", {"velocity": "pytorch"}) == always
        assert "Caffe's velocity" in snippets.differences(name, "sgd", {"velocity": "caffe"})[-1]
        assert "Your own optimizer's place" in snippets.differences(name, "own:build", {"velocity": "caffe"})[-1]


def timm_arguments() -> dict[str, str | bool]:
    """The command line's options as train.py would take them."""
    words = shlex.split(snippets.timm(SETTINGS).split("train.py", 1)[1].replace("\\\n", " "))
    given: dict[str, str | bool] = {}
    for at, word in enumerate(words):
        if word.startswith("--"):
            follows = words[at + 1] if at + 1 < len(words) and not words[at + 1].startswith("--") else True
            given[word.removeprefix("--").replace("-", "_")] = follows
    return given


def test_timms_command_line_counts_the_tail_as_cool_down() -> None:
    given = timm_arguments()
    assert (given["warmup_epochs"], given["epochs"], given["cooldown_epochs"]) == ("45", "45", "10")
    assert (given["lr"], given["warmup_lr"], given["min_lr"]) == ("0.2", "0.02", "2e-05")


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
def test_timms_scheduler_follows_1cycle_to_half_an_epoch() -> None:
    from timm.scheduler import create_scheduler

    given = timm_arguments()
    whole = {key: int(str(given[key])) for key in ("epochs", "warmup_epochs", "cooldown_epochs")}
    real = {key: float(str(given[key])) for key in ("lr", "warmup_lr", "min_lr", "decay_rate")}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=real["lr"])
    arguments = SimpleNamespace(sched="poly", warmup_prefix=True, sched_on_updates=True, **whole, **real)
    per_epoch = 10
    scheduler, epochs = create_scheduler(arguments, optimizer, updates_per_epoch=per_epoch)
    assert epochs == 100
    lrs = []
    for update in range(epochs * per_epoch):
        lrs.append(optimizer.param_groups[0]["lr"])
        scheduler.step_update(update + 1)
    ours = values(one_cycle(0.2, 0.02, 45 * per_epoch, epochs * per_epoch), epochs * per_epoch)
    assert np.abs(np.array(lrs) - ours).max() <= 2e-5 * 1.001


@pytest.mark.skipif(importlib.util.find_spec("lightning") is None, reason="lightning is not installed")
@pytest.mark.filterwarnings("ignore")
def test_lightning_trains_with_the_snippets_schedule(tmp_path: Any) -> None:
    import lightning

    short = SETTINGS | {"learning_rate": SETTINGS["learning_rate"] | {"cycle_epochs": 4.0, "epochs": 5.0}, "total_batch_size": 8}
    names: dict[str, Any] = {"train_set": range(64)}
    exec(snippets.lightning(short).rsplit("trainer = ", 1)[0], names)
    seen: list[tuple[float, float]] = []

    class Model(names["OneCycle"]):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            group = self.optimizers().param_groups[0]
            seen.append((group["lr"], group["momentum"]))
            return self.layer(batch).sum()

    loader = torch.utils.data.DataLoader(torch.zeros(64, 2), batch_size=8)
    trainer = lightning.Trainer(
        max_steps=names["steps"],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        accelerator="cpu",
        default_root_dir=tmp_path,
    )
    trainer.fit(Model(), loader)
    lrs, momenta = zip(*seen, strict=True)
    np.testing.assert_allclose(lrs, values(one_cycle(0.2, 0.02, 16, 40), 40), rtol=1e-9)
    np.testing.assert_allclose(momenta, values(cyclical_momentum(0.95, 0.85, 16, 40), 40), rtol=1e-9)


def test_adams_own_options_are_the_configs() -> None:
    options = {"beta2": 0.98, "eps": 1e-6}
    assert "betas=(MAX_MOMENTUM, 0.98), eps=1e-06," in snippets.write("pytorch", SETTINGS, "adamw", options)
    assert " 0.98 --opt-eps 1e-06 " in snippets.write("timm", SETTINGS, "adamw", options)


@pytest.mark.parametrize("name", ["pytorch", "onecycle"])
def test_a_models_multipliers_are_in_the_code_and_no_others(name: str) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    model[1].hyper_multipliers = {"weight": (2.0, 250.0), "bias": (2.0, 0.0)}  # type: ignore[assignment]
    text = snippets.write(name, SETTINGS, "sgd", {}, multiplied=True)
    names: dict[str, Any] = {"model": model, "train_set": train_set()}
    exec(text.split("for step in range(steps):")[0], names)
    ours = parameter_groups(model)
    set_hyper(torch.optim.SGD(ours, lr=0.1, momentum=0.9), 0.02, 0.95, 1e-3)  # as hpcheck's own runs begin
    theirs = names["optimizer"].param_groups
    assert [len(group["params"]) for group in theirs] == [len(group["params"]) for group in ours]
    for group, own in zip(theirs, ours, strict=True):
        assert (group["lr"], group["weight_decay"]) == pytest.approx((own["lr"], own["weight_decay"]))


def test_multipliers_are_known_by_the_models_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert declares_multipliers("shallow3")
    assert not declares_multipliers("mlp")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_networks.py").write_text("def build(shape, outputs):\n    net.hyper_multipliers = {}\n")
    assert declares_multipliers("my_networks:build")
    assert any("hyper_multipliers" in line for line in snippets.differences("timm", "sgd", {}, multiplied=True))
