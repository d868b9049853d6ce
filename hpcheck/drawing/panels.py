"""What is drawn, as plain values: lines, the boxes around clues, pictures. `curve_layout.py` and `layout.py` place them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """One line of a picture: raw values as dots, the smoothed curve through them, in plain tuples.

    `low` and `high` bound a band at each x (the spread over repeats). A candidate that was taken is `chosen`; `note` is a word after its
    label, such as "4 runs". Where the smoothed curve ends before the raw values do, the run diverged.
    """

    label: str
    x: tuple[float, ...]
    raw: tuple[float, ...]
    smooth: tuple[float, ...] = ()
    dashed: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    chosen: bool = False
    note: str = ""


@dataclass(frozen=True)
class Box:
    """A clue as a box over a stretch of x, around the curve it was read in (Smith 2018, Fig. 1a); `words` say what it means."""

    from_x: float
    to_x: float
    text: str
    words: str = ""
    series: int = 0  # which of the panel's curves


@dataclass(frozen=True)
class Panel:
    """One picture's worth of values; drawing it needs no further computing. Values far worse than where the curves start (a divergence)
    lie outside the picture; `higher_is_better` says which way is worse. A `whole` one is not zoomed to where the curves end."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    marks: tuple[tuple[float, str], ...] = ()  # vertical lines: x, text
    boxes: tuple[Box, ...] = ()
    log_x: bool = False
    log_y: bool = False
    higher_is_better: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Candidate:
    """A value that was tried, with its score as people read it (an accuracy in percent) and the score's standard error.

    A score that is not finite is that of a run that diverged. `tied`: it cannot be told from the chosen one.
    """

    value: float
    score: float
    error: float = 0.0
    tied: bool = False


@dataclass(frozen=True)
class SettingPlot:
    """One setting at a glance: every value that was tried with its score, which was `chosen`, and where the user's `start` lies.

    `answer` is the recommended value in words, `note` says what the scores are of ("short runs"), or why there are none.
    """

    title: str
    answer: str
    y_label: str
    candidates: tuple[Candidate, ...]
    chosen: float | None = None
    start: float | None = None
    interval: tuple[float, float] | None = None
    log_x: bool = False
    higher_is_better: bool = False
    note: str = ""
