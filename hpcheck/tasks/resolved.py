"""A config with what its task told filled in: where to start from, how long an epoch is, and how the optimizer is searched."""

from pathlib import Path

from hpcheck.config import Budget, Config, Momentum, Optimizer, Start
from hpcheck.errors import InputError
from hpcheck.tasks.description import Description, about, described, saved
from hpcheck.terminal import stdout

_described: dict[str, Description] = {}  # what this process has looked at


def resolved(config: Config, launches: bool = True) -> Config:
    """The config with the task's own batch size, lr, momentum and weight decay where it gives none.

    `launches`: whether a worker may look at the task; else what an earlier command saw is taken, and `InputError` raised where there is
    none.
    """
    return _filled(config, _look(config, launches))


def placed(config: Config, told_of: Config) -> Config:
    """The config with the task's metric and optimizer in it again, which reading it from text has lost."""
    description = _described[about(told_of)]
    _described[about(config)] = description
    return _with_parts(config, description)


def known(config: Config) -> tuple[Description, int, int]:
    """The description of a config's task, the training examples of an epoch and the validation examples."""
    description = _look(config, launches=False)
    return description, examples(config, description), int(description.told["validation"])


def examples(config: Config, description: Description) -> int:
    """Training examples of an epoch; where nobody knows them, so many that the budget is one epoch."""
    if description.told["train_examples"] is not None:
        return int(description.told["train_examples"])
    if config.budget.steps is None:
        raise InputError(
            f"{config.model.name}: the training loader does not say how many examples an epoch has; "
            "give the task an attribute train_examples, or set budget.steps"
        )
    return config.budget.steps * config.start.total_batch_size


def _look(config: Config, launches: bool) -> Description:
    key = about(config)
    if key not in _described:
        folder = Path(config.run.dir) / config.name
        found = None if launches else saved(folder, config)
        if found is None and not launches:
            raise InputError(f"{folder}: the task has not been looked at yet; hpcheck lr-range or hpcheck run does")
        _described[key] = found or _described_anew(config)
    return _described[key]


def _described_anew(config: Config) -> Description:
    description, seconds = described(config)
    stdout.tell(f"{config.model.name}: {description.words()} ({seconds:.1f} s to look at it)")
    for words in description.told["remarks"]:
        stdout.tell(f"{config.model.name}: {words}")
    if not description.repeats:
        stdout.tell(f"{config.model.name}: its examples are not the same twice with one seed, so comparisons are not paired")
    return description


def _filled(config: Config, description: Description) -> Config:
    """What the config does not give, as the task has it."""
    told, start = description.told, config.start
    own: dict[str, object] = {"total_batch_size": told["total_batch_size"]}
    if told["optimizer"]:
        own |= {"max_lr": told["lr"], "weight_decay": told["weight_decay"]} if told["lr"] else {"weight_decay": told["weight_decay"]}
        if told["momentum"] is not None:
            own["momentum"] = {"max": told["momentum"], "min": told.get("least_momentum", told["momentum"])}
    given = {key: getattr(start, key) for key in start.model_fields_set}
    filled = config.model_copy(update={"start": Start.model_validate({**own, **given})})
    _described[about(filled)] = description
    return _with_parts(_with_length(filled, description), description)


def _with_length(config: Config, description: Description) -> Config:
    """The budget in epochs, and the whole validation set where no part of it can be taken."""
    budget, told = config.budget.model_dump(), description.told
    if config.budget.steps is not None:
        budget["epochs"] = config.budget.steps * config.start.total_batch_size / examples(config, description)
    examples(config, description)
    if not told["thinned"]:
        if budget["eval_size"] is not None and budget["eval_size"] < told["validation"]:
            raise InputError(
                f"budget.eval_size: is {budget['eval_size']}, but the validation loader is no DataLoader over indexed examples, so all "
                f"{told['validation']} are evaluated; leave it out"
            )
        budget["eval_size"] = told["validation"]
    return config.model_copy(update={"budget": Budget.model_validate(budget)})


def _with_parts(config: Config, description: Description) -> Config:
    """The metric, and the kind of optimizer that the search is for."""
    told = description.told
    data = config.data.model_copy(update={"metric": told["metric"], "metric_is": told["metric_is"]})
    changed: dict[str, object] = {"data": data}
    if told["optimizer"]:
        own, given = config.optimizer, config.optimizer.model_fields_set or config.optimizer.options()  # an empty section says nothing
        if given and own != Optimizer(name=told["kind"]):
            raise InputError(
                f"optimizer: stands beside {config.model.name}, which makes its own {told['optimizer']}; "
                "leave one of the two out (the method optimizer, or the section)"
            )
        changed["optimizer"] = Optimizer(name=told["kind"])
        if told["momentum"] is None:
            changed["momentum"] = Momentum.model_validate(
                {**config.momentum.model_dump(), "values": [0.0], "floor": 0.0, "cyclical": False}
            )
    return config.model_copy(update=changed)
