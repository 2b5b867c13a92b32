"""Process 1, the service: the door and the dispatcher; the composition root of everything up to the run."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

import structlog
from litestar.types import ASGIApp

from orchestrator import outreach, rounds, temporal
from orchestrator.api import api_of
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import SOURCES
from orchestrator.configuration.reloading import Reloading
from orchestrator.console.rest.app import beside
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
from orchestrator.errors import Flaw, Mistake, OperatorError
from orchestrator.events import event_id
from orchestrator.garbage import collect_seldom
from orchestrator.inbox import subscriptions
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Arrival, Receipt
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.logs import Journal
from orchestrator.parts import Counts, Parts
from orchestrator.recovery.hearing import Hearing
from orchestrator.recovery.indoors import Ring, indoors
from orchestrator.recovery.renewing import Recoveries
from orchestrator.schedules import clock
from orchestrator.schedules.keeping import Schedules
from orchestrator.schedules.ringing import Ringing as Ticking
from orchestrator.secrets import Secret
from orchestrator.settings import Settings, environment
from orchestrator.sources.notices import notices_source
from orchestrator.sources.operator import operator_source
from orchestrator.sources.schedule import schedule_source
from orchestrator.sources.source import DOORBELL, OPERATOR, SCHEDULE
from orchestrator.sources.unsigned import check_listening
from orchestrator.standing import read_gauges, status_of
from orchestrator.state import Addresses, StateDirectory
from orchestrator.stores import Stores, reloading_of
from orchestrator.subscribing.subscribing import Subscribing
from orchestrator.telemetry.instruments import DispatchInstruments, DoorInstruments
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.scrape import Permission
from orchestrator.telemetry.telemetry import Telemetry, registry_of, telemetry


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
    """The door is open: where, how it is rung from inside, and who goes after what never came through it."""

    url: str
    ring: Ring
    recoveries: Recoveries
    subscribing: Subscribing


async def serve(settings: Settings, dotenv: Path, journal: Journal) -> None:
    """Serve until SIGTERM; then stop listening, finish what is under way, and leave."""
    # Until we can hear it, a reload has nothing to tell us: we read what is there anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told_at_start = environment(dotenv)
    listener = inherited(told_at_start, os.getpid())
    settings, stopping = _listening_on(settings, listener), _stopping()
    version = metadata.version("doorbell")
    registry = registry_of("service", version, _now, lambda: journal.dropped)
    with StateDirectory.open(settings.state, role="service") as state:
        async with (
            telemetry(registry, "service", told_at_start, _now) as told,
            _parts(settings, dotenv, state, told, journal) as parts,
            _door(parts, listener) as opened,
        ):
            collect_seldom()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, parts.reloading.ask)
            working = asyncio.gather(*_loops(parts, opened))
            parts.log.info("service.ready", url=opened.url)
            await stopping.wait()
            parts.log.info("service.stopping")
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        state.withdraw()


def _listening_on(settings: Settings, listener: socket.socket | None) -> Settings:
    """A socket that we were given says where we are, whatever the settings say."""
    if listener is None:
        return settings
    where = {"host": host_of(listener), "port": port_of(listener)}
    return settings.model_copy(update=where)


def _stopping() -> asyncio.Event:
    """Set when we are told to leave."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


@asynccontextmanager
async def _parts(
    settings: Settings, dotenv: Path, state: StateDirectory, told: Telemetry, journal: Journal
) -> AsyncIterator[Parts]:
    log, address = structlog.get_logger("service"), _temporal_at(settings)
    with closing(Stores.open(state, settings.database)) as stores:
        reloading = await _reloading(settings, dotenv, state, stores)
        redact = redact_of(held_by(settings), reloading.configuration)

        def redacted(text: str) -> str:
            return redact().text(text)

        journal.redact(redacted)
        counts = _counts(told.registry, reloading)
        reloading.count = counts.dispatch.reloaded
        forwards = destinations(
            reloading.configuration, _now, log, redact=redacted, counts=counts.dispatch
        )
        if settings.database is None:
            await _free(stores)
        client = await temporal.connect(
            address, settings.namespace, lazy=True, interceptors=told.interceptors
        )
        runs = TracedRuns(TemporalRuns(client, settings.task_queue), told.tracing)
        parts = Parts(
            settings=settings,
            state=state,
            stores=stores,
            reloading=reloading,
            client=client,
            dispatcher=_dispatcher(stores, runs, forwards, reloading, counts, told),
            forwards=forwards,
            hearing=_hearing(stores, reloading, counts),
            telling=Telling(counts.door, journal.delivery, told.tracing),
            counts=counts,
            log=log,
        )
        read_gauges(parts, _now)
        yield parts


def _temporal_at(settings: Settings) -> str:
    if settings.temporal is None:
        text = "the service needs a Temporal server: give --temporal ADDRESS, or use `doorbell up`"
        raise OperatorError(text)
    return settings.temporal


async def _free(stores: Stores) -> None:
    """What a killed service had leased need not wait for its leases to end: on SQLite we are the only one."""
    await stores.inbox.free_leases()
    await stores.inbox_database.write(subscriptions.free)


