"""`doorbell up` as it is, in a directory of its own, with nobody at Temporal's address: the door needs none (D6).

async with up(tmp_path) as installation:
    installation.process.send_signal(signal.SIGHUP)
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.settings import environment
from orchestrator.state import StateDirectory
from tests.support.knocking import request
from tests.support.persisting import Senders

ROOT = Path(__file__).parents[2]
SECRET = b"It's a Secret to Everybody"
NOBODY = "127.0.0.1:9"
CALLERS = 8
LOOK = 0.02


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The processes, and what is asked of them."""

    process: asyncio.subprocess.Process
    url: str
    state: StateDirectory

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def configuration(self) -> dict[str, Any]:
        """What `/status` says about it."""
        async with httpx2.AsyncClient(timeout=30) as client:
            told: dict[str, Any] = (await client.get(f"{self.url}/status")).json()
            found: dict[str, Any] = told["configuration"]
            return found

    async def until(self, holds: Any) -> dict[str, Any]:
        """What `/status` says about the configuration, as soon as that holds of it."""
        while not holds(told := await self.configuration()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(LOOK)
        return told

    async def knock(self, source: str) -> int:
        """The status that an unsigned delivery gets."""
        async with httpx2.AsyncClient(timeout=30) as client:
            return int((await client.post(f"{self.url}/hooks/{source}", content=b"{}")).status_code)

    async def kept(self) -> Counter[str]:
        database = Database.open(sqlite_url(self.state.inbox), MIGRATIONS)
        entries = await SqlInbox(database).entries(1_000_000)
        database.close()
        return Counter(entry.delivery_id for entry in entries)


@asynccontextmanager
async def up(directory: Path) -> AsyncIterator[Whole]:
    """Bring it up over `doorbell.d` in this directory, which is written already; what it says goes to `said`."""
    line = ["-m", "orchestrator", "up", "--port", "0", "--temporal", NOBODY, "--json"]
    told = {"PYTHONPATH": str(ROOT), "GITHUB_WEBHOOK_SECRET": SECRET.decode()}
    with (directory / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *line,
            cwd=directory,
            env={**environment(), **told},
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
    try:
        assert process.stdout is not None
        facts = json.loads(await process.stdout.readline())
        state = StateDirectory(directory / ".doorbell")
        yield Whole(process=process, url=facts["url"], state=state)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def under_load(port: int) -> AsyncIterator[Senders]:
    """Senders that ring on until the block ends."""
    senders = Senders(port=port, make=lambda delivery: request(_body(delivery), SECRET, delivery))
    ringing = asyncio.create_task(senders.ring(CALLERS))
    try:
        await senders.more(100)
        yield senders
    finally:
        senders.enough = True
        await asyncio.wait_for(ringing, 15)


def _body(delivery: str) -> bytes:
    payload = {"action": "opened", "issue": {"number": 7}, "delivery": delivery, "x": "y" * 2000}
    return json.dumps(payload).encode()
