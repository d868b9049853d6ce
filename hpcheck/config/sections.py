"""The sections of a config: every key with its type, range, default and meaning. The one description; all else follows from it."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from hpcheck.config.problems import LOADER_KEYS
from hpcheck.config.run_section import Run
from hpcheck.config.types import (
    LEAST_TRAININGS,
    Command,
    Count,
    Epochs,
    Evals,
    Flag,
    Loss,
    Metric,
    MomentumValue,
    NotNegative,
    OneOrMore,
    OpenFraction,
    PeakMomentum,
    Positive,
    Repeats,
    RunName,
    Section,
    Seed,
    Several,
    Share,
    ShortRun,
    Some,
    SubFolder,
    Text,
    Trainings,
    refused,
)
from hpcheck.plugins import find
from hpcheck.plugins.search_space import search_of

Extremes = Literal["max/10", "max/20", "max/3", "max/4", "runs"]
Baseline = Literal["start", "step", "inv", "constant", "schedule-free", "prodigy"]
Policy = Literal["1cycle", "constant", "step", "inv", "exp"]


def folder_of_data(given: str | None = None) -> Path:
    """The folder that data sets lie in: the one given, else $HPCHECK_DATA, else ./data."""
    return Path(given or os.environ.get("HPCHECK_DATA") or "data").expanduser()


class Part(Section):
    """A block whose further keys are options of what it names (checked by `problems.of_parts`)."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    def options(self) -> dict[str, Any]:
        """The keys given beyond the described ones: options of the loader or builder."""
        return dict(self.__pydantic_extra__ or {})


class Data(Part):
    """What is learned from. Further keys are options of the loader; a bare string is short for {name: ...}."""

    name: Text = Field(description="A data set that hpcheck ships, or your own loader: pkg.module:function")
    root: Text | None = Field(default=None, description="Folder that data sets lie in; null: $HPCHECK_DATA, else ./data")
    folder: SubFolder | None = Field(default=None, description="Sub-folder of root that image-folder reads")
    val_fraction: OpenFraction = Field(default=0.1, description="Share of the training split held out for validation")
    validate_on: Literal["held-out", "test"] = Field(
        default="held-out", description="What curves are measured on; test is what the paper does"
    )
    normalize: Literal["standardize", "mean-image", "unit", "none"] = Field(default="standardize", description="How inputs are scaled")
    targets: Literal["none", "standardize"] = Field(
        default="none", description="How values to predict are scaled for training: losses are in units of their variance"
    )
    augment: Literal["none", "mirror", "mirror-crop"] = Field(default="none", description="Random changes of training images")
    image_size: Count | None = Field(default=None, description="Side in pixels that images are resized to; null: as they are")
    stream: Flag | None = Field(default=None, description="image-folder: decode images when they are needed; null: all into memory")
    crop: Count | None = Field(default=None, description="Side of the squares cut out of images: at random to train, else the centre")
    limit: Count | None = Field(default=None, description="Training examples used at most; null: all")
    loss: Loss = Field(default="auto", description="auto, cross_entropy, mse, or your own pkg.module:function")
    metric: Metric = Field(default="auto", description="auto, accuracy, r2, or your own pkg.module:function")
    metric_is: Literal["higher", "lower"] = Field(default="higher", description="Which values of the metric are better")

    @field_validator("metric_is")
    @classmethod
    def _of_a_known_metric(cls, direction: str, info: ValidationInfo) -> str:
        metric = str(info.data.get("metric", "auto"))
        if direction == "lower" and not find.is_users_own(metric):
            raise refused(f"data.metric is {metric}, of which more is better", "higher, or a data.metric of your own")
        return direction

    def options(self) -> dict[str, Any]:
        """The keys given beyond the described ones, with those of some loaders where they are given: options of the loader."""
        given = {key: value for key in LOADER_KEYS if (value := getattr(self, key)) is not None}
        return given | super().options()

    def data_root(self) -> Path:
        """The folder that data sets lie in, `root` where it is given."""
        return folder_of_data(self.root)


class Model(Part):
    """What learns. Further keys are options of the builder; a bare string is short for {name: ...}."""

    name: Text = Field(description="A model that hpcheck ships, or your own builder: pkg.module:function")
    reads: Some[Text] = Field(default=(), description="Files that your own builder reads; if they change, runs are made anew")


