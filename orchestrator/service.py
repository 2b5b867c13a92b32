"""Process 1, the service: the door and the dispatcher; the composition root of everything up to the run."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger
from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator import retention, temporal
from orchestrator.configuration.configuration import Configuration
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.doorbell import app
from orchestrator.doorbell.fetching import fetching
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.listening import listening
from orchestrator.doorbell.receive import door
from orchestrator.errors import OperatorError
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Arrival, Receipt
from orchestrator.secrets import Secret
from orchestrator.settings import Settings
from orchestrator.sources.operator import operator_source
from orchestrator.sources.source import OPERATOR, Source
from orchestrator.sources.unsigned import check_listening
from orchestrator.state import Addresses, StateDirectory
from orchestrator.stores import Stores, configuration_reader

LOOK_AT_TEMPORAL = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything the service is made of, made once."""

    settings: Settings
    state: StateDirectory
    stores: Stores
    configuration: Configuration
    sources: Mapping[str, Source]
    client: Client
    dispatcher: Dispatcher
    log: FilteringBoundLogger


class Ringing:
    """Keep a delivery, then tell the dispatcher that one is there."""

    def __init__(self, commit: GroupCommit, poke: Callable[[], None]) -> None:
        self._commit = commit
        self._poke = poke

    async def keep(self, arrival: Arrival) -> Receipt:
        """See `GroupCommit.keep`."""
        receipt = await self._commit.keep(arrival)
        self._poke()
        return receipt


async def serve(settings: Settings, environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM; then stop listening, finish what is under way, and leave."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with StateDirectory.open(settings.state, role="service") as state:
        async with _parts(settings, environment, state) as parts, _door(parts) as url:
            dispatching = asyncio.gather(parts.dispatcher.work(), _nightly(parts))
            parts.log.info("service.ready", url=url)
            await stopping.wait()
            parts.log.info("service.stopping")
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching
        state.withdraw()


@asynccontextmanager
async def _parts(
    settings: Settings, environment: Mapping[str, str], state: StateDirectory
) -> AsyncIterator[Parts]:
    if settings.temporal is None:
        text = "the service needs a Temporal server: give --temporal ADDRESS, or use `doorbell up`"
        raise OperatorError(text)
    log = structlog.get_logger("service")
    configuration = _read(settings, environment, log)
    sources = _sources(configuration, state, settings.host)
    stores = Stores.open(state, settings.database)
    try:
        if settings.database is None:
            # On SQLite we are the only service: what a killed one had leased need not wait for its leases to end.
            await stores.inbox.free_leases()
        client = await temporal.connect(settings.temporal, settings.namespace, lazy=True)
        yield Parts(
            settings=settings,
            state=state,
            stores=stores,
            configuration=configuration,
            sources=sources,
            client=client,
            dispatcher=_dispatcher(stores, client, settings, configuration, sources, log),
            log=log,
        )
    finally:
        stores.close()


def _read(
    settings: Settings, environment: Mapping[str, str], log: FilteringBoundLogger
) -> Configuration:
    configuration = configuration_reader(settings.config, environment)()
    for mistake in configuration.mistakes:
        log.error("configuration.mistake", mistake=str(mistake))
    for warning in configuration.warnings:
        log.warning("configuration.warning", warning=str(warning))
    return configuration


def _sources(configuration: Configuration, state: StateDirectory, host: str) -> dict[str, Source]:
    operator = operator_source(Secret("file:operator.secret", state.operator_secret()))
    sources = {**configuration.sources, OPERATOR: operator}
    check_listening(sources, host)
    return sources


def _dispatcher(
    stores: Stores,
    client: Client,
    settings: Settings,
    configuration: Configuration,
    sources: dict[str, Source],
    log: FilteringBoundLogger,
) -> Dispatcher:
    return Dispatcher(
        inbox=stores.inbox,
        ledger=stores.ledger,
        runs=TemporalRuns(client, settings.task_queue),
        configuration=lambda: configuration,
        sources=lambda: sources,
        now=_now,
        log=log,
    )


@asynccontextmanager
async def _door(parts: Parts) -> AsyncIterator[str]:
    inbox = parts.stores.inbox
    async with (
        GroupCommit(inbox, partial(_backlog, parts.sources)) as commit,
        RefusalLog(inbox) as refused,
    ):
        ringing = Ringing(commit, parts.dispatcher.poke)
        handler = door(
            lambda: parts.sources,
            ringing,
            refused.refuse,
            _now,
            _new_id,
            parts.log,
            fetch=fetching(),
        )
        application = app.build(handler, Readiness(inbox.pulse, _now), _status(parts), parts.log)
        async with listening(application, parts.settings.host, parts.settings.port):
            url = f"http://{parts.settings.host}:{parts.settings.port}"
            parts.state.announce(_addresses(parts.settings, url))
            yield url


def _addresses(settings: Settings, url: str) -> Addresses:
    reachable = url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - looked up, not listened on
    return Addresses(
        url=reachable,
        pid=os.getpid(),
        temporal=settings.temporal or "",
        temporal_ui=settings.temporal_ui,
    )


def _status(parts: Parts) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    async def status() -> Mapping[str, Any]:
        return {
            "inbox": {
                "events": await parts.stores.inbox.head(),
                "waiting": await parts.stores.inbox.waiting(),
            },
            "temporal": {
                "address": parts.settings.temporal,
                "reachable": await _reachable(parts.client),
            },
            "configuration": {
                "digest": parts.configuration.digest,
                "rules": [rule.name for rule in parts.configuration.rules],
                "sources": sorted(parts.configuration.sources),
                "mistakes": [str(mistake) for mistake in parts.configuration.mistakes],
                "warnings": [str(warning) for warning in parts.configuration.warnings],
            },
            "model": {
                "key": parts.settings.anthropic_api_key is not None,
                "scripted": parts.settings.scripted,
            },
        }

    return status


async def _reachable(client: Client) -> bool:
    try:
        async with asyncio.timeout(LOOK_AT_TEMPORAL):
            return await client.service_client.check_health()
    except (RPCError, RuntimeError, TimeoutError):
        return False


async def _nightly(parts: Parts) -> None:
    inbox, referred = parts.stores.inbox, retention.referred_in(parts.stores.ledger)
    keep = partial(_kept, parts.sources)
    await retention.nightly(lambda: retention.prune(inbox, referred, keep, _now()), _now, parts.log)


def _backlog(sources: Mapping[str, Source], name: str) -> int | None:
    source = sources.get(name)
    return None if source is None else source.backlog


def _kept(sources: Mapping[str, Source], name: str) -> timedelta | None:
    source = sources.get(name)
    return retention.DEFAULT_KEEP if source is None else source.keep


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return f"evt_{secrets.token_hex(8)}"
