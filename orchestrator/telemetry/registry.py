"""Counters, gauges and histograms, kept in dictionaries; it knows no metric by name and no way to show them.

Everything is counted in one event loop, so nothing here needs a lock. A metric has at most `MOST_SERIES` series:
what comes after is counted under the label value `other`, so that no label can grow without end.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator.telemetry.words import OTHER

MOST_SERIES: Final = 2_000
PATIENCE: Final = 2.0
"""Seconds that reading the gauges may take; those that take longer are left out of the scrape, and counted."""

Labels = tuple[str, ...]
"""The values of a metric's labels, in their order."""


class Kind(StrEnum):
    """What a metric is, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured. `bounds` are a histogram's upper bounds, without the infinite one."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """One series of a counter or a gauge."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """One series of a histogram: how many fell into each bucket (the last one is the infinite one), and their sum."""

    labels: Labels
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with what is known of it now."""

    metric: Metric
    points: tuple[Number | Distribution, ...]


Figures = Mapping[Metric, Mapping[Labels, float]]
Reading = Callable[[], Awaitable[Figures]]
"""Reads some gauges when somebody asks; it may raise whatever its source raises."""


class Counter:
    """Only ever grows."""

    __slots__ = ("metric", "values")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count."""
        try:
            self.values[labels] += amount
        except KeyError:
            labels = _bounded(self.values, labels)
            self.values[labels] = self.values.get(labels, 0) + amount

    def family(self) -> Family:
        """What is known of it now."""
        return Family(self.metric, _numbers(self.values))


class Gauge:
    """Is what it was last set to."""

    __slots__ = ("metric", "values")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, float] = {}

    def put(self, labels: Labels, value: float) -> None:
        """Set it."""
        self.values[_bounded(self.values, labels)] = value

    def family(self) -> Family:
        """What is known of it now."""
        return Family(self.metric, _numbers(self.values))


class Cells:
    """One series of a histogram."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0


class Histogram:
    """How many fell below each bound."""

    __slots__ = ("bounds", "metric", "values")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.bounds = metric.bounds
        self.values: dict[Labels, Cells] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """Count it where it falls; a clock that was set back makes it zero."""
        cells = self.values.get(labels)
        if cells is None:
            labels = _bounded(self.values, labels)
            cells = self.values.setdefault(labels, Cells(len(self.bounds) + 1))
        if value < 0:
            value = 0.0
        cells.counts[bisect_left(self.bounds, value)] += 1
        cells.sum += value

    def family(self) -> Family:
        """What is known of it now."""
        points = sorted(self.values.items())
        return Family(
            self.metric, tuple(Distribution(at, tuple(it.counts), it.sum) for at, it in points)
        )


class Registry:
    """All metrics of one process. Of those who ask at once, one reads the gauges and all get its answer."""

    def __init__(self, failures: Metric) -> None:
        self._kept: list[Counter | Gauge | Histogram] = []
        self._readings: dict[str, Reading] = {}
        self._failures = self.counter(failures)
        self._collecting: asyncio.Task[list[Family]] | None = None

    def counter(self, metric: Metric) -> Counter:
        """A counter of ours; without labels it begins at zero."""
        made = Counter(metric)
        if not metric.labels:
            made.add((), 0)
        self._kept.append(made)
        return made

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge that somebody sets."""
        made = Gauge(metric)
        self._kept.append(made)
        return made

    def histogram(self, metric: Metric) -> Histogram:
        """A histogram of ours."""
        made = Histogram(metric)
        self._kept.append(made)
        return made

    def read(self, name: str, reading: Reading) -> None:
        """Gauges that are read whenever somebody asks; `name` says in a counter that it failed."""
        self._readings[name] = reading
        self._failures.add((name,), 0)

    async def collect(self) -> list[Family]:
        """Everything that is known now, by name."""
        if self._collecting is None or self._collecting.done():
            self._collecting = asyncio.create_task(self._collect())
        return await asyncio.shield(self._collecting)

    async def _collect(self) -> list[Family]:
        read = await asyncio.gather(*(self._read(name) for name in self._readings))
        families = [_family(metric, values) for one in read for metric, values in one.items()]
        families += [kept.family() for kept in self._kept]
        return sorted(families, key=lambda family: family.metric.name)

    async def _read(self, name: str) -> Figures:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._readings[name]()
        except Exception:  # noqa: BLE001 - a gauge that can't be read must not hide the others
            self._failures.add((name,))
            return {}


def _family(metric: Metric, values: Mapping[Labels, float]) -> Family:
    return Family(metric, _numbers(dict(sorted(values.items())[:MOST_SERIES])))


def _numbers(values: Mapping[Labels, float]) -> tuple[Number, ...]:
    return tuple(Number(labels, value) for labels, value in sorted(values.items()))


def _bounded(values: Mapping[Labels, object], labels: Labels) -> Labels:
    if labels in values or len(values) < MOST_SERIES:
        return labels
    return (OTHER,) * len(labels)


def total(points: Sequence[Number | Distribution]) -> float:
    """All series of a metric together; of a histogram, how many it has seen."""
    return sum(p.value if isinstance(p, Number) else sum(p.counts) for p in points)
