"""The recommended settings as code to paste: PyTorch (exactly, and by OneCycleLR), Lightning, Hugging Face and timm. Text in, text out."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from hpcheck.config.recommended import rises
from hpcheck.errors import InputError

Settings = Mapping[str, Any]  # the `settings` of a recommended.yaml
Options = Mapping[str, Any]  # the config's options of the optimizer
DEFAULTS: Options = {"nesterov": True, "beta2": 0.999, "eps": 1e-8}  # as `optimizers` has them

SCHEDULE = """\
EPOCHS, CYCLE_EPOCHS, BATCH_SIZE = {epochs}, {cycle_epochs}, {batch_size}
MAX_LR, MIN_LR, FLOOR = {max_lr}, {min_lr}, {floor}
MAX_MOMENTUM, MIN_MOMENTUM, WEIGHT_DECAY = {max_momentum}, {min_momentum}, {weight_decay}

steps = round(EPOCHS * len(train_set) / BATCH_SIZE)
stepsize = max(1, round(CYCLE_EPOCHS / 2 * len(train_set) / BATCH_SIZE))
"""
ONE_CYCLE = """

def lr_at(step):
    \"\"\"Up over one stepsize, down towards 0 over the next, then the floor: Smith's 1cycle.\"\"\"
    if step < stepsize:
        return MIN_LR + (MAX_LR - MIN_LR) * step / stepsize
    return max(FLOOR, MAX_LR * (2 - step / stepsize))


def momentum_at(step):
    \"\"\"Falls while the learning rate rises; half as far in the tail.\"\"\"
    cycle, place = divmod(step / stepsize, 2)
    return MAX_MOMENTUM - (MAX_MOMENTUM - MIN_MOMENTUM) / 2**cycle * (1 - abs(place - 1))


"""
GROUPED = """

def grouped(model):
    \"\"\"A group for each pair of multipliers (of lr, of weight decay) that the model's modules declare in `hyper_multipliers`.\"\"\"
    declared = {
        f"{prefix}.{name}".lstrip("."): pair
        for prefix, module in model.named_modules()
        for name, pair in vars(module).get("hyper_multipliers", {}).items()
    }
    groups = {}
    for name, parameter in model.named_parameters():
        groups.setdefault(declared.get(name, (1.0, 1.0)), []).append(parameter)
    return [{"params": params, "lr": MAX_LR * lr, "weight_decay": WEIGHT_DECAY * decay} for (lr, decay), params in groups.items()]
"""
OPTIMIZERS = {
    "sgd": """\
torch.optim.SGD(
    {parameters}, lr=MAX_LR, weight_decay=WEIGHT_DECAY,
    momentum=MAX_MOMENTUM, nesterov={nesterov},
)""",
    "adamw": """\
torch.optim.AdamW(
    {parameters}, lr=MAX_LR, weight_decay=WEIGHT_DECAY,
    betas=(MAX_MOMENTUM, {beta2}), eps={eps},
)""",
}
SET_MOMENTUM = {
    "sgd": 'group["momentum"] = momentum_at({step})',
    "adamw": 'group["betas"] = (momentum_at({step}), group["betas"][1])',
}
SCHEDULER = "torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_at(step) / MAX_LR)"

# Where each way of using the settings departs from the runs that they were read from.
DIFFERENCES = {
    "pytorch": (
        "The schedule does not differ: these are the learning rates and momenta of hpcheck's own runs, step by step.",
        "hpcheck decays every parameter, biases and normalization included; so does this.",
    ),
    "onecycle": (
        "OneCycleLR has no tail: given all the steps, it would stretch the cycle over them. So it is given the cycle alone, and the "
        "learning rate then stays at its floor, a thousandth of the minimum.",
        "Its defaults are another schedule: cosine instead of straight lines, the peak at 30% instead of the middle, a start at max/25 "
        "and an end at max/250,000.",
        "In the tail momentum stays at its maximum; in Smith's runs it falls once more, half as far.",
    ),
    "lightning": ("The schedule does not differ. Lightning steps a scheduler once an epoch unless it is told `interval: step`, as here.",),
    "hf": (
        'The schedule does not differ. `lr_scheduler_type="linear"` with warm-up is near it, but rises from 0 and has no tail.',
        "Trainer clips gradients at norm 1 by itself; hpcheck's runs did not, so `max_grad_norm=0`.",
        "Trainer's own optimizer leaves biases and normalization undecayed; the optimizer passed here decays all, as hpcheck's runs did.",
    ),
    "timm": (
        "timm counts whole epochs, so the stepsize and the tail are rounded.",
        "timm keeps momentum constant. With the maximum, updates at the top of the cycle are larger than in hpcheck's runs; where training "
        "is unstable there, take the minimum.",
        "timm leaves biases and normalization undecayed.",
        "Its train.py augments images and smooths labels unless told not to (`--no-aug`, `--smoothing 0`): regularizers that weight decay "
        "was not balanced against here.",
    ),
}


def pytorch(settings: Settings, optimizer: str = "sgd", options: Options = DEFAULTS) -> str:
    """The 1cycle and cyclical momentum of hpcheck's runs as plain functions of the step, with LambdaLR."""
    loop = f"""\
for step in range(steps):
    for group in optimizer.param_groups:
        {SET_MOMENTUM[optimizer].format(step="step")}
    ...  # next batch, forward, optimizer.zero_grad(), loss.backward()
    optimizer.step()
    scheduler.step()
"""
    return "import torch\n\n" + _setup(settings, optimizer, options) + f"scheduler = {SCHEDULER}\n\n" + loop


