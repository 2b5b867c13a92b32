"""Process 1, the service: the door and the dispatcher; the composition root of everything up to the run."""

import asyncio
import gc
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata

import structlog
from litestar.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from orchestrator import retention, temporal
from orchestrator.configuration.configuration import Configuration
from orchestrator.dispatch.destinations import destinations
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.forwards import Forwards
from orchestrator.dispatch.runs import Runs, TemporalRuns
from orchestrator.dispatch.traced import TracedRuns
from orchestrator.doorbell import app
from orchestrator.doorbell.clients import trusted_of
from orchestrator.doorbell.fetching import fetching
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.listener import bound, host_of, inherited, port_of, url_of
from orchestrator.doorbell.listening import serving
from orchestrator.doorbell.receive import Keeps, door
from orchestrator.doorbell.scraping import metrics_route
from orchestrator.doorbell.telling import Telling
from orchestrator.errors import OperatorError
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Arrival, Receipt
from orchestrator.logs import Journal
from orchestrator.parts import Counts, Parts
from orchestrator.recovery.gaps import Recovered
from orchestrator.recovery.hearing import Hearing
from orchestrator.recovery.indoors import indoors
from orchestrator.recovery.recovering import Recovering, recovering
from orchestrator.releasing import Releaser
from orchestrator.secrets import Secret
from orchestrator.settings import Settings
from orchestrator.sources.operator import operator_source
from orchestrator.sources.source import OPERATOR, Source
from orchestrator.sources.unsigned import check_listening
from orchestrator.standing import read_gauges, status_of
from orchestrator.state import Addresses, StateDirectory
from orchestrator.stores import Stores, configuration_reader
from orchestrator.telemetry import words
from orchestrator.telemetry.instruments import DispatchInstruments, DoorInstruments
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.scrape import Permission
from orchestrator.telemetry.telemetry import Telemetry, registry_of, telemetry

