"""The metric by its name (accuracy in percent, R2, the user's own function), and its figures in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpcheck.steps.confirm_words import MANY, is_percent, metric_name
from hpcheck.steps.step import Asked

PERCENT = "percent"


@dataclass(frozen=True)
class Metric:
    """What figures of the metric are called, and whether they are told in percent."""

    name: str
    percent: bool = False

    @classmethod
    def of(cls, asked: Asked) -> "Metric":
        """The metric of a config and its data."""
        return cls(metric_name(asked), is_percent(asked))

    @classmethod
    def in_content(cls, content: Mapping[str, Any]) -> "Metric":
        """The metric that a recommended.yaml names; one of before names none."""
        said = content.get("provenance", {})
        return cls(str(said.get("metric", "metric")), said.get("metric_unit") == PERCENT)

    def block(self) -> dict[str, str]:
        """What recommended.yaml has of it."""
        return {"metric": self.name, **({"metric_unit": PERCENT} if self.percent else {})}

    @property
    def label(self) -> str:
        return f"{self.name}, %" if self.percent else self.name

    def named(self, value: float) -> str:
        """A figure with the metric's name.

        >>> Metric("accuracy", True).named(0.98194), Metric("R2").named(0.91234)
        ('accuracy 98.2%', 'R2 0.9123')
        """
        return f"{self.name} {self.words(value)}"

    def words(self, value: float, spread: float = math.nan, examples: float = 0) -> str:
        """A figure, and its standard deviation where there is one; with a second decimal of a percent where many examples give one.

        >>> Metric("accuracy", True).words(0.98194, 0.002), Metric("accuracy", True).words(0.9916, examples=10000)
        ('98.2% ± 0.2', '99.16%')
        >>> Metric("R2").words(0.91234, 0.0123), Metric("R2").words(0.91234)
        ('0.912 ± 0.012', '0.9123')
        """
        if self.percent:
            decimals = 2 if examples >= MANY else 1
            return f"{100 * value:.{decimals}f}%" + (f" ± {100 * spread:.{decimals}f}" if math.isfinite(spread) else "")
        if not math.isfinite(spread) or spread == 0:
            return f"{value:.4g}" + (" ± 0" if spread == 0 else "")
        decimals = max(1 - math.floor(math.log10(spread)), 0)
        return f"{value:.{decimals}f} ± {spread:.{decimals}f}"
