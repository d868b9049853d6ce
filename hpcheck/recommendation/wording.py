"""A recommendation in words: each setting on a line, why it has its value, what it cost and how well it trains."""

import math
from collections.abc import Mapping
from typing import Any

from hpcheck.config.recommended import rises
from hpcheck.recommendation import recommended
from hpcheck.recommendation.cost import cost_words
from hpcheck.recommendation.metric import Metric
from hpcheck.recommendation.verdict import START_WITHOUT_LR, has_no_answer, is_the_starts, keeps_yours
from hpcheck.steps.trained_lines import line_of_start, lines_in
from hpcheck.text import bound, duration, epochs, listed, number, trainings

ARMS = {"start": "yours"}
SPLITS = {"test": "the test split", "val": "the validation split"}
PARTS = {"search": "search", "confirmation": "full trainings", "training": "final training"}
TENTHS = 100.0  # ours: below so many trainings a decimal is told
STAYS = "yours stays"
SURE = {  # by what the verdict says
    "better": "the lead is beyond chance",
    "probably better": "not certain, since the lead may be chance",
    "not better": "no other setting is better beyond chance",
}
SHOWN = {"total_batch_size": "batch size", "learning_rate": "learning rate", "momentum": "momentum", "weight_decay": "weight decay"}


def row(name: str, content: Mapping[str, Any]) -> tuple[str, str, str]:
    """Value, interval and how it was read, of one setting."""
    evidence = content["evidence"].get(name, {})
    interval = " to ".join(bound(end) for end in evidence.get("interval") or ())
    status = status_of(name, content)
    sure = evidence.get("confidence", "none")
    if not status:
        return short(name, content["settings"].get(name)), interval, "not tested: yours stays"
    reading = status + (f", {sure} confidence" if sure != "none" and status != STAYS else "")
    return short(name, content["settings"].get(name)), interval, reading


def status_of(name: str, content: Mapping[str, Any]) -> str:
    """How a setting was read; of one that full trainings left as the user has it, that it stays. "" where it was not read."""
    status = str(content["evidence"].get(name, {}).get("status") or "")
    if status and has_no_answer(content):
        return STAYS
    kept = (keeps_yours(content) if name != "learning_rate" else is_the_starts(content)) and status in ("chosen", "tied")
    return STAYS if kept else status


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
    now = f"{settings['learning_rate']['max']:.3g}"
    return f"{read_at:.3g} was carried over to {now} with the batch size or the momentum, and is read again before training"


def short(name: str, value: Any) -> str:
    """A setting's value alone.

    >>> short("momentum", {"max": 0.95, "min": 0.85}), short("weight_decay", 0.0001), short("learning_rate", None)
    ('0.95 to 0.85', '0.0001', 'none known')
    """
    if value is None:
        return "none known"
    if name == "learning_rate":
        return lr_words(value)[0]
    return momentum_words(value)[0] if name == "momentum" else number(value)


def lr_words(lr: Mapping[str, Any]) -> tuple[str, str]:
    """An lr's values, and its course over the training: one cycle with its tail, several cycles, or another policy from its largest on.

    >>> lr_words({"policy": "step", "max": 0.1, "epochs": 25})
    ('0.1', 'step over 25 epochs')
    """
    whole, largest = epochs(lr["epochs"]), number(lr["max"])
    if "min" not in lr:
        return largest, f"{lr['policy']} over {whole}"
    values, cycle = f"{number(lr['min'])} to {largest}", epochs(lr["cycle_epochs"])
    if "final" not in lr:
        return values, f"{lr['policy']}, {cycle} a cycle, {whole}"
    return values, f"1cycle, up and back within {cycle.partition(' ')[0]} of {whole}, then down to {number(lr['final'])}"


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
    arms, metric = arms_of(content), Metric.in_content(content)
    lines = []
    for name, figures in arms.items():
        for split in ("test", "val"):
            if isinstance(figures, Mapping) and split in figures:
                found = figures[split]
                runs = len(found["each"])
                figure = metric.words(found["metric"], found.get("std", math.nan), found.get("examples", 0))
                lines.append(f"{ARMS.get(name, name)}: {metric.name} {figure} on {SPLITS[split]}, {runs} training{'s' * (runs > 1)}")
                break
    return lines