GARBAGE = (20_000, 20, 50)
"""Allocations between two collections of each generation; stock is 700, 10, 10."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """The door is open: where, and who goes after what never came through it."""

    url: str
    recovering: Sequence[Recovering]


async def serve(settings: Settings, environment: Mapping[str, str], journal: Journal) -> None:
    """Serve until SIGTERM; then stop listening, finish what is under way, and leave."""
    listener = inherited(environment, os.getpid())
    if listener is not None:
        where = {"host": host_of(listener), "port": port_of(listener)}
        settings = settings.model_copy(update=where)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    version = metadata.version("doorbell")
    registry = registry_of("service", version, _now, lambda: journal.dropped)
    with StateDirectory.open(settings.state, role="service") as state:
        async with (
            telemetry(registry, "service", environment, _now) as told,
            _parts(settings, environment, state, told, journal) as parts,
            _door(parts, listener) as opened,
        ):
            _seldom_collect()
            working = asyncio.gather(*_loops(parts, opened))
            parts.log.info("service.ready", url=opened.url)
            await stopping.wait()
            parts.log.info("service.stopping")
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        state.withdraw()


@asynccontextmanager
async def _parts(
    settings: Settings,
    environment: Mapping[str, str],
    state: StateDirectory,
    told: Telemetry,
    journal: Journal,
) -> AsyncIterator[Parts]:
    if settings.temporal is None:
        text = "the service needs a Temporal server: give --temporal ADDRESS, or use `doorbell up`"
        raise OperatorError(text)
    log = structlog.get_logger("service")
    configuration = _read(settings, environment, log)
    sources = _sources(configuration, state, settings.host)
    counts = _counts(told.registry, sources)
    forwards = destinations(lambda: configuration, _now, log, counts=counts.dispatch)
    stores = Stores.open(state, settings.database)
    try:
        if settings.database is None:
            # On SQLite we are the only service: what a killed one had leased need not wait for its leases to end.
            await stores.inbox.free_leases()
        client = await temporal.connect(
            settings.temporal, settings.namespace, lazy=True, interceptors=told.interceptors
        )
        runs = TracedRuns(TemporalRuns(client, settings.task_queue), told.tracing)
        parts = Parts(
            settings=settings,
            state=state,
            stores=stores,
            configuration=configuration,
            sources=sources,
            client=client,
            dispatcher=_dispatcher(stores, runs, forwards, configuration, sources, counts, told),
            forwards=forwards,
            hearing=Hearing(lambda: sources, stores.inbox, _now, log, tell=counts.dispatch.silent),
            telling=Telling(counts.door, journal.delivery, told.tracing),
            counts=counts,
            log=log,
        )
        read_gauges(parts, _now)
        yield parts
    finally:
        stores.close()


def _counts(registry: Registry, sources: Mapping[str, Source]) -> Counts:
    return Counts(
        registry=registry,
        door=DoorInstruments(registry, lambda: sources),
        dispatch=DispatchInstruments(registry, lambda: sources),
    )


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
    runs: Runs,
    forwards: Forwards,
    configuration: Configuration,
    sources: dict[str, Source],
    counts: Counts,
    told: Telemetry,
) -> Dispatcher:
    return Dispatcher(
        inbox=stores.inbox,
        ledger=stores.ledger,
        runs=runs,
        forwards=forwards,
        configuration=lambda: configuration,
        sources=lambda: sources,
        now=_now,
        log=structlog.get_logger("service"),
        counts=counts.dispatch,
        tracing=told.tracing,
    )


@asynccontextmanager
async def _door(parts: Parts, listener: socket.socket | None) -> AsyncIterator[Open]:
    settings, inbox = parts.settings, parts.stores.inbox
    async with (
        GroupCommit(inbox, partial(_backlog, parts.sources), parts.counts.door) as commit,
        RefusalLog(inbox) as refused,
    ):
        at_the_door = partial(_at_the_door, parts, refused)
        ringing = Ringing(commit, parts.dispatcher.poke)
        after_all = _recovering(parts, at_the_door, ringing)
        application = app.build(
            at_the_door(ringing),
            Readiness(inbox.pulse, _now),
            status_of(parts, after_all),
            parts.log,
            route_handlers=[
                metrics_route(
                    parts.counts.registry,
                    Permission(host=settings.host, token=settings.metrics_token),
                )
            ],
        )
        listener = listener or bound(settings.host, settings.port)
        url = url_of(host_of(listener), port_of(listener))
        async with serving(application, listener):
            parts.state.announce(_addresses(settings, url))
            yield Open(url=url, recovering=after_all)


def _at_the_door(parts: Parts, refused: RefusalLog, keeps: Keeps) -> ASGIApp:
    return door(
        lambda: parts.sources,
        keeps,
        refused.refuse,
        _now,
        _new_id,
        parts.telling.delivery,
        trusted=trusted_of(parts.settings.trusted_proxies),
        fetch=fetching(),
    )


def _recovering(
    parts: Parts, at_the_door: Callable[[Keeps], ASGIApp], keeps: Keeps
) -> list[Recovering]:
    def tell(source: str, recovered: Recovered) -> None:
        counts = parts.counts.dispatch
        counts.recovered(source, recovered.reinjected, words.Recovered.RUNG)
        counts.recovered(source, recovered.asked_again, words.Recovered.ASKED)
        counts.recovered(source, recovered.failed, words.Recovered.FAILED)

    ring = indoors(at_the_door, keeps)
    return recovering(parts.sources, ring, parts.stores.inbox, _now, parts.log, tell=tell)


def _seldom_collect() -> None:
    # What stands now stays: looking through it again and again costs a tenth of what a delivery may.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _loops(parts: Parts, opened: Open) -> list[asyncio.Task[object]]:
    works = [
        parts.dispatcher.work(),
        parts.hearing.work(),
        _nightly(parts),
        _releaser(parts).work(),
        *(one.work() for one in opened.recovering),
    ]
    return [asyncio.create_task(work) for work in works]


def _addresses(settings: Settings, url: str) -> Addresses:
    return Addresses(
        url=url,
        pid=os.getpid(),
        temporal=settings.temporal or "",
        temporal_ui=settings.temporal_ui,
    )


def _releaser(parts: Parts) -> Releaser:
    return Releaser(
        inbox=parts.stores.inbox,
        ledger=parts.stores.ledger,
        configuration=parts.dispatcher.configuration,
        now=_now,
        poke=parts.dispatcher.poke,
        log=parts.log,
    )


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