class Task(Part):
    """What trains, in your own class. Further keys are arguments of it; a bare string is short for {name: ...}."""

    name: Text | None = Field(default=None, description="Your own class with build, loaders and steps: pkg.module:Task")
    lightning: Text | None = Field(default=None, description="A LightningModule instead (hpcheck[lightning]): pkg.module:Lit")
    data: Text | None = Field(default=None, description="Its LightningDataModule: pkg.module:DataModule")
    loss: Text | None = Field(default=None, description="The validation loss as the LightningModule logs it; null: what ends in loss")
    metric: Text | None = Field(default=None, description="The metric as it logs it; null: the one other value that it logs")
    metric_is: Literal["higher", "lower"] | None = Field(
        default=None, description="Which values of it are better; null: by its name (loss and error: lower)"
    )
    reads: Some[Text] = Field(default=(), description="Files and folders that it reads; if they change, runs are made anew")


class Optimizer(Part):
    """How weights are updated. Further keys are options of the optimizer; a bare string is short for {name: ...}."""

    name: Text = Field(default="sgd", description="sgd, adamw, or your own builder: pkg.module:function")


class Budget(Section):
    """How long runs are, and how often they are measured."""

    epochs: Epochs = Field(default=25.0, description="Length of the full training, in epochs")
    hold: Literal["time", "epochs"] = Field(
        default="time", description="What another batch size keeps of the full training: its execution time, or its epochs"
    )
    short_steps: ShortRun | None = Field(default=None, description="Iterations of one short run; null: derived from the budget")
    evals: Evals | None = Field(default=None, description="Evaluations in a short run; null: 25, or 50 where they stay cheap")
    eval_size: Count | None = Field(default=None, description="Validation examples used during runs; null: so many that it stays cheap")
    steps: Count | None = Field(
        default=None, description="Length in iterations at start's batch size, of a script or a task; null: by epochs"
    )


class MomentumRange(Section):
    """The largest and smallest momentum of a cycle. A bare number is short for both."""

    max: PeakMomentum = Field(default=0.95, description="Momentum while the learning rate is small; 1 only for train.momentum rising")
    min: MomentumValue = Field(default=0.85, validate_default=True, description="Momentum where the learning rate is largest")

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, given: Any) -> Any:
        if isinstance(given, bool) or not isinstance(given, int | float):
            return given
        if not 0 <= given < 1:  # said once, not of both keys
            raise refused("out of range", "a number >= 0 and < 1")
        return {"max": given, "min": given}

    @field_validator("min")
    @classmethod
    def _ordered(cls, least: float, info: ValidationInfo) -> float:
        most = info.data.get("max")
        if most is not None and least > most:
            raise refused("reversed range", f"at most max, {most}")
        return least


class Start(Section):
    """What you use today: where the checklist starts from, and what it is compared with."""

    total_batch_size: Count = Field(default=128, description="Examples in one update, over all devices")
    max_lr: Positive | None = Field(default=None, description="Largest learning rate you use today; used if none has been read")
    min_lr: Positive | None = Field(default=None, description="Where a cycle up to max_lr begins; null: by lr_range.min_lr_rule")
    weight_decay: NotNegative = Field(default=1e-4, description="Weight decay you use today")
    momentum: MomentumRange = Field(default=MomentumRange(), description="Momentum you use today")

    @field_validator("min_lr")
    @classmethod
    def _cycle_ordered(cls, least: float | None, info: ValidationInfo) -> float | None:
        most = info.data.get("max_lr")
        if least is not None and (most is None or least >= most):
            raise refused("without a larger max_lr", "less than start.max_lr, which must be given with it")
        return least


