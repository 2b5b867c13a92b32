"""One process's telemetry, put together: what it counts into, where it traces, and what carries a trace on.

OpenTelemetry's SDK is loaded only where a collector is named: it costs 0.4 s of every start, and is an extra.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.errors import OperatorError
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.collector import ENDPOINT, collector_of
from orchestrator.telemetry.process import build_info, of_this_process
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.spans import Tracing, Untraced

OTLP = "orchestrator.telemetry.otlp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """`interceptors` go to the Temporal client, so that a run belongs to the trace of what started it."""

    registry: Registry
    tracing: Tracing
    interceptors: tuple[Any, ...] = ()


def registry_of(
    process: str, version: str, now: Callable[[], datetime], dropped: Callable[[], int]
) -> Registry:
    """A registry that knows the process it is in; `dropped` counts the lines that its log lost."""
    registry = Registry(catalogue.SCRAPE_FAILURES)
    build = build_info(version, process)
    registry.read("process", of_this_process(build, now().timestamp(), dropped))
    return registry


@asynccontextmanager
async def telemetry(
    registry: Registry, process: str, environment: Mapping[str, str], now: Callable[[], datetime]
) -> AsyncIterator[Telemetry]:
    """Count into the registry and, where `OTEL_*` names a collector, send there until the block ends.

    Raises:
        OperatorError: A collector is named, and it can't be spoken to as asked.
    """
    collector = collector_of(environment)
    if collector is None:
        yield Telemetry(registry=registry, tracing=Untraced())
        return
    exporter = _loaded().Exporter(collector, process, registry, now)
    working = asyncio.create_task(exporter.work())
    try:
        yield Telemetry(
            registry=registry, tracing=exporter.tracing, interceptors=(exporter.interceptor,)
        )
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await exporter.close()


def _loaded() -> Any:
    try:
        return importlib.import_module(OTLP)
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"{ENDPOINT} is set, but {error.name!r} is not installed: "
            "install `doorbell[otel]`, or unset it"
        ) from error
