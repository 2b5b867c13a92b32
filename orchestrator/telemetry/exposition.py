"""Metrics as text, for Prometheus and for OpenMetrics; pure: it counts nothing and asks nobody.

https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from orchestrator.telemetry.registry import Distribution, Family, Kind, Labels, Number

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_LABEL: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Text:
    """What to answer with."""

    content_type: str
    body: bytes


def exposed(families: Iterable[Family], accept: str) -> Text:
    """The families in the words that the one who asks understands best."""
    open_metrics = "application/openmetrics-text" in accept
    lines = [line for family in families for line in _family(family, open_metrics=open_metrics)]
    if open_metrics:
        lines.append("# EOF")
    body = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    return Text(OPENMETRICS if open_metrics else PROMETHEUS, body)


def _family(family: Family, *, open_metrics: bool) -> Iterator[str]:
    metric = family.metric
    counts = open_metrics and metric.kind is Kind.COUNTER
    name = metric.name.removesuffix("_total") if counts else metric.name
    yield f"# HELP {name} {metric.help.translate(_HELP)}"
    yield f"# TYPE {name} {metric.kind}"
    for point in family.points:
        match point:
            case Number():
                yield f"{metric.name}{_braced(metric.labels, point.labels)} {_figure(point.value)}"
            case Distribution():
                yield from _buckets(family, point)


def _buckets(family: Family, point: Distribution) -> Iterator[str]:
    metric = family.metric
    bounds = [*(_figure(bound) for bound in metric.bounds), "+Inf"]
    for bound, below in zip(bounds, accumulate(point.counts), strict=True):
        within = _braced((*metric.labels, "le"), (*point.labels, bound))
        yield f"{metric.name}_bucket{within} {below}"
    plain = _braced(metric.labels, point.labels)
    yield f"{metric.name}_count{plain} {sum(point.counts)}"
    yield f"{metric.name}_sum{plain} {_figure(point.sum)}"


def _braced(names: tuple[str, ...], values: Labels) -> str:
    if not names:
        return ""
    pairs = (
        f'{name}="{value.translate(_LABEL)}"' for name, value in zip(names, values, strict=True)
    )
    return "{" + ",".join(pairs) + "}"


def _figure(value: float) -> str:
    return repr(float(value))
