"""Process 2, the worker: runs the workflow and its activities; the composition root of everything a run touches."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from typing_extensions import override

from orchestrator import temporal
from orchestrator.agent.activities import Activities, ToolActivity
from orchestrator.agent.hands import Hands
from orchestrator.agent.means import Means
from orchestrator.agent.model import Claude
from orchestrator.errors import OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, configuration_reader
from workflows.activities import PERSON
from workflows.run import Run

RECONNECT = 1.0
GRACE = timedelta(seconds=20)
STICKY = timedelta(seconds=3)
"""After this long a killed worker's runs are given to another one; stock is 10 s."""

CACHED_RUNS = 5_000


class Parks(logging.Filter):
    """Lets no traceback through for a run that parks: its reason is in the ledger and in `doorbell runs list`."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, ApplicationError) and error.type == PERSON)


async def work(settings: Settings, environment: Mapping[str, str]) -> None:
    """Work until SIGTERM; then finish what is under way, within 20 s."""
    log = structlog.get_logger("worker")
    logging.getLogger("temporalio.activity").addFilter(Parks())
    state = StateDirectory(settings.state.resolve())
    stores = Stores.open(state, settings.database)
    means = _means(settings, environment, state, stores)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        client = await _connected(settings, stopping)
        if client is not None:
            async with worker_of(client, settings.task_queue, means):
                log.info("worker.ready", task_queue=settings.task_queue)
                await stopping.wait()
        log.info("worker.stopped")
    finally:
        await means.hands.close()
        await means.model.close()
        stores.close()


def worker_of(client: Client, task_queue: str, means: Means) -> Worker:
    """A Temporal worker over these means."""
    outside = Activities(means)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[Run],
        activities=[
            outside.claim,
            outside.begin,
            outside.prepare,
            outside.ask_model,
            outside.propose,
            outside.settle_lost,
            outside.answer,
            outside.gone,
            outside.note,
            outside.open_wait,
            outside.end_wait,
            outside.limits,
            outside.proposals,
            outside.record,
            ToolActivity(means).call,
        ],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows")
        ),
        identity=f"{socket.gethostname()}:{os.getpid()}",
        max_cached_workflows=CACHED_RUNS,
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=GRACE,
    )


def _means(
    settings: Settings, environment: Mapping[str, str], state: StateDirectory, stores: Stores
) -> Means:
    read = configuration_reader(settings.config, environment)
    configuration = read()
    if configuration.mistakes:
        structlog.get_logger("worker").warning(
            "configuration.mistakes", count=len(configuration.mistakes)
        )
    logs = state.logs / "hands"
    logs.mkdir(parents=True, exist_ok=True)
    key = settings.anthropic_api_key
    return Means(
        inbox=stores.inbox,
        ledger=stores.ledger,
        model=Claude(key.get_secret_value() if key else None, settings.anthropic_base_url),
        hands=Hands(configuration.servers, environment=environment, stderr=logs),
        configuration=read,
        now=time.time,
        scripted=settings.scripted,
    )


async def _connected(settings: Settings, stopping: asyncio.Event) -> Client | None:
    """A connection to Temporal, tried until there is one or we are asked to stop."""
    if settings.temporal is None:
        raise OperatorError(
            "the worker needs a Temporal server: give --temporal ADDRESS, or use `doorbell up`"
        )
    while not stopping.is_set():
        try:
            return await temporal.connect(settings.temporal, settings.namespace)
        except RuntimeError:
            structlog.get_logger("worker").warning(
                "temporal.unreachable", address=settings.temporal
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), RECONNECT)
    return None