def onecycle(settings: Settings, optimizer: str = "sgd", options: Options = DEFAULTS) -> str:
    """torch's own OneCycleLR, told so that it comes as near as it can."""
    made = _optimizer(optimizer, options)
    return f"""\
import torch

{_schedule(settings)}
optimizer = {made}
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer,
    max_lr=MAX_LR,
    total_steps=2 * stepsize + 1,  # the cycle alone
    pct_start=(stepsize + 1) / (2 * stepsize + 1),  # the peak after exactly one stepsize
    anneal_strategy="linear",
    div_factor=MAX_LR / MIN_LR,  # starts at MIN_LR
    final_div_factor=MIN_LR / FLOOR,  # ends at FLOOR
    max_momentum=MAX_MOMENTUM,
    base_momentum=MIN_MOMENTUM,
)

for step in range(steps):
    ...  # next batch, forward, optimizer.zero_grad(), loss.backward()
    optimizer.step()
    if step < 2 * stepsize:  # OneCycleLR raises an error past its end: the tail stays at FLOOR
        scheduler.step()
"""


def lightning(settings: Settings, optimizer: str = "sgd", options: Options = DEFAULTS) -> str:
    """Two hooks for a LightningModule."""
    set_momentum = SET_MOMENTUM[optimizer].format(step="self.global_step")
    return f"""\
import lightning
import torch

{_schedule(settings)}{ONE_CYCLE}class OneCycle(lightning.LightningModule):  # your module inherits from this one
    def configure_optimizers(self):
        optimizer = {_indented(_optimizer(optimizer, options, "self.parameters()"), 8)}
        scheduler = {SCHEDULER}
        each_step = {{"scheduler": scheduler, "interval": "step"}}
        return {{"optimizer": optimizer, "lr_scheduler": each_step}}

    def on_train_batch_start(self, batch, batch_idx):
        for group in self.optimizers().param_groups:
            {set_momentum}


trainer = lightning.Trainer(max_steps=steps)
"""


def hf(settings: Settings, optimizer: str = "sgd", options: Options = DEFAULTS) -> str:
    """Hugging Face's Trainer with its optimizer and scheduler given, and a callback for the momentum."""
    set_momentum = SET_MOMENTUM[optimizer].format(step="state.global_step")
    return f"""\
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

{_setup(settings, optimizer, options)}scheduler = {SCHEDULER}


class CyclicalMomentum(TrainerCallback):
    def on_step_begin(self, args, state, control, optimizer=None, **kwargs):
        for group in optimizer.param_groups:
            {set_momentum}


arguments = TrainingArguments(
    output_dir="out",
    max_steps=steps,
    per_device_train_batch_size=BATCH_SIZE,  # divide by devices x gradient_accumulation_steps
    max_grad_norm=0,
)
trainer = Trainer(
    model=model,
    args=arguments,
    train_dataset=train_set,
    optimizers=(optimizer, scheduler),
    callbacks=[CyclicalMomentum()],
)
"""


def timm(settings: Settings, optimizer: str = "sgd", options: Options = DEFAULTS) -> str:
    """timm's train.py (1.0): linear warm-up as the rise, "poly" of power 1 as the fall, cool-down as the tail."""
    values = _values(settings)
    half = max(1, round(values["cycle_epochs"] / 2))
    tail = max(0, round(values["epochs"]) - 2 * half)
    has = _options(options)
    name = {"sgd": "sgd" if has["nesterov"] else "momentum"}.get(optimizer, optimizer)
    betas = f"--opt-betas {values['max_momentum']} {has['beta2']} --opt-eps {has['eps']}"
    momentum = betas if optimizer == "adamw" else f"--momentum {values['max_momentum']}"
    return f"""\
# --batch-size is that of one GPU: divide {values["batch_size"]} by GPUs x --grad-accum-steps
python train.py --data-dir DATA --model MODEL \\
    --batch-size {values["batch_size"]} --opt {name} {momentum} --weight-decay {values["weight_decay"]} \\
    --lr {values["max_lr"]} --warmup-lr {values["min_lr"]} --min-lr {values["floor"]} \\
    --sched poly --decay-rate 1 --sched-on-updates \\
    --warmup-epochs {half} --warmup-prefix --epochs {half} --cooldown-epochs {tail}
"""


