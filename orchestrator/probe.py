"""Whether another version of Temporal can work on a file: tried on a copy, which is thrown away after that.

Temporal never migrates its file. So the copy is served, every open run of it is read, and a workflow is started,
found and terminated on it.
"""

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import uuid
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator import backups, embedded, temporal, tether
from orchestrator.errors import OperatorError

LOOPBACK: Final = "127.0.0.1"
BOOT: Final = timedelta(seconds=30)
READ: Final = 200
"""Open runs whose histories are read, the newest first."""

PREFIX: Final = "probe-"
NOBODY: Final = "doorbell-probe"
"""A task queue on which nobody works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The file of the state directory, and the program that shall work on it."""

    database: Path
    binary: Path
    log: Path
    environment: Mapping[str, str]
    namespace: str = "default"


async def probe(tried: Tried) -> int:
    """Try it; returns how many open runs it could read. Raises `OperatorError` saying what failed."""
    try:
        return await _once(tried)
    except OperatorError:
        # Somebody may have taken a port that was free a moment ago: that says nothing about the file.
        return await _once(tried)


async def _once(tried: Tried) -> int:
    beside = tried.database.parent
    for left in beside.glob(f"{PREFIX}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside) as directory:
        copy = Path(directory) / tried.database.name
        await asyncio.to_thread(backups.copy, tried.database, copy)
        async with _serving(tried, copy) as address:
            try:
                return await _works(await temporal.connect(address, tried.namespace))
            except (RPCError, RuntimeError) as error:
                raise OperatorError(f"it fails on it: {error}") from error


async def _works(client: Client) -> int:
    read = 0
    open_runs = client.list_workflows("ExecutionStatus = 'Running'", limit=READ)
    async for run in open_runs:
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        await handle.describe()
        await handle.fetch_history()
        read += 1
    started = await client.start_workflow("Probe", id=f"probe-{uuid.uuid4()}", task_queue=NOBODY)
    await started.describe()
    await started.terminate("it was only tried")
    return read


@asynccontextmanager
async def _serving(tried: Tried, copy: Path) -> AsyncIterator[str]:
    port, ui, metrics = _free_ports()
    address = f"{LOOPBACK}:{port}"
    command = embedded.command(
        tried.binary,
        ip=LOOPBACK,
        port=port,
        ui_port=ui,
        metrics_port=metrics,
        database=copy,
        namespace=tried.namespace,
    )
    # Tethered: it must not outlive us, however we end.
    line = [sys.executable, "-I", tether.__file__, str(os.getpid()), "--", *command]
    with tried.log.open("wb") as log:
        process = await create_subprocess_exec(
            *line,
            env=dict(tried.environment),
            stdin=PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await _ready(process, address, tried.namespace, f"{LOOPBACK}:{metrics}")
        yield address
    finally:
        await _end(process)


async def _ready(process: Process, address: str, namespace: str, metrics: str) -> None:
    ready = asyncio.create_task(
        embedded.ready(address, namespace=namespace, metrics=metrics, within=BOOT)
    )
    dead = asyncio.create_task(process.wait())
    await asyncio.wait({ready, dead}, return_when=asyncio.FIRST_COMPLETED)
    dead.cancel()
    if not ready.done():
        ready.cancel()
        raise OperatorError(f"it ends at once, with exit code {process.returncode}")
    await ready
    try:
        await embedded.prepare(address, namespace)
    except (RPCError, RuntimeError) as error:
        raise OperatorError(f"it fails on it: {error}") from error


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _free_ports() -> tuple[int, int, int]:
    with socket.socket() as one, socket.socket() as two, socket.socket() as three:
        for each in (one, two, three):
            each.bind((LOOPBACK, 0))
        first, second, third = (int(each.getsockname()[1]) for each in (one, two, three))
    return first, second, third
