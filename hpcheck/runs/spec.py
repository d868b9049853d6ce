"""RunSpec: a frozen description of one training run, and the identity of a run by what it computes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from hpcheck.runs.schedules import Knots

ENGINE_SEMANTICS = 1  # raised whenever the engine computes something else from the same spec: old records are then not found
Options = tuple[tuple[str, Any], ...]


def freeze(options: Mapping[str, Any]) -> Options:
    """Options as a sorted, hashable tuple; lists become tuples."""
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in sorted(options.items()))


@dataclass(frozen=True)
class DataSpec:
    """Which data, and what is done to it before a model sees it. `name`, `root` and `options` say where it is found and are not part
    of a run's identity: the fingerprint of the contents is."""

    name: str
    root: str = ""
    options: Options = ()
    val_fraction: float = 0.1
    validate_on: str = "held-out"
    fit: str = "train"
    normalize: str = "standardize"
    augment: str = "none"
    limit: int | None = None
    loss: str = "auto"
    metric: str = "auto"
    crop: int | None = None
    targets: str = "none"  # "standardize": values of mean 0 and deviation 1 over those trained on
    metric_is: str = "higher"  # which values are better: says which weights are the best ones, and counts only where they are kept
    task: str = ""  # what trains: "" arrays with a module, "task" a task of the user's own, "lightning" a LightningModule


@dataclass(frozen=True)
class PartSpec:
    """A model or an optimizer: its name (shipped, or `pkg.module:function`) and its options."""

    name: str
    options: Options = ()


@dataclass(frozen=True)
class RunSpec:
    """One run. Steps count optimizer updates from 0; evaluations happen after the updates listed in `evaluate_after`.

    A run with a `parent` continues it: it starts from the parent's weights and velocity after `at_step` updates and goes on to `steps`;
    its schedules are counted from `at_step`.
    """

    data: DataSpec
    model: PartSpec
    optimizer: PartSpec
    total_batch_size: int
    steps: int
    lr: Knots
    momentum: Knots
    weight_decay: float
    evaluate_after: tuple[int, ...]
    eval_size: int | None = None  # examples of the fixed stratified subset; None: the whole validation set
    seed: int = 0
    init: str | None = None  # "xavier" or "msra" instead of the model's own (Smith 2018, A.1)
    precision: str = "fp32"
    bn_splits: int = 1  # BatchNorm statistics over this many equal parts of the batch
    parent: str | None = None
    at_step: int = 0
    finally_on: tuple[str, ...] = ()  # splits evaluated whole after the last step: "val", "test"
    reads: tuple[str, ...] = ()  # files that the user's own model reads; their contents are part of the run's identity
    label: str = field(default="", compare=False)  # for people: what the step wanted it for
    keep: str = field(default="", compare=False)  # "last": save weights and velocity at the end, to continue from; "best": the best too
    outcomes: bool = field(default=False, compare=False)  # keep what it does with each validation example at its end (runs/outcomes.py)

    @property
    def examples(self) -> int:
        """Training examples of its updates, where it does not diverge."""
        return (self.steps - self.at_step) * self.total_batch_size


@dataclass(frozen=True)
class TimingSpec:
    """Step time and memory of one model at several batch sizes, measured interleaved, with nothing else running (Smith 2018, 4.2)."""

    data: DataSpec
    model: PartSpec
    optimizer: PartSpec
    batch_sizes: tuple[int, ...]
    rounds: int = 5
    steps_a_round: int = 4
    precision: str = "fp32"
    bn_splits: int = 1
    devices: int = 1  # what a step takes depends on them, as a run's curve does not
    together: str = "auto"  # and on whether a GPU's runs are graphed: all but "off"
    reads: tuple[str, ...] = ()  # as a run's
    label: str = field(default="", compare=False)


Spec = RunSpec | TimingSpec
NOT_COMPUTED = {"label", "keep", "metric_is", "outcomes"}
WHERE_DATA_IS = {"name", "root", "options"}


