"""A recommendation in words: each setting on a line, why it has its value, what it cost and how well it trains."""

from collections.abc import Mapping
from typing import Any

from hpcheck.config.recommended import rises
from hpcheck.recommendation import recommended
from hpcheck.recommendation.cost import cost_words
from hpcheck.text import number

SHOWN = {"total_batch_size": "batch size", "learning_rate": "learning rate", "momentum": "momentum", "weight_decay": "weight decay"}


def row(name: str, content: Mapping[str, Any]) -> tuple[str, str, str]:
    """Value, interval and how it was read, of one setting."""
    evidence = content["evidence"].get(name, {})
    interval = " to ".join(f"{end:.3g}" for end in evidence.get("interval") or ())
    status = evidence.get("status")
    sure = evidence.get("confidence", "none")
    reading = status + (f", {sure} confidence" if sure != "none" else "") if status else "not read: start"
    return describe(name, content["settings"].get(name)), interval, reading


def reason_lines(content: Mapping[str, Any]) -> list[str]:
    """Why each setting that was read has its value."""
    reasons = {label: content["evidence"][name]["reason"] for name, label in SHOWN.items() if name in content["evidence"]}
    read_at = recommended.carried_from(content)
    if read_at is not None:
        reasons["learning rate"] += f"; {carried_words(read_at, content['settings'])}"
    lr = content["settings"].get("learning_rate")
    if lr:
        reasons["schedule"] = lr_words(lr)[1]
    return [f"{label}: {reason}" for label, reason in reasons.items()]


def carried_words(read_at: float, settings: Mapping[str, Any]) -> str:
    """What became of an lr that was read before other settings moved it."""
    return (
        f"{read_at:.3g} was carried over to {settings['learning_rate']['max']:.3g} with the batch size, and is read again before training"
    )


def describe(name: str, value: Any) -> str:
    """A setting's value on one line."""
    if value is None:
        return "none known"
    if name == "learning_rate":
        return f"{value['policy']}, {lr_words(value)[0]}"
    if name == "momentum":
        return momentum_words(value)[0]
    return f"{value:g}"


def lr_words(lr: Mapping[str, Any]) -> tuple[str, str]:
    """An lr's values, and its course over the training: one cycle with its tail, several cycles, or another policy from its largest on.

    >>> lr_words({"policy": "step", "max": 0.1, "epochs": 25})
    ('0.1', 'step over 25 epochs')
    """
    epochs, largest = f"{number(lr['epochs'])} epochs", number(lr["max"])
    if "min" not in lr:
        return largest, f"{lr['policy']} over {epochs}"
    values, cycle = f"{number(lr['min'])} to {largest}", number(lr["cycle_epochs"])
    if "final" not in lr:
        return values, f"{lr['policy']}, {cycle} epochs a cycle, {epochs}"
    return values, f"1cycle over {cycle} of {epochs}, then down to {number(lr['final'])}"


def momentum_words(momentum: Mapping[str, Any]) -> tuple[str, str]:
    """A momentum's values in the order in which a cycle takes them, and its course; "" where it is constant.

    >>> momentum_words({"max": 0.95, "min": 0.85, "shape": "rising"})
    ('0.85 to 0.95', 'rises and comes back in each cycle')
    """
    largest, smallest = number(momentum["max"]), number(momentum["min"])
    if largest == smallest:
        return largest, ""
    if rises(momentum):
        return f"{smallest} to {largest}", "rises and comes back in each cycle"
    return f"{largest} to {smallest}", "falls and comes back in each cycle"


def result_lines(content: Mapping[str, Any]) -> list[str]:
    """One line for each arm of the final training, the start's as `confirm` trained it among them."""
    arms = arms_of(content)
    lines = []
    for name, figures in arms.items():
        for split in ("test", "val"):
            if isinstance(figures, Mapping) and split in figures:
                found = figures[split]
                runs = len(found["each"])
                spread = f" ± {found['std']:.4f}" if "std" in found else ""
                lines.append(f"{name}: {split} metric {found['metric']:.4f}{spread} over {runs} run{'s' * (runs > 1)}")
                break
    return lines


def arms_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The final trainings by what was trained. Those of `confirm` are fresh seeds, which chose nothing: they stand for the settings unless
    `train` has more of them, or trained on all the data."""
    found = content.get("results", {})
    confirmed, final = found.get("confirm", {}), found.get("train", {})
    fresh = {name: confirmed[name] for name in ("recommended", "start") if name in confirmed}
    again = {name for name in fresh if name in final and len(final[name]["runs"]) > len(fresh[name]["runs"])}
    return {**final, **{name: arm for name, arm in fresh.items() if name not in again}}


def cost_lines(content: Mapping[str, Any]) -> list[str]:
    """What search and training cost."""
    return [f"{part}: {cost_words(spent)}" for part, spent in content["provenance"]["cost"].items() if spent["runs"]]
