"""`doorbell up` as it is, its service restarted under load: nobody is refused, nothing is lost or kept twice."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.doorbell.listener import bound
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.settings import environment
from orchestrator.state import StateDirectory, alive
from tests.support.knocking import request
from tests.support.persisting import Heard, Senders

ROOT = Path(__file__).parents[2]
SECRET = b"It's a Secret to Everybody"
NOBODY = "127.0.0.1:9"
"""A Temporal server that isn't there: the door doesn't need one (D6)."""
SOURCES = "github:\n  scheme: github\n  secrets: [env:GITHUB_WEBHOOK_SECRET]\n"
CALLERS = 8


@dataclass(frozen=True, kw_only=True)
class Up:
    process: asyncio.subprocess.Process
    port: int
    state: StateDirectory

    @property
    def service(self) -> int:
        """The service that is ready, or 0."""
        with suppress(FileNotFoundError):
            announced = json.loads((self.state.path / "service.json").read_text())
            pid = int(announced["pid"])
            return pid if self.state.pids().get("service") == pid else 0
        return 0

    async def other_service(self, old: int) -> int:
        while self.service in (0, old):  # noqa: ASYNC110 - another process has no event for us
            await asyncio.sleep(0.02)
        return self.service

    async def kept(self) -> Counter[str]:
        database = Database.open(sqlite_url(self.state.inbox), MIGRATIONS)
        entries = await SqlInbox(database).entries(1_000_000)
        database.close()
        return Counter(entry.delivery_id for entry in entries)


@asynccontextmanager
async def up(directory: Path) -> AsyncIterator[Up]:
    (directory / "doorbell.d").mkdir()
    (directory / "doorbell.d" / "sources.yaml").write_text(SOURCES)
    line = ["-m", "orchestrator", "up", "--port", "0", "--temporal", NOBODY, "--json"]
    told = {"PYTHONPATH": str(ROOT), "GITHUB_WEBHOOK_SECRET": SECRET.decode()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *line,
        cwd=directory,
        env={**environment(), **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        facts = json.loads(await process.stdout.readline())
        yield Up(
            process=process,
            port=int(facts["url"].rpartition(":")[2]),
            state=StateDirectory(directory / ".doorbell"),
        )
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def under_load(port: int) -> AsyncIterator[Senders]:
    senders = Senders(port=port, make=lambda delivery: request(body(delivery), SECRET, delivery))
    ringing = asyncio.create_task(senders.ring(CALLERS))
    try:
        await senders.more(100)
        yield senders
    finally:
        senders.enough = True
        await asyncio.wait_for(ringing, 15)


def body(delivery: str) -> bytes:
    payload = {"action": "opened", "issue": {"number": 7}, "delivery": delivery, "x": "y" * 2000}
    return json.dumps(payload).encode()


def say(what: str, heard: Heard) -> None:
    print(f"{what}: {heard}")  # noqa: T201 - the figures are the point


@pytest.mark.timeout(120)
async def test_s2_d2_restarts_under_load_refuse_nobody_and_what_is_acknowledged_is_kept_once(
    tmp_path: Path,
) -> None:
    """Five: three in order, which cut no request either, and two by SIGKILL; at last `up` itself is killed."""
    async with up(tmp_path) as installation:
        async with under_load(installation.port) as senders:
            heard = senders.heard
            for order in (signal.SIGUSR2, signal.SIGTERM, signal.SIGUSR2):
                await restarted(installation, senders, order)
            say("in order", heard)
            assert (heard.refused, heard.cut) == (0, 0)
            for _ in range(2):
                await restarted(installation, senders, signal.SIGKILL)
            say("and killed", heard)
            assert heard.refused == 0
            assert heard.cut <= 2 * CALLERS
        await killed_with_all_its_children(installation)
        bound("127.0.0.1", installation.port).close()

        assert not heard.statuses
        assert await installation.kept() == Counter(heard.acknowledged)


async def restarted(installation: Up, senders: Senders, order: signal.Signals) -> None:
    """The way an operator restarts the service (SIGUSR2 to `up`), or a signal to the service itself."""
    old = installation.service
    if order is signal.SIGUSR2:
        installation.process.send_signal(order)
    else:
        os.kill(old, order)
    await installation.other_service(old)
    await senders.more(100)


async def killed_with_all_its_children(installation: Up) -> None:
    children = installation.state.pids()
    installation.process.kill()
    await installation.process.wait()
    while any(alive(pid) for pid in children.values()):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