def arms_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The final trainings by what was trained. Those of `confirm` are fresh seeds, which chose nothing: they stand for the settings unless
    `train` has more of them, or trained on all the data. Where yours stays, both are the same trainings, and they are shown once."""
    found = content.get("results", {})
    confirmed, final = found.get("confirm", {}), found.get("train", {})
    fresh = {name: confirmed[name] for name in ("recommended", "start") if name in confirmed}
    again = {name for name in fresh if name in final and len(final[name]["runs"]) > len(fresh[name]["runs"])}
    arms = {**final, **{name: arm for name, arm in fresh.items() if name not in again}}
    ours, yours = arms.get("recommended"), arms.get("start")
    same = isinstance(ours, Mapping) and isinstance(yours, Mapping) and ours.get("runs") == yours.get("runs")
    return {name: arm for name, arm in arms.items() if not (same and name == "recommended")}


def cost_line(content: Mapping[str, Any]) -> str:
    """What all of it cost, in trainings of the user's and in time; "" before anything ran.

    A recommended.yaml of before counts no trainings.
    """
    spent = {part: cost for part, cost in content["provenance"]["cost"].items() if cost["runs"]}
    if not spent:
        return ""
    if any("trainings" not in cost for cost in spent.values()):
        return "; ".join(f"{PARTS.get(part, part)} {cost_words(cost)}" for part, cost in spent.items())
    whole = content.get("cost", {})
    count = whole.get("trainings", sum(cost["trainings"] for cost in spent.values()))
    seconds = whole.get("seconds", sum(cost["device_seconds"] for cost in spent.values()))
    time = f"{duration(seconds)} of computing"
    if len(spent) < 2:
        return f"the work of {trainings(count)} of your trainings, {time}"
    shares = {part: round(cost["trainings"], 1) for part, cost in spent.items()}
    parts = [f"{_tenths(share)} for the {PARTS.get(part, part)}" for part, share in shares.items()]
    return f"the work of {_tenths(sum(shares.values()))} of your trainings ({', '.join(parts)}), {time}"


def _tenths(count: float) -> str:
    """Trainings to a tenth, so that a sum is that of its parts; many of them as they are told elsewhere.

    >>> _tenths(12.34), _tenths(12.0), _tenths(214.6)
    ('12.3', '12', '215')
    """
    return f"{count:.1f}".removesuffix(".0") if 0.05 <= count < TENTHS else trainings(count)


def to_set_line(content: Mapping[str, Any]) -> str:
    """What to set, and what stays as the user has it, in words; "" before anything was read."""
    if not content["evidence"]:
        return ""
    if has_no_answer(content):
        lr = content["settings"].get("learning_rate")
        found = content["verdict"].get("against") == START_WITHOUT_LR and lr
        return "nothing: keep what you have" + (
            f". The learning rate found, {number(lr['max'])}, is no better than others" if found else ""
        )
    yours = line_of_start(lines_in(content.get("results", {})))
    kept = [name for name in SHOWN if stays(name, content) or _is_yours(name, content, yours)]
    new = [_setting_words(name, content["settings"].get(name)) + _instead(name, content, yours) for name in SHOWN if name not in kept]
    old = [_setting_words(name, content["settings"].get(name)) for name in kept]
    told = [f"{listed(new)}"] * bool(new)
    told += [f"{'Leave' if new else 'Nothing new: leave'} {listed(old)} as you have {'it' if len(old) == 1 else 'them'}"] * bool(old)
    return ". ".join(told)


def _instead(name: str, content: Mapping[str, Any], yours: Mapping[str, Any]) -> str:
    """What the user has instead; "" where it is the same, or not known."""
    values = _beside_yours(name, content, yours)
    return "" if values is None or values[0][0] == values[1][0] else f" (yours: {number(values[1][0])})"


def _is_yours(name: str, content: Mapping[str, Any], yours: Mapping[str, Any]) -> bool:
    """Whether a setting that was read came to the value that the user has."""
    values = _beside_yours(name, content, yours)
    return values is not None and values[0] == values[1]


def _beside_yours(name: str, content: Mapping[str, Any], yours: Mapping[str, Any]) -> tuple[list[Any], list[Any]] | None:
    """A setting's value and the user's; of momentum both ends. None where the user's is not known, or is an lr that hpcheck found."""
    before = _tried(name, yours)
    if before is None or (name == "learning_rate" and content.get("verdict", {}).get("against") == START_WITHOUT_LR):
        return None
    now = content["settings"].get(name)
    if name == "momentum":
        return [(now or {}).get(end) for end in ("max", "min")], list(before)
    return [(now or {}).get("max") if name == "learning_rate" else now], [before]


