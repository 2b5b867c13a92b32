"""Counted families as the points of OpenTelemetry's SDK; it counts nothing and sends nothing."""

from typing import Any

from opentelemetry.sdk.metrics import export as points

from orchestrator.telemetry.registry import Distribution, Family, Kind, Metric, Number


def metric_of(family: Family, started: int, at: int) -> points.Metric:
    """A family as OTLP has it, cumulative since `started`; Prometheus' suffix `_total` is its own to add."""
    metric = family.metric
    data: Any
    match metric.kind:
        case Kind.COUNTER:
            data = points.Sum(
                _numbers(family, started, at),
                points.AggregationTemporality.CUMULATIVE,
                is_monotonic=True,
            )
        case Kind.GAUGE:
            data = points.Gauge(_numbers(family, started, at))
        case Kind.HISTOGRAM:
            data = points.Histogram(
                _distributions(family, started, at), points.AggregationTemporality.CUMULATIVE
            )
    return points.Metric(metric.name.removesuffix("_total"), metric.help, _unit(metric), data)


def _numbers(family: Family, started: int, at: int) -> list[points.NumberDataPoint]:
    return [
        points.NumberDataPoint(_labelled(family, point.labels), started, at, float(point.value))
        for point in family.points
        if isinstance(point, Number)
    ]


def _distributions(family: Family, started: int, at: int) -> list[points.HistogramDataPoint]:
    return [
        points.HistogramDataPoint(
            attributes=_labelled(family, point.labels),
            start_time_unix_nano=started,
            time_unix_nano=at,
            count=sum(point.counts),
            sum=point.sum,
            bucket_counts=point.counts,
            explicit_bounds=family.metric.bounds,
            min=None,  # type: ignore[arg-type]  # optional on the wire, and not known here
            max=None,  # type: ignore[arg-type]
        )
        for point in family.points
        if isinstance(point, Distribution)
    ]


def _labelled(family: Family, values: tuple[str, ...]) -> dict[str, str]:
    return {
        name: str(value) for name, value in zip(family.metric.labels, values, strict=True) if value
    }


def _unit(metric: Metric) -> str:
    plain = metric.name.removesuffix("_total")
    return {"seconds": "s", "bytes": "By"}.get(plain.rpartition("_")[2], "")
