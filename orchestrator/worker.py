"""Process 2, the worker: runs the workflow and its activities; the composition root of everything a run touches."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import structlog
from temporalio.client import Client, Interceptor
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig
from typing_extensions import override

from orchestrator import temporal
from orchestrator.agent.activities import MODEL_AWAY, Activities, ToolActivity
from orchestrator.agent.asking.pacing import credential_of
from orchestrator.agent.counting import CountedModel
from orchestrator.agent.faring import Faring
from orchestrator.agent.hands.listings import Listings
from orchestrator.agent.late import LateHands, LateModel
from orchestrator.agent.means import Means
from orchestrator.agent.text.redacting import Redact
from orchestrator.agent.tools.ourselves import learn_ourselves
from orchestrator.configuration.reloading import Loaded, Reloading
from orchestrator.deployment import Upgrading, deployment_of, make_current
from orchestrator.errors import OperatorError
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.logs import Journal
from orchestrator.rehearsal.retiring import models_retiring
from orchestrator.rules.caps import Price
from orchestrator.secrets import Secret
from orchestrator.settings import Settings, environment
from orchestrator.sources.notices import notices_source
from orchestrator.sources.operator import operator_source
from orchestrator.sources.schedule import schedule_source
from orchestrator.sources.source import DOORBELL, OPERATOR, SCHEDULE
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, reloading_of
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.port import metrics_port
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.telemetry import Telemetry, registry_of, telemetry
from workflows.activities import PERSON
from workflows.run import Run

RECONNECT = 1.0
GRACE = timedelta(seconds=20)
STICKY = timedelta(seconds=3)
"""After this long a killed worker's runs are given to another one; stock is 10 s."""

HEARTBEATS = timedelta(seconds=2)
"""So often one reaches the server, whose answer brings a cancel back; stock is 0.8 of the silence it allows, 8 s."""

CACHED_RUNS = 500
"""Each takes about half a megabyte; one that isn't there is read again from its history when it wakes."""

RUNS_ABREAST = 8
"""Runs that take a step at once; stock is 100. They share one processor: a hundred together are all too slow for
Temporal, which has each step done once more by somebody else, so that after an outage nothing would ever be done."""


class Parks(logging.Filter):
    """Lets no line through for a run that parks: its reason is in the ledger and in `doorbell runs list`.

    A model that is away is one line with its reason, without our own stack: the turn is asked again.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, ApplicationError):
            return True
        if error.type == MODEL_AWAY:
            record.msg, record.args = f"{record.getMessage()}: {error}", ()
            record.exc_info = None
        return error.type != PERSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The worker: what its runs work with, and what goes on beside them."""

    means: Means
    model: LateModel
    hands: LateHands
    reloading: Reloading
    faring: Faring


async def work(settings: Settings, dotenv: Path, journal: Journal) -> None:
    """Work until SIGTERM; then finish what is under way, within 20 s."""
    registry = registry_of("worker", metadata.version("doorbell"), _now, lambda: journal.dropped)
    # Until we can hear it, a reload has nothing to tell us: we read what is there anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    at_start = environment(dotenv)
    async with telemetry(registry, "worker", at_start, _now) as told, _port(settings, registry):
        await _work(settings, dotenv, told, journal)


@asynccontextmanager
async def _port(settings: Settings, registry: Registry) -> AsyncIterator[None]:
    if settings.worker_metrics is None:
        yield
        return
    async with metrics_port(settings.worker_metrics, registry, settings.metrics_token):
        yield


async def _work(settings: Settings, dotenv: Path, told: Telemetry, journal: Journal) -> None:
    log, deployment = structlog.get_logger("worker"), _deployment(settings)
    logging.getLogger("temporalio.activity").addFilter(Parks())
    async with _parts(settings, dotenv, told, journal) as parts:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, parts.reloading.ask)
        client = await _connected(settings, stopping, told.interceptors)
        if client is not None:
            async with worker_of(client, settings.task_queue, parts.means, deployment):
                log.info("worker.ready", task_queue=settings.task_queue, **_told(deployment))
                await _until(stopping, parts)
        log.info("worker.stopped")


@asynccontextmanager
async def _parts(
    settings: Settings, dotenv: Path, told: Telemetry, journal: Journal
) -> AsyncIterator[Parts]:
    state = StateDirectory(settings.state.resolve())
    stores = Stores.open(state, settings.database)
    reloading = await _reloading(settings, dotenv, stores)
    redact = redact_of(held_by(settings), reloading.configuration)
    journal.redact(lambda text: redact().text(text))
    counts, listings = RunInstruments(told.registry), Listings()
    faring = Faring(stores.ledger, _name(), time.time, structlog.get_logger("worker"), counts)
    thread = ThreadPoolExecutor(1, "imports")
    model = LateModel(_key(settings), settings.anthropic_base_url, thread)
    hands = LateHands(
        reloading.configuration().servers,
        environment=environment(dotenv),
        stderr=_written_by_hands(state),
        thread=thread,
        redact=redact,
        stood=faring.heard,
        changed=listings.forget,
    )
    means = _means(settings, stores, reloading, model, hands, counts, listings, redact)
    try:
        yield Parts(means=means, model=model, hands=hands, reloading=reloading, faring=faring)
    finally:
        await hands.close()
        await model.close()
        stores.close()


def _written_by_hands(state: StateDirectory) -> Path:
    logs = state.logs / "hands"
    logs.mkdir(parents=True, exist_ok=True)
    return logs


