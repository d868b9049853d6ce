"""Lines of programs that do not write `name: value`: Darknet, CatBoost, XGBoost, llm.c."""

import re
from collections.abc import Callable, Mapping

NUMBER = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|nan|inf)"
DARKNET = re.compile(
    rf"\s*(?:\(next .*?\)\s*)?(\d+)(?:/\d+)?:\s*(?:loss=)?({NUMBER}), ({NUMBER}) avg(?: loss)?, ({NUMBER}) rate,.*", re.IGNORECASE
)
CATBOOST = re.compile(rf"(\d+):\s+learn: ({NUMBER})(?:\s+test: ({NUMBER}))?.*")
BOOSTING = re.compile(r"(?:\[.*?\]\s*)?\[(\d+)\]\s+(\S.*)")  # XGBoost, LightGBM: [10] train-rmse:0.5 eval-rmse:0.6
BOOSTED = re.compile(rf"([A-Za-z_][\w'\- @]{{0,60}}?)\s*:\s*({NUMBER})")  # without a bound on names it takes time in their square
LLM_C = re.compile(rf"s:(\d+) (tel|trl|eval):({NUMBER})(?:.*?lr:({NUMBER}))?.*")
BEGINNINGS = "0123456789([s"  # of such lines: nearly all others are told by their first character
LLM_C_NAMES = {"tel": "val loss", "trl": "train loss", "eval": "hellaswag"}

Line = tuple[Mapping[str, float], dict[str, str]]  # counters, and values under their names


def is_one(line: str) -> bool:
    """Whether a line is of one of these programs."""
    return parsed(line) is not None


def parsed(line: str) -> Line | None:
    """What such a line says; None for other lines."""
    line = line.strip()
    if line[:1] not in BEGINNINGS or not line:
        return None
    for pattern, meaning in MEANINGS.items():
        found = pattern.fullmatch(line)
        if found:
            return meaning(found)
    return None


def _darknet(found: re.Match[str]) -> Line:
    return {"iteration": float(found[1])}, {"train loss": found[2], "learning rate": found[4]}


def _catboost(found: re.Match[str]) -> Line:
    return {"iteration": float(found[1])}, {"train loss": found[2], **({"test loss": found[3]} if found[3] else {})}


def _boosting(found: re.Match[str]) -> Line | None:
    cells = {name.strip(): value for name, value in BOOSTED.findall(found[2])}
    return ({"iteration": float(found[1])}, cells) if cells else None


def _llm_c(found: re.Match[str]) -> Line:
    return {"iteration": float(found[1])}, {LLM_C_NAMES[found[2]]: found[3], **({"lr": found[4]} if found[4] else {})}


MEANINGS: Mapping[re.Pattern[str], Callable[[re.Match[str]], Line | None]] = {
    DARKNET: _darknet,
    CATBOOST: _catboost,
    BOOSTING: _boosting,
    LLM_C: _llm_c,
}
