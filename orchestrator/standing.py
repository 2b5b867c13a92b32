"""How the service stands, for `/status` and for the gauges of `/metrics`; it changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator import asked, views
from orchestrator.configuration.broken import broken
from orchestrator.configuration.reloading import Rejected
from orchestrator.database import Transaction
from orchestrator.inbox import subscriptions
from orchestrator.inbox.standing import held_back, standing_of
from orchestrator.ledger import losses, notices, slots, tallies
from orchestrator.parts import Parts
from orchestrator.recovery.renewing import Recoveries
from orchestrator.rehearsal.retiring import models_retiring
from orchestrator.subscribing import standing as subscribed
from orchestrator.telemetry import reach

LOOK_AT_TEMPORAL = 2.0
LATELY = 24 * 3600.0
NAMED = 20

Status = Callable[[], Awaitable[Mapping[str, Any]]]


def status_of(parts: Parts, recoveries: Recoveries) -> Status:
    """What `/status` answers."""

    async def status() -> Mapping[str, Any]:
        inbox, settings = parts.stores.inbox, parts.settings
        return {
            "inbox": {
                "events": await inbox.head(),
                "waiting": await inbox.waiting(),
                "paused": views.paused(
                    await inbox.pauses(), parts.reloading.loaded.configuration.rules
                ),
            },
            "slots": await _slots(parts),
            **await parts.stores.ledger.read(lately, parts.reloading.now().timestamp()),
            "silence": [one.told() for one in parts.hearing.standing()],
            "recovery": [one.told() for one in recoveries.standing()],
            "subscriptions": await _subscriptions(parts),
            "forwards": _forwards(parts),
            "temporal": {
                "address": settings.temporal,
                "reachable": await reachable(parts.client),
            },
            "configuration": _configuration(parts),
            "model": {
                "key": settings.anthropic_api_key is not None,
                "scripted": settings.scripted,
                "retiring": _retiring(parts),
            },
        }

    return status


def lately(connection: Transaction, now: float) -> dict[str, Any]:
    """What runs wrote, asked, told and lost in the last day, and what of it is still open."""
    since = now - LATELY
    lost = losses.since(connection, since, NAMED)
    return {
        "writes": tallies.standing(connection, since),
        "approvals": asked.waiting(connection, now),
        "notices_failed": [asked.notice(one) for one in notices.failures(connection, since, NAMED)],
        "lost": [{"run": one.run_id, "again": one.again, "words": one.words} for one in lost],
    }


def read_gauges(parts: Parts, now: Callable[[], datetime]) -> None:
    """Have the registry read, at every scrape, what is not counted as it happens."""
    registry, stores = parts.counts.registry, parts.stores
    reloading = parts.reloading

    def named() -> list[str]:
        return sorted(reloading.loaded.sources)

    registry.read("inbox", standing_of(stores.inbox_database, named, now))
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


async def _subscriptions(parts: Parts) -> list[dict[str, Any]]:
    """What was asked of MCP servers, and what came of it."""
    rows = await parts.stores.inbox_database.read(subscriptions.everything)
    now = parts.reloading.now()
    return [subscribed.told(row, now) for row in rows]


async def _slots(parts: Parts) -> list[dict[str, Any]]:
    """Each rule that limits how many of its runs are open at once, or of which something is held."""
    held = await parts.stores.inbox_database.read(held_back)
    taken = await parts.stores.ledger.read(slots.taken)
    return [
        {
            "rule": rule.name,
            "open": taken.get(rule.id, 0),
            "concurrent": rule.limits.concurrent,
            "held": held.get(rule.name, 0),
        }
        for rule in parts.reloading.loaded.configuration.rules
        if rule.limits.concurrent is not None or rule.name in held
    ]


def _configuration(parts: Parts) -> dict[str, Any]:
    loaded, rejected = parts.reloading.loaded, parts.reloading.rejected
    configuration = loaded.configuration
    return {
        "digest": configuration.digest,
        "number": loaded.number,
        "loaded_at": loaded.at.isoformat(),
        "rules": [rule.name for rule in configuration.rules],
        "sources": sorted(configuration.sources),
        "mistakes": [str(mistake) for mistake in configuration.mistakes],
        "warnings": [str(warning) for warning in configuration.warnings],
        "broken": [one.told() for one in broken(configuration.mistakes, loaded.reading.texts)],
        "rejected": None if rejected is None else _rejected(rejected),
    }


def _retiring(parts: Parts) -> dict[str, str]:
    return models_retiring(parts.reloading.loaded.configuration, parts.reloading.now().date())


def _rejected(rejected: Rejected) -> dict[str, Any]:
    return {
        "digest": rejected.digest,
        "at": rejected.at.isoformat(),
        "broken": [one.told() for one in broken(rejected.mistakes, rejected.texts)],
    }