def _means(
    settings: Settings,
    stores: Stores,
    reloading: Reloading,
    model: LateModel,
    hands: LateHands,
    counts: RunInstruments,
    listings: Listings,
    redact: Redact,
) -> Means:
    return Means(
        inbox=stores.inbox,
        ledger=stores.ledger,
        model=CountedModel(model, counts, partial(_price, reloading)),
        hands=hands,
        tasks=hands,
        configuration=reloading.configuration,
        abreast=reloading.abreast,
        now=time.time,
        scripted=settings.scripted,
        credential=credential_of(_key(settings), settings.anthropic_base_url),
        counts=counts,
        listings=listings,
        redact=redact,
        pauses=stores.inbox.pauses,
    )


async def _until(stopping: asyncio.Event, parts: Parts) -> None:
    async with asyncio.TaskGroup() as arriving:
        arriving.create_task(parts.model.ready())
        arriving.create_task(parts.hands.ready())
        following = arriving.create_task(_following(parts.means, parts.reloading))
        looking = arriving.create_task(parts.reloading.work())
        writing = arriving.create_task(parts.faring.work())
        await stopping.wait()
        for task in (following, looking, writing):
            task.cancel()


async def _following(means: Means, reloading: Reloading) -> None:
    """Reach the servers that are configured now, and ask them as whom they write, until cancelled."""
    log, loaded = structlog.get_logger("worker"), reloading.loaded
    while True:
        for model, words in models_retiring(loaded.configuration, _now().date()).items():
            log.warning("model.retiring", model=model, words=words)
        means.hands.learn(loaded.configuration.servers)
        async with asyncio.TaskGroup() as now:
            asking = now.create_task(learn_ourselves(means, log))
            loaded = await _other_servers(reloading, loaded)
            asking.cancel()


async def _other_servers(reloading: Reloading, loaded: Loaded) -> Loaded:
    """What is in force as soon as its servers aren't these any more."""
    servers = loaded.configuration.servers
    while loaded.configuration.servers == servers:
        loaded = await reloading.newer(loaded.number)
    return loaded


async def _reloading(settings: Settings, dotenv: Path, stores: Stores) -> Reloading:
    log, at = structlog.get_logger("worker"), settings.config
    made = reloading_of(at, partial(environment, dotenv), dotenv, stores.ledger, _now, log)
    # Nobody rings here: what was kept is only read, and that takes no secret.
    unset = Secret("file:operator.secret", "")
    made.built_in = {
        OPERATOR: operator_source(unset),
        SCHEDULE: schedule_source(unset),
        DOORBELL: notices_source(unset),
    }
    await made.start()
    return made


def worker_of(
    client: Client,
    task_queue: str,
    means: Means,
    deployment: WorkerDeploymentConfig | None = None,
) -> Worker:
    """A Temporal worker over these means; with a deployment, runs stay on its build until they continue as new."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[Run],
        activities=_activities(Activities(means), ToolActivity(means)),
        # All of `workflows` would be passed through, so that a sandbox would check nothing, for 8 ms a run: the import
        # contracts and the replayed histories do.
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=deployment,
        # Without one, every module there is would be read and hashed at each start.
        build_id=None if deployment else metadata.version("doorbell"),
        interceptors=[] if deployment is None else [Upgrading()],
        identity=_name(),
        max_cached_workflows=CACHED_RUNS,
        max_concurrent_workflow_tasks=RUNS_ABREAST,
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_heartbeat_throttle_interval=HEARTBEATS,
        graceful_shutdown_timeout=GRACE,
    )


def _activities(outside: Activities, tools: ToolActivity) -> tuple[Callable[..., Any], ...]:
    return (
        outside.claim,
        outside.begin,
        outside.prepare,
        outside.ask_model,
        outside.propose,
        outside.settle_lost,
        outside.answer,
        outside.gone,
        outside.note,
        outside.expect,
        outside.open_wait,
        outside.end_wait,
        outside.hear_late,
        outside.ask_person,
        outside.heed,
        outside.expire,
        outside.limits,
        outside.proposals,
        outside.record,
        outside.look,
        outside.call_off,
        tools.call,
    )


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    build = settings.build or metadata.version("doorbell")
    return deployment_of(settings.deployment, build, embedded=settings.embedded)


def _told(deployment: WorkerDeploymentConfig | None) -> dict[str, str]:
    if deployment is None:
        return {}
    version = deployment.version
    return {"build": version.to_canonical_string(), "todo_once": make_current(version)}


def _price(reloading: Reloading, model: str) -> Price | None:
    return reloading.configuration().allowance.prices.get(model)


def _key(settings: Settings) -> str | None:
    key = settings.anthropic_api_key
    return key.get_secret_value() if key else None


def _now() -> datetime:
    return datetime.now(UTC)


async def _connected(
    settings: Settings, stopping: asyncio.Event, interceptors: Sequence[Interceptor]
) -> Client | None:
    """A connection to Temporal, tried until there is one or we are asked to stop."""
    if settings.temporal is None:
        raise OperatorError(
            "the worker needs a Temporal server: give --temporal ADDRESS, or use `doorbell up`"
        )
    while not stopping.is_set():
        try:
            return await temporal.connect(
                settings.temporal, settings.namespace, interceptors=interceptors
            )
        except RuntimeError:
            structlog.get_logger("worker").warning(
                "temporal.unreachable", address=settings.temporal
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), RECONNECT)
    return None
