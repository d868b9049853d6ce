"""Whether the rows of a table come in the paper's order: rows of one network on one data set, compared with each other alone."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from scipy.stats import kendalltau

if TYPE_CHECKING:
    from hpcheck.reproduce.states import State

APART = 0.7  # points: the paper's rows nearer than this lie within their standard deviations, and their order says nothing
FEWEST = 3  # rows


def orders(states: "Sequence[State]") -> list[str]:
    """A line for each network and data set with enough rows: pairs of rows that the paper has apart, and Kendall's tau over all."""
    groups: dict[str, list[State]] = {}
    for state in states:
        if "accuracy" in state.experiment.answer and any(one.tests for one in state.found):
            groups.setdefault(f"{state.experiment.group}, {', '.join(state.experiment.what.split(', ')[:2])}", []).append(state)
    return [f"{name}: {order(rows)}" for name, rows in groups.items() if len(rows) >= FEWEST]


def order(rows: "Sequence[State]") -> str:
    """How the order of our means compares with that of the paper's."""
    theirs = [float(row.experiment.answer["accuracy"]) for row in rows]
    ours = [100 * sum(row.found[0].tests) / len(row.found[0].tests) for row in rows]
    apart = [(i, j) for i, j in combinations(range(len(rows)), 2) if abs(theirs[i] - theirs[j]) >= APART - 1e-9]
    same = sum((theirs[i] - theirs[j]) * (ours[i] - ours[j]) > 0 for i, j in apart)
    tau = float(kendalltau(theirs, ours).statistic)
    pairs = f"{same} of {len(apart)} pairs of rows at least {APART} points apart are in the paper's order"
    return f"{pairs}; Kendall's tau {tau:.2f} over {len(rows)} rows"
