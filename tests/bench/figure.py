"""A figure: what was measured, its samples, and what they should be."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import Any, Final

STATISTICS: Final = ("min", "p50", "p99", "max")


@dataclass(frozen=True, slots=True)
class Target:
    """The most that a statistic of the samples should be."""

    statistic: str  # one of STATISTICS
    most: float


@dataclass(frozen=True, slots=True)
class Figure:
    """Samples of one thing, in `unit`; `note` says what the reader must know of this run."""

    name: str
    what: str
    unit: str
    samples: tuple[float, ...]
    targets: tuple[Target, ...] = ()
    note: str = ""

    def statistic(self, name: str) -> float:
        """Return one of STATISTICS of the samples."""
        match name:
            case "min":
                return min(self.samples)
            case "p50":
                return statistics.median(self.samples)
            case "p99":
                return percentile(self.samples, 99)
            case "max":
                return max(self.samples)
            case _:
                raise ValueError(name)

    @property
    def met(self) -> bool | None:
        """Whether all targets are met; None when there is none."""
        if not self.targets:
            return None
        return all(self.statistic(t.statistic) <= t.most for t in self.targets)

    def document(self) -> dict[str, Any]:
        """Return the figure with its statistics, for JSON."""
        computed = {name: round(self.statistic(name), 4) for name in STATISTICS}
        return {**asdict(self), **computed, "met": self.met}


def read_figure(document: dict[str, Any]) -> Figure:
    """Return the figure that the document was made of."""
    return Figure(
        name=document["name"],
        what=document["what"],
        unit=document["unit"],
        samples=tuple(document["samples"]),
        targets=tuple(Target(**target) for target in document["targets"]),
        note=document["note"],
    )


def percentile(samples: tuple[float, ...], percent: float) -> float:
    """Return the smallest sample that so many percent of them do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