class LrRange(Section):
    """The learning rate range test (Smith 2018, 4.1)."""

    min: NotNegative | None = Field(default=None, description="Learning rate that the ramp starts from; null: a hundredth of its end")
    max: Positive | None = Field(default=None, description="Learning rate that the ramp ends at; given: no logarithmic sweep")
    steps: ShortRun | None = Field(default=None, description="Iterations of the ramp; null: derived from the budget")
    sweep_from: Positive | None = Field(default=None, description="Where the logarithmic sweep starts; null: 1e-5 for sgd")
    sweep_to: Positive | None = Field(default=None, description="Where the logarithmic sweep ends; null: 10 for sgd")
    sweep_steps: ShortRun | None = Field(default=None, description="Iterations of the logarithmic sweep; null: derived from the budget")
    max_extensions: Several = Field(default=2, description="How often the range may be extended when nothing turned")
    momentum: Literal["falling", "constant"] = Field(default="falling", description="Momentum while the learning rate rises")
    min_lr_rule: Extremes | None = Field(
        default=None, description="Smallest lr of a cycle; runs: by short runs at constant lr; null: max/10 for 1cycle, else max/4"
    )
    policy: Literal["1cycle", "triangular", "triangular2", "exp_range"] = Field(default="1cycle", description="Shape of the cycle")
    weight_decays: Some[NotNegative] = Field(default=(), description="Weight decays to overlay (Smith 2018, Fig. 4a, 5b)")
    cycles: Flag = Field(default=True, description="Short 1cycles find max_lr about the limit; false: range tests alone, no lr is set")

    @field_validator("max")
    @classmethod
    def _range_ordered(cls, most: float | None, info: ValidationInfo) -> float | None:
        return _above(most, info, "min")

    @field_validator("sweep_to")
    @classmethod
    def _sweep_ordered(cls, most: float | None, info: ValidationInfo) -> float | None:
        return _above(most, info, "sweep_from")

    def sweep_ends(self, optimizer: str) -> tuple[float, float]:
        """Where the logarithmic sweep starts and ends: as given, else what is usual for the optimizer."""
        low, high = search_of(optimizer).sweep
        return self.sweep_from or low, self.sweep_to or high


class Batch(Section):
    """Batch sizes, compared at equal execution time (Smith 2018, 4.2)."""

    max_size: Count | None = Field(default=None, description="Largest batch size to try; null: what fits in memory")
    sizes: OneOrMore[Count] | None = Field(default=None, description="Batch sizes to try; null: a half, one, two and four times start's")
    steps: ShortRun | None = Field(default=None, description="Iterations at start's batch size; null: derived from the budget")

    @field_validator("sizes")
    @classmethod
    def _within(cls, sizes: tuple[int, ...] | None, info: ValidationInfo) -> tuple[int, ...] | None:
        limit = info.data.get("max_size")
        if sizes and limit is not None and max(sizes) > limit:
            raise refused("holds a size above batch.max_size", f"sizes <= {limit}")
        return sizes


class Momentum(Section):
    """Momenta, each judged at its own best learning rate; then cyclical against constant (Smith 2018, 4.3)."""

    cyclical: Flag = Field(default=True, description="Whether falling and rising momentum are tried too")
    values: OneOrMore[MomentumValue] | None = Field(
        default=None, description="Momenta to try; a single one is taken unread; null: 0.9 to 0.99, for adamw (beta1) 0.85 to 0.95"
    )
    floor: MomentumValue = Field(default=0.85, validate_default=True, description="Where cyclical momentum falls to")
    other_floor: MomentumValue | None = Field(default=None, description="Another floor to compare with it, such as 0.8; null: none")
    constant: MomentumValue | None = Field(
        default=None, description="Constant momentum that falling and rising are compared with; null: their largest"
    )
    over: Literal["cycle", "range"] = Field(
        default="cycle", description="Shapes are compared over a short 1cycle, or a range test (Smith 2018, Fig. 7c, 14a)"
    )
    steps: ShortRun | None = Field(default=None, description="Iterations of one short run; null: derived from the budget")

    @field_validator("floor")
    @classmethod
    def _below_values(cls, floor: float, info: ValidationInfo) -> float:
        values = info.data.get("values")
        if values and info.data.get("cyclical") and floor > max(values):
            raise refused("above every value to try", f"at most {max(values)}, the largest of momentum.values")
        return floor


class WdGrid(Section):
    """The grid search for weight decay (Smith 2018, 4.4)."""

    values: OneOrMore[NotNegative] | None = Field(default=None, description="Weight decays to try first; null: from what is known")
    mode: Literal["cycle", "range", "constant"] = Field(
        default="cycle", description="Runs that are a short 1cycle, a range test (Fig. 10a), or at a constant learning rate (Fig. 9)"
    )
    steps: ShortRun | None = Field(default=None, description="Iterations of one run; null: derived from the budget")
    max_rounds: Several = Field(default=3, description="How often the grid may be refined or extended")
    from_snapshot: Flag = Field(
        default=True, description="Continue every value from one snapshot (Smith 2018, Fig. 12); false: a whole run each"
    )
    snapshot_weight_decay: NotNegative | None = Field(default=None, description="Weight decay of the run snapshotted; null: a middle value")


