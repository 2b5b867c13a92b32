"""How the service stands, for `/status` and for the gauges of `/metrics`; it changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator import views
from orchestrator.inbox.standing import standing_of
from orchestrator.parts import Parts
from orchestrator.recovery.recovering import Recovering
from orchestrator.telemetry import reach

LOOK_AT_TEMPORAL = 2.0

Status = Callable[[], Awaitable[Mapping[str, Any]]]


def status_of(parts: Parts, recovering: Sequence[Recovering]) -> Status:
    """What `/status` answers."""

    async def status() -> Mapping[str, Any]:
        inbox, settings = parts.stores.inbox, parts.settings
        return {
            "inbox": {
                "events": await inbox.head(),
                "waiting": await inbox.waiting(),
                "paused": views.paused(await inbox.pauses()),
            },
            "silence": [one.told() for one in parts.hearing.standing()],
            "recovery": [one.standing().told() for one in recovering],
            "forwards": _forwards(parts),
            "temporal": {
                "address": settings.temporal,
                "reachable": await reachable(parts.client),
            },
            "configuration": _configuration(parts),
            "model": {
                "key": settings.anthropic_api_key is not None,
                "scripted": settings.scripted,
            },
        }

    return status


def read_gauges(parts: Parts, now: Callable[[], datetime]) -> None:
    """Have the registry read, at every scrape, what is not counted as it happens."""
    registry, stores = parts.counts.registry, parts.stores
    registry.read("inbox", standing_of(stores.inbox_database, lambda: sorted(parts.sources), now))
    registry.read("temporal", reach.temporal(lambda: reachable(parts.client)))
    registry.read(
        "breakers",
        reach.breakers(lambda: [(one.destination, one.state) for one in parts.forwards.status()]),
    )


async def reachable(client: Client) -> bool:
    """Whether Temporal answers at all."""
    try:
        async with asyncio.timeout(LOOK_AT_TEMPORAL):
            return await client.service_client.check_health()
    except (RPCError, RuntimeError, TimeoutError):
        return False


def _forwards(parts: Parts) -> list[dict[str, Any]]:
    return [
        {
            "to": one.destination,
            "state": one.state,
            "failures": one.failures,
            "until": None if one.until is None else one.until.isoformat(),
            "error": one.error,
        }
        for one in parts.forwards.status()
    ]


def _configuration(parts: Parts) -> dict[str, Any]:
    configuration = parts.configuration
    return {
        "digest": configuration.digest,
        "rules": [rule.name for rule in configuration.rules],
        "sources": sorted(configuration.sources),
        "mistakes": [str(mistake) for mistake in configuration.mistakes],
        "warnings": [str(warning) for warning in configuration.warnings],
    }