def run_id(spec: Spec, data_fingerprint: str, entry_source: str = "") -> str:
    """16 hex digits that name what `spec` computes: the spec, the data's contents, the source of the user's own code and the engine's
    semantics. Where the data lies, labels, devices and library versions do not count
    (docs/design.md, "How a run is made, recorded and identified")."""
    identity = {
        "kind": type(spec).__name__,
        "spec": computed(spec),
        "data_fingerprint": data_fingerprint,
        "entry_source": entry_source,
        "engine_semantics": ENGINE_SEMANTICS,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def basis(data_fingerprint: str, entry_source: str) -> dict[str, Any]:
    """What a run's identity rests on beside its spec, for its record: so that whoever reads that can tell whether it gives its id."""
    return {"data": data_fingerprint, "code": entry_source, "semantics": ENGINE_SEMANTICS}


def gives(spec: Spec, identity: str, on: Any) -> bool:
    """Whether a record's spec and its `basis` give its id. One without (an older hpcheck's), or of other semantics, is believed."""
    if not isinstance(on, Mapping) or on.get("semantics") != ENGINE_SEMANTICS:
        return on is None or isinstance(on, Mapping)
    return run_id(spec, str(on.get("data")), str(on.get("code"))) == identity


def computed(spec: Spec) -> dict[str, Any]:
    """What of a spec counts for its identity: all but labels, defaults and where the data lie."""
    described = _told(spec)
    described["data"] = {key: value for key, value in _told(spec.data).items() if key not in WHERE_DATA_IS}
    if isinstance(spec, RunSpec) and spec.keep == "best" and spec.data.metric_is == "lower":
        described["best"] = spec.data.metric_is  # the weights kept are others, though the curve is the same
    return described


def _told(described: Any) -> dict[str, Any]:
    """The fields of a dataclass that say something: defaults are left out, so that a field added later changes no old identity."""
    values = ((item, getattr(described, item.name)) for item in fields(described) if item.name not in NOT_COMPUTED)
    return {item.name: _as_dict(value) for item, value in values if value != item.default}


def _as_dict(value: Any) -> Any:
    """A part of a spec as plain values; where it holds none of our classes it is left as it is, not copied."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def to_dict(spec: Spec) -> dict[str, Any]:
    """The spec as plain values, for a record's first line; where the data lies on this machine is left out."""
    described = {"kind": type(spec).__name__, **asdict(spec)}
    del described["data"]["root"]
    return described


def from_dict(described: Mapping[str, Any]) -> Spec:
    """The spec that `to_dict` described. Unknown keys raise `TypeError`: the record is of another version."""
    plain = {key: value for key, value in described.items() if key != "kind"}
    plain["data"] = DataSpec(**{**plain["data"], "options": _tuples(plain["data"]["options"])})
    for part in ("model", "optimizer"):
        plain[part] = PartSpec(plain[part]["name"], _tuples(plain[part]["options"]))
    if described["kind"] == "TimingSpec":
        return TimingSpec(**{**plain, "batch_sizes": tuple(plain["batch_sizes"]), "reads": tuple(plain.get("reads", ()))})
    for schedule in ("lr", "momentum"):
        plain[schedule] = Knots(_tuples(plain[schedule]["points"]), plain[schedule]["log"])
    listed = {name: tuple(plain.get(name, ())) for name in ("evaluate_after", "finally_on", "reads")}
    return RunSpec(**{**plain, **listed})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def can_be_cut(batch_size: int, parts: int) -> bool:
    """Whether a batch comes out in so many parts, equal but for a smaller last one, as `Tensor.chunk` has it.

    >>> can_be_cut(20, 8), can_be_cut(24, 8), can_be_cut(7, 8)  # 20 would be six parts of 3 and one of 2
    (False, True, False)
    """
    return (parts - 1) * -(-batch_size // parts) < batch_size


def evenly(steps: int, count: int, first: int = 0) -> tuple[int, ...]:
    """`count` evaluation points spread evenly over steps `first`+1 .. `steps`, the last one included."""
    count = min(count, steps - first)
    return tuple(first + round((steps - first) * (index + 1) / count) for index in range(count))