class Train(Section):
    """The final training at the recommended settings."""

    repeats: Repeats | None = Field(
        default=None, description="Final trainings, for a mean and a deviation; null: 1 where confirm trains in full, else 4"
    )
    variation: Literal["seeds", "paper"] = Field(
        default="seeds", description="What repeats differ in; paper: batch size and init too (A.1)"
    )
    compare: Some[Baseline] = Field(
        default=(), description="What to train for comparison: start, step, inv, constant; schedule-free, prodigy"
    )
    compare_epochs: Epochs | None = Field(default=None, description="Longer budget at which they are trained too, in epochs; null: none")
    fit: Literal["train", "all"] = Field(default="train", description="all: the held-out part is trained on too")
    cycle_fraction: Share = Field(default=0.9, description="Share of training that the cycle takes; the rest is the tail")
    cycles: Count = Field(default=4, description="Cycles in a training where lr_range.policy is not 1cycle")
    policy: Policy = Field(
        default="1cycle",
        description="Lr over the training; step: x0.316 at 1/2, 3/4, 7/8, 15/16; exp: x0.94 every 2 epochs",
    )
    momentum: Literal["falling", "constant", "rising"] = Field(
        default="falling",
        description="Momentum over the training: max to min and back, always max, or min to max and back",
    )


class Confirm(Section):
    """Full trainings of a few settings, the start's own among them, before anything is recommended."""

    trainings: Trainings | None = Field(
        default=None,
        description="Full trainings in all: 0, or 4 and more; null: 8 where one has 20,000 iterations at most, else 0",
    )
    weight_decays: OneOrMore[NotNegative] | None = Field(
        default=None, description="Weight decays trained first; null: 1e-4 to 1e-2 for sgd, 1e-3 to 1e-1 for adamw"
    )
    sure: Flag = Field(
        default=False, description="Train the neighbours in lr and weight decay three times too, for high confidence (--sure)"
    )

    @field_validator("weight_decays")
    @classmethod
    def _leave_two(cls, values: tuple[float, ...] | None, info: ValidationInfo) -> tuple[float, ...] | None:
        most = (info.data.get("trainings") or LEAST_TRAININGS) - 2
        if values and info.data.get("trainings") and len(values) > most:
            raise refused("leaves no two trainings for fresh seeds", f"at most {most} values, or more confirm.trainings")
        return values


class Config(Section):
    """Everything that `hpcheck` is told."""

    name: RunName = Field(default="", description="Name of the run directory; empty: the config file's stem, of hpcheck.yaml its folder")
    seed: Seed = Field(default=0, description="Seed of initial weights and data order; the held-out part is always the same")
    script: Command | None = Field(
        default=None, description="Command of a training script of your own, as a list of words; takes the place of data and model"
    )
    script_reads: Some[Text] = Field(default=(), description="Files that the script reads and that change its training")
    script_version: Text | None = Field(default=None, description="Change it if the training changed, but no file of the script did")
    task: Task | None = Field(default=None, description="A task of your own, pkg.module:Task; takes the place of data and model")
    data: Data = Field(description="What is learned from")
    model: Model = Field(description="What learns")
    optimizer: Optimizer = Field(default=Optimizer(), description="How weights are updated")
    budget: Budget = Field(default=Budget(), description="How long runs are, and how often they are measured")
    start: Start = Field(default=Start(), description="What you use today: where the checklist starts from")
    lr_range: LrRange = Field(default=LrRange(), description="The learning rate range test (Smith 2018, 4.1)")
    batch: Batch = Field(default=Batch(), description="Batch sizes at equal execution time (Smith 2018, 4.2)")
    momentum: Momentum = Field(default=Momentum(), description="Momentum, constant and cyclical (Smith 2018, 4.3)")
    wd_grid: WdGrid = Field(default=WdGrid(), description="The grid search for weight decay (Smith 2018, 4.4)")
    confirm: Confirm = Field(default=Confirm(), description="Full trainings before anything is recommended")
    train: Train = Field(default=Train(), description="The final training at the recommended settings")
    run: Run = Field(default=Run(), description="Where and how runs are computed")


def _above(most: float | None, info: ValidationInfo, key: str) -> float | None:
    least = info.data.get(key)
    if most is not None and least is not None and most <= least:
        raise refused("reversed range", f"more than {key}, {least}")
    return most