Snippet = Callable[[Settings, str, Options], str]
SNIPPETS: dict[str, Snippet] = {"pytorch": pytorch, "onecycle": onecycle, "lightning": lightning, "hf": hf, "timm": timm}
TITLES = {
    "pytorch": "PyTorch, exactly",
    "onecycle": "PyTorch's OneCycleLR",
    "lightning": "Lightning",
    "hf": "Hugging Face Trainer",
    "timm": "timm's command line",
}


STAND_IN = "sgd"  # stands in for an optimizer of the user's own


def write(name: str, settings: Settings, optimizer: str, options: Mapping[str, Any], multiplied: bool = False) -> str:
    """The snippet of that name for the config's optimizer and its options. Raises `InputError` where there is none (`refused`).
    `multiplied`: the model declares multipliers of lr and weight decay, as hpcheck's runs had them."""
    if why := refused(settings):
        raise InputError(f"there is no snippet to print: {why}")
    shipped = optimizer if optimizer in OPTIMIZERS else STAND_IN
    text = SNIPPETS[name](settings, shipped, options)
    return _with_groups(text) if multiplied else text


def _with_groups(text: str) -> str:
    """The snippet with the model's own multipliers; timm's command line has no place for them (`differences`)."""
    after = SCHEDULE.splitlines()[-1] + "\n"
    text = text.replace(after, after + GROUPED, 1)
    text = text.replace("model.parameters()", "grouped(model)").replace("self.parameters()", "grouped(self)")
    return text.replace("max_lr=MAX_LR,", 'max_lr=[group["lr"] for group in optimizer.param_groups],')


def differences(name: str, optimizer: str, options: Options, multiplied: bool = False) -> list[str]:
    """Where a training by the snippet of that name departs from the runs that the settings were read from, a sentence each."""
    found = list(DIFFERENCES[name])
    if multiplied and name == "timm":
        found.append(
            "The model multiplies lr and weight decay for some of its parameters (`hyper_multipliers`); timm has one of each for all."
        )
    if optimizer not in OPTIMIZERS:
        found.append("Your own optimizer's place is taken by torch.optim.SGD here.")
    elif options.get("velocity") == "caffe":
        found.append("hpcheck's runs had Caffe's velocity, with the learning rate inside; torch's SGD multiplies it outside.")
    return found


def refused(settings: Settings) -> str:
    """Why there is no snippet for these settings; "" where there is one."""
    lr = settings.get("learning_rate")
    if not lr:
        return "no learning rate is known yet; read one first (hpcheck lr-range)"
    if "final" not in lr:
        return f"the lr's policy is {lr['policy']}, and snippets are written for 1cycle alone"
    if rises(settings["momentum"]):
        return "momentum rises with the lr, and snippets are written for falling and constant momentum alone"
    return ""


def _values(settings: Settings) -> dict[str, int | float]:
    lr, momentum = settings["learning_rate"], settings["momentum"]
    values = {
        "epochs": lr["epochs"],
        "cycle_epochs": lr["cycle_epochs"],
        "batch_size": settings["total_batch_size"],
        "max_lr": lr["max"],
        "min_lr": lr["min"],
        "floor": lr["final"],
        "max_momentum": momentum["max"],
        "min_momentum": momentum["min"],
        "weight_decay": settings["weight_decay"],
    }
    return {name: _number(name, value) for name, value in values.items()}


def _number(name: str, value: Any) -> int | float:
    """`value` as it may stand in code. Raises `InputError` for anything but a finite number: text would be code."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"there is no snippet to print: {name} is not a number")
    return value


def _options(given: Options) -> Options:
    """The options that are written into code: those of `DEFAULTS`, each of its default's kind; another kind is another optimizer's own."""
    fits = {key: value for key, value in given.items() if key in DEFAULTS and _is_like(value, DEFAULTS[key])}
    return {**DEFAULTS, **fits}


def _is_like(value: Any, default: bool | float) -> bool:
    return isinstance(value, int | float) and isinstance(value, bool) == isinstance(default, bool)


def _schedule(settings: Settings) -> str:
    return SCHEDULE.format(**_values(settings))


def _optimizer(name: str, options: Options, parameters: str = "model.parameters()") -> str:
    return OPTIMIZERS[name].format(parameters=parameters, **_options(options))


def _indented(code: str, by: int) -> str:
    """Every line but the first moved to the right."""
    return code.replace("\n", "\n" + " " * by)


def _setup(settings: Settings, optimizer: str, options: Options) -> str:
    return _schedule(settings) + ONE_CYCLE + f"optimizer = {_optimizer(optimizer, options)}\n"
