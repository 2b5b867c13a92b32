"""Where an OpenTelemetry collector is, from the `OTEL_*` variables everybody uses for it; pure, and speaks to nobody.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from orchestrator.errors import OperatorError

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
SERVICE: Final = "OTEL_SERVICE_NAME"
RESOURCE: Final = "OTEL_RESOURCE_ATTRIBUTES"
SAMPLER: Final = "OTEL_TRACES_SAMPLER"
SAMPLER_ARG: Final = "OTEL_TRACES_SAMPLER_ARG"
INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
DISABLED: Final = "OTEL_SDK_DISABLED"

SPOKEN: Final = "http/protobuf"
ALWAYS: Final = frozenset({"always_on", "parentbased_always_on"})
NEVER: Final = frozenset({"always_off", "parentbased_always_off"})
SOMETIMES: Final = frozenset({"traceidratio", "parentbased_traceidratio"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where metrics and traces go. `ratio` of the traces are kept; metrics go out every `interval` seconds."""

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    service: str = "doorbell"
    resource: Mapping[str, str] = field(default_factory=dict)
    ratio: float = 1.0
    interval: float = 60.0


def collector_of(environment: Mapping[str, str]) -> Collector | None:
    """The collector that is asked for; None where none is.

    Raises:
        OperatorError: A variable says what we can't do.
    """
    endpoint = environment.get(ENDPOINT, "").strip().rstrip("/")
    if not endpoint or environment.get(DISABLED, "").strip().lower() == "true":
        return None
    if not endpoint.startswith(("http://", "https://")):
        raise _wrong(ENDPOINT, "an address such as http://127.0.0.1:4318", endpoint)
    protocol = environment.get(PROTOCOL, SPOKEN)
    if protocol != SPOKEN:
        raise _wrong(PROTOCOL, f"{SPOKEN} (usually port 4318)", protocol)
    resource = _pairs(environment.get(RESOURCE, ""))
    return Collector(
        endpoint=endpoint,
        headers=_pairs(environment.get(HEADERS, "")),
        service=environment.get(SERVICE) or resource.get("service.name") or "doorbell",
        resource=resource,
        ratio=_ratio(environment),
        interval=_number(environment, INTERVAL, "60000", least=100.0, most=3.6e6) / 1000,
    )


def _ratio(environment: Mapping[str, str]) -> float:
    sampler = environment.get(SAMPLER) or "parentbased_always_on"
    if sampler in NEVER:
        return 0.0
    if sampler in ALWAYS:
        return 1.0
    if sampler in SOMETIMES:
        return _number(environment, SAMPLER_ARG, "1.0", least=0.0, most=1.0)
    raise _wrong(SAMPLER, f"one of {', '.join(sorted(ALWAYS | NEVER | SOMETIMES))}", sampler)


def _number(
    environment: Mapping[str, str], name: str, default: str, *, least: float, most: float
) -> float:
    text = environment.get(name) or default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise _wrong(name, f"a number from {least:g} to {most:g}", text)
    return value


def _pairs(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {unquote(name).strip(): unquote(value).strip() for name, _, value in pairs}


def _wrong(name: str, expected: str, came: str) -> OperatorError:
    return OperatorError(
        f"{name}: expected {expected}, got {came!r}; change it, or unset {ENDPOINT}"
    )
