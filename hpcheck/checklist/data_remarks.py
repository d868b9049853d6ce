"""What a person should look at in the data before a search: one line each, and never a refusal."""

import numpy as np
from numpy.typing import NDArray

from hpcheck.data.arrays import Arrays, Raw
from hpcheck.data.prepare import split, task_and_outputs, units_of
from hpcheck.data.streamed import Streamed
from hpcheck.plugins import find
from hpcheck.runs.spec import DataSpec

LARGE_TARGETS, SMALL_TARGETS = 10.0, 0.1  # ours, by reasoning: an MSE of 100 or of 0.01 moves the best lr by that factor
OVERLAPS = 0.01  # ours: share of the validation rows that are in training too, from which on it is said; a few stray doubles are not
MOST_ROWS, MOST_BYTES = 100_000, 64 * 2**20  # ours: of each split are compared, evenly spread: at most about a second
FEWEST_ROWS = 20  # ours: of validation, below which neither a missing class nor a few shared rows say anything
NAMED = 3  # classes that are named one by one
LOOKED_AT = 10_000  # ours: targets that are looked at, evenly spread


def remarks(raw: Raw, spec: DataSpec) -> tuple[str, ...]:
    """All that is remarked of these data as the spec splits them."""
    task = task_and_outputs(raw)[0]
    rows = {name: Arrays(np.arange(len(arrays))[:, None], arrays.y) for name, arrays in raw.splits().items()}  # so that none is copied
    train, val = split(Raw(rows["train"], rows.get("val"), rows.get("test")), spec.val_fraction, spec.validate_on, spec.limit)
    other = raw.test if spec.validate_on == "test" else raw.val
    held_out = (raw.train if other is None else other).x
    found = [
        *_kind_of_targets(raw.train, task, find.is_users_own(spec.loss)),
        *(_scale(train.y, spec.targets) if task == "regression" else ()),
        *(_classes(raw, train.y, val.y) if task == "classes" else ()),
        *_shared_rows(raw.train.x, train.x[:, 0], held_out, val.x[:, 0]),
    ]
    return tuple(f"data: {one}" for one in found)


def _kind_of_targets(train: Arrays, task: str, own_loss: bool) -> list[str]:
    """Targets whose type says another task than their values do. A loss of the user's own knows what they are."""
    y = train.y[_spread(len(train), LOOKED_AT)]
    if own_loss or not bool(((y == 0) | (y == 1)).all()):
        return []
    one_hot = y.ndim == 2 and y.shape[1] > 1 and bool((y.sum(axis=1) == 1).all())
    reads_tokens = train.x.ndim == 2 and np.issubdtype(train.x.dtype, np.integer)
    if task == "tokens" and one_hot and not reads_tokens:
        return [
            f"integer targets {y.shape[1:]} are one-hot rows and are read as {y.shape[1]} targets each; give class numbers, y.argmax(1)"
        ]
    if task == "regression" and one_hot:
        return ["the targets are one-hot rows of floats, so this is regression by MSE; to classify, give class numbers, y.argmax(1)"]
    if task == "regression" and len(np.unique(y)) == 2:
        return ["the targets are 0.0 and 1.0, so this is regression by MSE; to classify, give integers, y.astype(int)"]
    return []


def _scale(y: NDArray[np.generic], targets: str) -> list[str]:
    """Values far from unit scale: then no usual lr fits, and a network spends its training on their mean. Of standardized ones, how they
    come back into their own unit."""
    if targets == "standardize":
        units = units_of(y, "regression")
        own_mean, own_deviation = (np.array2string(one, precision=6, separator=", ") for one in (units.mean, units.deviation))
        return [f"targets are standardized: a network's output y stands for y * {own_deviation} + {own_mean}"]
    values = y.reshape(len(y), -1).astype(np.float64)  # (N, K)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    size = np.maximum(np.abs(mean), deviation)
    worst = int(np.argmax(size))
    if size[worst] <= LARGE_TARGETS:
        worst = int(np.argmin(deviation))
        if not 0 < deviation[worst] < SMALL_TARGETS:
            return []
    which = f"target {worst} has" if values.shape[1] > 1 else "the targets have"
    said = f"{which} mean {mean[worst]:.2g} and deviation {deviation[worst]:.2g}"
    return [f"{said}; standardize the targets (data.targets: standardize), or scale them in your loader"]


def _classes(raw: Raw, train: NDArray[np.generic], val: NDArray[np.generic]) -> list[str]:
    """Classes that are counted from 1 or more, and those that only one of the two splits has."""
    found = []
    first = min(int(arrays.y.min()) for arrays in raw.splits().values())
    if first > 0:
        count = "an output" if first == 1 else f"{first} outputs"
        found.append(f"the classes are counted from {first}, so the network has {count} that no example needs; subtract {first}")
    trained, validated = np.unique(train), np.unique(val)
    if len(missing := np.setdiff1d(trained, validated)) and len(val) >= FEWEST_ROWS:
        found.append(f"{_named(raw, missing)} of training {_is(missing)} in no validation example; shuffle before you split")
    if len(unseen := np.setdiff1d(validated, trained)):
        found.append(f"{_named(raw, unseen)} of validation {_is(unseen)} in no training example, so nothing can learn it")
    return found


def _named(raw: Raw, classes: NDArray[np.generic]) -> str:
    names = [raw.classes[int(one)] if raw.classes and int(one) < len(raw.classes) else str(one) for one in classes[:NAMED]]
    more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
    return f"class{'es' if len(classes) > 1 else ''} {', '.join(names)}{more}"


def _is(classes: NDArray[np.generic]) -> str:
    return "are" if len(classes) > 1 else "is"


def _shared_rows(x: NDArray[np.generic], train: NDArray[np.generic], held_out: NDArray[np.generic], val: NDArray[np.generic]) -> list[str]:
    """Validation rows whose inputs are a training row's too. Of large data a part is compared, so that there may be more."""
    if isinstance(x, Streamed) or isinstance(held_out, Streamed) or len(val) < FEWEST_ROWS:
        return []
    most = min(MOST_ROWS, max(1, MOST_BYTES // max(x[0].nbytes, 1)))
    trained, validated = train[_spread(len(train), most)], val[_spread(len(val), most)]
    known = {hash(x[row].tobytes()) for row in trained}
    shared = sum(hash(held_out[row].tobytes()) in known for row in validated)
    if shared < OVERLAPS * len(validated):
        return []
    least = "at least " if len(trained) < len(train) else ""
    return [
        f"{least}{shared / len(validated):.0%} of the validation rows are in training too, so validation says too little of new examples"
    ]


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """So many places of `count`, evenly spread; all of them where there are fewer.

    >>> _spread(3, 10).tolist(), _spread(10, 3).tolist()
    ([0, 1, 2], [0, 4, 9])
    """
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.intp)
