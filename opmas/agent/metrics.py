"""What an agent counts: counters, gauges and histograms, each with labels, as one set.

Names are Prometheus names (https://prometheus.io/docs/practices/naming/): base units, the unit in
the name, counters end in `_total`. A number that is none (NaN, infinite) is left out of the set:
JSON has no word for it, and "not known" is what it means.
"""

from __future__ import annotations

import math
import re
from _thread import allocate_lock

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TypeVar

    Labels = tuple[tuple[str, str], ...]
    M = TypeVar("M", "Counter", "Gauge", "Histogram")

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Seconds; from a read of /proc to a round that takes a minute.
BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)

# Workers count as well: `x += 1` on a dict's value is not one step. One lock for all is enough,
# it is held for one addition.
_LOCK = allocate_lock()


class Counter:
    """A number that only grows."""

    kind = "counter"

    def __init__(self, name: str, help: str, unit: str) -> None:  # noqa: A002 - Prometheus's word
        self.name, self.help, self.unit = name, help, unit
        self._values: dict[Labels, float] = {}

    def inc(self, amount: float = 1, /, **labels: object) -> None:
        """Add to the counter of these labels."""
        if amount < 0:
            raise ValueError(f"cannot take {amount} off counter {self.name}: it only grows")
        key = _key(labels)
        with _LOCK:
            self._values[key] = self._values.get(key, 0) + amount

    def set_total(self, value: float, /, **labels: object) -> None:
        """Take over a total that is counted elsewhere: by the kernel, by a server."""
        with _LOCK:
            self._values[_key(labels)] = value

    def clear(self) -> None:
        """Forget the counters of all labels."""
        with _LOCK:
            self._values.clear()

    def samples(self) -> Iterable[dict[str, Any]]:
        """Return each labelled value as it is sent."""
        with _LOCK:
            values = list(self._values.items())
        return _valued(self.name, self.kind, values)


class Gauge:
    """A number that goes up and down."""

    kind = "gauge"

    def __init__(self, name: str, help: str, unit: str) -> None:  # noqa: A002 - Prometheus's word
        self.name, self.help, self.unit = name, help, unit
        self._values: dict[Labels, float] = {}

    def set(self, value: float, /, **labels: object) -> None:
        """Set the gauge of these labels."""
        with _LOCK:
            self._values[_key(labels)] = value

    def inc(self, amount: float = 1, /, **labels: object) -> None:
        """Add to the gauge of these labels; a negative amount takes off."""
        key = _key(labels)
        with _LOCK:
            self._values[key] = self._values.get(key, 0) + amount

    def remove(self, **labels: object) -> None:
        """Forget the gauge of these labels: the thing is gone."""
        with _LOCK:
            self._values.pop(_key(labels), None)

    def clear(self) -> None:
        """Forget the gauges of all labels."""
        with _LOCK:
            self._values.clear()

    def samples(self) -> Iterable[dict[str, Any]]:
        """Return each labelled value as it is sent."""
        with _LOCK:
            values = list(self._values.items())
        return _valued(self.name, self.kind, values)


class Histogram:
    """How a measured number is spread; `buckets` are upper bounds, in rising order."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 - Prometheus's word
        unit: str,
        buckets: Sequence[float] = BUCKETS,
    ) -> None:
        self.name, self.help, self.unit = name, help, unit
        self.buckets = tuple(float(b) for b in buckets)
        if not self.buckets or list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError(f"cannot use buckets {buckets!r} of {name}: must rise")
        # labels -> one count per bucket, then the count of all and their sum
        self._values: dict[Labels, list[float]] = {}

    def observe(self, value: float, /, **labels: object) -> None:
        """Count one measured value."""
        if not math.isfinite(value):
            return
        key = _key(labels)
        with _LOCK:
            counts = self._values.setdefault(key, [0] * len(self.buckets) + [0, 0.0])
            for index, bound in enumerate(self.buckets):
                if value <= bound:
                    counts[index] += 1
            counts[-2] += 1
            counts[-1] += value

    def samples(self) -> Iterable[dict[str, Any]]:
        """Return each labelled value as it is sent; bucket counts include the smaller buckets'."""
        with _LOCK:
            values = [(key, list(counts)) for key, counts in self._values.items()]
        for key, counts in values:
            yield {
                "name": self.name,
                "kind": self.kind,
                "labels": dict(key),
                "buckets": [list(pair) for pair in zip(self.buckets, counts, strict=False)],
                "sum": counts[-1],
                "count": counts[-2],
            }


class Metrics:
    """All metrics of one agent; asking again for the same name gives the same metric."""

    def __init__(self) -> None:
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, help: str = "", unit: str = "") -> Counter:  # noqa: A002 - as above
        """Return the counter of that name."""
        return self._known(name, Counter) or self._add(Counter(name, help, unit))

    def gauge(self, name: str, help: str = "", unit: str = "") -> Gauge:  # noqa: A002 - as above
        """Return the gauge of that name."""
        return self._known(name, Gauge) or self._add(Gauge(name, help, unit))

    def histogram(
        self,
        name: str,
        help: str = "",  # noqa: A002 - as above
        unit: str = "",
        buckets: Sequence[float] = BUCKETS,
    ) -> Histogram:
        """Return the histogram of that name."""
        return self._known(name, Histogram) or self._add(Histogram(name, help, unit, buckets))

    def samples(self) -> list[dict[str, Any]]:
        """Return the whole set as it is sent to the manager."""
        return [sample for metric in list(self._metrics.values()) for sample in metric.samples()]

    def _known(self, name: str, cls: type[M]) -> M | None:
        metric = self._metrics.get(name)
        if metric is None or isinstance(metric, cls):
            return metric
        raise ValueError(f"cannot make {name} a {cls.__name__.lower()}: it is a {metric.kind}")

    def _add(self, metric: M) -> M:
        if not NAME.fullmatch(metric.name):
            raise ValueError(
                f"cannot use {metric.name!r} as a metric's name: use letters, digits, _ and :,"
                ' like "queue_length_bytes"'
            )
        self._metrics[metric.name] = metric
        return metric


def _key(labels: dict[str, object]) -> Labels:
    for name in labels:
        if not LABEL.fullmatch(name):
            raise ValueError(f"cannot use {name!r} as a label: use letters, digits and _")
    return tuple(sorted((name, str(value)) for name, value in labels.items()))


def _valued(
    name: str, kind: str, values: Iterable[tuple[Labels, float]]
) -> Iterable[dict[str, Any]]:
    for key, value in values:
        if math.isfinite(value):
            yield {"name": name, "kind": kind, "labels": dict(key), "value": value}