def stays(name: str, content: Mapping[str, Any]) -> bool:
    """Whether a setting is still the user's own: it was not read, full trainings left it, or its reading abstained for it."""
    evidence = content["evidence"].get(name, {})
    abstained = evidence.get("status") == "abstained" and str(evidence.get("source", "")).startswith("start")
    return name in content["settings"] and (status_of(name, content) in ("", STAYS) or abstained)


def _setting_words(name: str, value: Any) -> str:
    """
    >>> _setting_words("learning_rate", {"policy": "1cycle", "max": 0.1, "min": 0.01, "cycle_epochs": 9, "epochs": 10})
    'largest learning rate 0.1'
    """
    if name == "learning_rate" and value is not None and "min" in value:
        return f"largest learning rate {number(value['max'])}"
    return f"{SHOWN[name]} {short(name, value)}"


def belief_line(content: Mapping[str, Any]) -> str:
    """How sure the recommendation is, and what it rests on."""
    confirmed = content.get("results", {}).get("confirm", {})
    if has_no_answer(content):
        made = f"{confirmed['trainings']} full trainings of {len(confirmed['considered'])} settings"
        return f"there is nothing to be sure of. {made} learnt nothing"
    if "considered" not in confirmed:
        return "not very, since it rests on short runs. No full training has chosen among settings" if content["evidence"] else ""
    count, tried = confirmed["trainings"], len(confirmed["considered"])
    verdict = content.get("verdict", {})
    sure, seeds = SURE.get(verdict.get("says", ""), ""), verdict.get("fresh_seeds")
    best = "Yours and the best of the others" if keeps_yours(content) else "The best and yours"
    again = f". {best} were trained again with fresh seeds" if seeds else ""
    made = f"{count} full trainings of {tried} settings were made{again}"
    return f"{sure}. {made}" if sure else made


def confidence_words(content: Mapping[str, Any]) -> str:
    """How sure each value is that was read, as a sentence to append; "" where none was."""
    if has_no_answer(content):
        return ""
    sure = {label: content["evidence"].get(name, {}).get("confidence", "none") for name, label in SHOWN.items() if not stays(name, content)}
    told = [f"{label} {words}" for label, words in sure.items() if words != "none"]
    return f". Confidence: {', '.join(told)}" if told else ""


def untested_line(content: Mapping[str, Any]) -> str:
    """What was not tested: settings that nothing was compared for, and those that only short runs compared; "" where all was."""
    tried = lines_in(content.get("results", {}))
    never: list[str] = []
    short_runs: list[str] = []
    for name, label in SHOWN.items():
        values = [_tried(name, one) for one in tried]
        if any(value != values[0] for value in values):
            continue
        (short_runs if name in content["evidence"] else never).append(label)
    parts = [f"{listed(never)} ({'yours stays' if len(never) == 1 else 'yours stay'})"] * bool(never)
    compared = f"{listed(short_runs)} {'was' if len(short_runs) == 1 else 'were'} compared in short runs only"
    parts += [compared[:1].upper() + compared[1:] if never else compared] * bool(short_runs)
    return ". ".join(parts)


def _tried(name: str, considered: Mapping[str, Any]) -> Any:
    """The value of a setting in a line of what was trained in full."""
    return considered.get("max_lr" if name == "learning_rate" else name)
