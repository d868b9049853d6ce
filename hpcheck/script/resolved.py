"""A config with what its script told filled in: where to start from, how long to train, and how the optimizer is searched."""

from pathlib import Path

from hpcheck.config import Budget, Config, Momentum, Optimizer, Start, WdGrid
from hpcheck.errors import InputError
from hpcheck.script.description import Description, described, saved
from hpcheck.script.launch import Launcher
from hpcheck.terminal import stdout

_launchers: dict[tuple[str, ...], Launcher] = {}
_described: dict[tuple[str, ...], Description] = {}  # by command: what this process has looked at


def resolved(config: Config, launches: bool = True) -> Config:
    """The config with the script's own batch size, lr, momentum, weight decay and length where it gives none.

    `launches`: whether the script may be run to look at it; else what an earlier command saw is taken, and `InputError` raised where there
    is none.
    """
    assert config.script is not None
    description = _look(config, launches)
    _described[config.script] = description
    return _filled(config, description)


def placed(config: Config) -> Config:
    """The config with the script's metric and optimizer in it again: reading it from text has lost them."""
    assert config.script is not None
    return _with_parts(config, _described[config.script])


def known(config: Config) -> tuple[Description, int, int]:
    """The description of a config's script, the training examples of an epoch (of the whole budget, where it is counted in iterations) and
    the validation examples."""
    assert config.script is not None
    if config.script not in _described:
        _described[config.script] = _look(config, launches=False)
    description = _described[config.script]
    return description, examples(config, description), int(description.told["validation"])


def examples(config: Config, description: Description) -> int:
    """Training examples of an epoch; where the script does not say, so many that the budget is one epoch."""
    told = description.told
    if told["train_examples"] is not None:
        return int(told["train_examples"])
    steps = config.budget.steps or told["loops"].get("steps")
    if steps is None:
        raise InputError(
            "the length of the training is not known: give train_examples to hpcheck.follow, loop over hp.steps(N), or set budget.steps"
        )
    return int(steps) * int(config.start.total_batch_size)


def _look(config: Config, launches: bool) -> Description:
    assert config.script is not None
    folder, version = Path(config.run.dir) / config.name, config.script_version or ""
    if config.script in _described:
        return _described[config.script]
    found = saved(folder, config.script, version, config.script_reads, check=launches)
    if found is not None:
        return found
    if not launches:
        raise InputError(f"{folder}: the script has not been looked at yet; hpcheck lr-range or hpcheck run does")
    size = config.start.total_batch_size if "total_batch_size" in config.start.model_fields_set else None
    launcher = launcher_of(config)
    try:
        return described(config.script, config.seed, size, config.script_reads, version, config.run.timeout, launcher, _say)
    except BaseException:
        launcher.close()
        raise


def launcher_of(config: Config) -> Launcher:
    """What launches the config's command: one for the describe launch and all others of this process."""
    assert config.script is not None
    return _launchers.setdefault(config.script, Launcher(config.script))


def _filled(config: Config, description: Description) -> Config:
    """What the config does not give, as the script has it."""
    told, start = description.told, config.start
    own: dict[str, object] = {"total_batch_size": told["total_batch_size"]}
    if told["lr"]:
        own["max_lr"] = told["lr"]
    if told["weight_decay"] is not None:
        own["weight_decay"] = told["weight_decay"]
    if told["momentum"] is not None:
        own["momentum"] = {"max": told["momentum"], "min": told.get("least_momentum", told["momentum"])}
    given = {key: getattr(start, key) for key in start.model_fields_set}
    filled = Start.model_validate({**own, **given})
    config = config.model_copy(update={"start": filled})
    return _with_parts(_with_length(config, description), description)


def _with_length(config: Config, description: Description) -> Config:
    """The budget in epochs: the config's own, else what the script gave to `hp.epochs` or `hp.steps`."""
    loops, budget = description.told["loops"], config.budget
    an_epoch = examples(config, description) / config.start.total_batch_size
    if budget.steps is not None:
        epochs = budget.steps / an_epoch
    elif "epochs" in budget.model_fields_set:
        epochs = budget.epochs
    elif "steps" in loops:
        epochs = loops["steps"] / an_epoch
    elif "epochs" in loops:
        epochs = float(loops["epochs"])
    else:
        raise InputError(
            "the length of the training is not known: loop over hp.epochs(N) or hp.steps(N), or set budget.epochs or budget.steps"
        )
    return config.model_copy(update={"budget": Budget.model_validate({**budget.model_dump(), "epochs": epochs})})


def _with_parts(config: Config, description: Description) -> Config:
    """The optimizer's kind, the metric, and steps that do without what the script does not give."""
    told = description.told
    data = config.data.model_copy(update={"metric": told["metric"], "metric_is": told["metric_is"]})
    changed: dict[str, object] = {"data": data}
    if told["kind"]:
        changed["optimizer"] = Optimizer(name=told["kind"])
        if told["momentum"] is None:
            changed["momentum"] = Momentum.model_validate(
                {**config.momentum.model_dump(), "values": [0.0], "floor": 0.0, "cyclical": False}
            )
    if not told["snapshots"]:
        changed["wd_grid"] = WdGrid.model_validate({**config.wd_grid.model_dump(), "from_snapshot": False})
    return config.model_copy(update=changed)


def _say(words: str) -> None:
    stdout.tell(words)