async def _reloading(
    settings: Settings, dotenv: Path, state: StateDirectory, stores: Stores
) -> Reloading:
    log = structlog.get_logger("service")
    at = settings.config
    made = reloading_of(at, partial(environment, dotenv), dotenv, stores.ledger, _now, log)
    secret = Secret("file:operator.secret", state.operator_secret())
    made.built_in = {
        OPERATOR: operator_source(secret),
        SCHEDULE: schedule_source(secret),
        DOORBELL: notices_source(secret),
    }
    made.vet, made.keeps = partial(_unlistenable, settings.host), True
    loaded = await made.start()
    check_listening(loaded.sources, settings.host)
    return made


def _unlistenable(host: str, configuration: Configuration) -> list[Mistake]:
    """What keeps a service that listens already from listening for these sources."""
    try:
        check_listening(configuration.sources, host)
    except OperatorError as error:
        return [configuration.documents[SOURCES].mistake(Flaw((), str(error)))]
    return []


def _counts(registry: Registry, reloading: Reloading) -> Counts:
    return Counts(
        registry=registry,
        door=DoorInstruments(registry, lambda: reloading.loaded.sources),
        dispatch=DispatchInstruments(registry, lambda: reloading.loaded.readable),
    )


def _dispatcher(
    stores: Stores,
    runs: Runs,
    forwards: Forwards,
    reloading: Reloading,
    counts: Counts,
    told: Telemetry,
) -> Dispatcher:
    return Dispatcher(
        inbox=stores.inbox,
        ledger=stores.ledger,
        runs=runs,
        forwards=forwards,
        configuration=reloading.configuration,
        sources=lambda: reloading.loaded.readable,
        now=_now,
        log=structlog.get_logger("service"),
        counts=counts.dispatch,
        tracing=told.tracing,
    )


def _hearing(stores: Stores, reloading: Reloading, counts: Counts) -> Hearing:
    return Hearing(
        lambda: reloading.loaded.sources,
        stores.inbox,
        _now,
        structlog.get_logger("service"),
        tell=counts.dispatch.silent,
    )


@asynccontextmanager
async def _door(parts: Parts, listener: socket.socket | None) -> AsyncIterator[Open]:
    settings, inbox = parts.settings, parts.stores.inbox
    async with (
        GroupCommit(inbox, partial(_backlog, parts.reloading), parts.counts.door) as commit,
        RefusalLog(inbox) as refused,
    ):
        at_the_door = partial(_at_the_door, parts, refused)
        ringing = Ringing(commit, parts.dispatcher.poke)
        ring = indoors(at_the_door, ringing)
        after_all = outreach.recoveries(parts, ring, _now)
        subscribing = outreach.subscribing(parts, ring, _now)
        status = status_of(parts, after_all)
        application = app.build(
            at_the_door(outreach.heeding(parts, ringing, subscribing, _now)),
            Readiness(inbox.pulse, _now),
            status,
            parts.log,
            route_handlers=[
                metrics_route(
                    parts.counts.registry,
                    Permission(host=settings.host, token=settings.metrics_token),
                )
            ],
        )
        api = api_of(parts, ring, status, _now, metadata.version("doorbell"))
        listener = listener or bound(settings.host, settings.port)
        url = url_of(host_of(listener), port_of(listener))
        async with serving(beside(application, api), listener):
            parts.state.announce(_addresses(settings, url))
            yield Open(url=url, ring=ring, recoveries=after_all, subscribing=subscribing)


def _at_the_door(parts: Parts, refused: RefusalLog, keeps: Keeps) -> ASGIApp:
    return door(
        lambda: parts.reloading.loaded.sources,
        keeps,
        refused.refuse,
        _now,
        _new_id,
        parts.telling.delivery,
        trusted=trusted_of(parts.settings.trusted_proxies),
        fetch=fetching(),
    )


def _loops(parts: Parts, opened: Open) -> list[asyncio.Task[object]]:
    works = [
        *rounds.works(parts, _clock(parts, opened.ring), _now),
        opened.recoveries.work(parts.reloading.newer),
        opened.subscribing.work(),
        parts.reloading.work(),
    ]
    return [asyncio.create_task(work) for work in works]


def _clock(parts: Parts, ring: Ring) -> clock.Clock:
    settings = parts.settings
    means = clock.Means(
        schedules=Schedules(parts.client, settings.task_queue),
        connect=partial(temporal.connect, _temporal_at(settings), settings.namespace),
        ringing=Ticking(ring, parts.state.operator_secret(), _now),
        rules=lambda: parts.reloading.configuration().rules,
        inbox=parts.stores.inbox,
        log=parts.log,
    )
    return clock.Clock(means)


def _addresses(settings: Settings, url: str) -> Addresses:
    return Addresses(
        url=url,
        pid=os.getpid(),
        temporal=_temporal_at(settings),
        temporal_ui=settings.temporal_ui,
    )


def _backlog(reloading: Reloading, name: str) -> int | None:
    source = reloading.loaded.sources.get(name)
    return None if source is None else source.backlog


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return event_id(_now(), secrets.token_bytes(6))
