"""One whole installation inside a test: inbox, ledger, dispatcher, scripted model, real hands, real Temporal.

    async with house(tmp_path, town, Turns([says()])) as home:
        await home.ring(opened(7))
        run = await home.ended()

The worker runs inside the test (`working`), or as a process that can be killed (`worker`).
"""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import structlog
from temporalio.client import Client

from orchestrator import temporal, views, worker
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.means import Means
from orchestrator.agent.model import Claude
from orchestrator.configuration.configuration import Configuration
from orchestrator.demo.messages import WINDOW, messages_app
from orchestrator.demo.wire import Script
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.inbox.inbox import Arrival, Kept
from orchestrator.ledger import claims, conversations
from orchestrator.secrets import Secret
from orchestrator.sources.notices import notices_source
from orchestrator.sources.operator import operator_source
from orchestrator.sources.schedule import schedule_source
from orchestrator.sources.source import DOORBELL, OPERATOR, SCHEDULE
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, configuration_reader
from orchestrator.telemetry.instruments import RunInstruments, uncounted_runs
from tests.support.asgi import serving
from tests.support.blanks import furnished
from tests.support.scripts import Pauses
from tests.support.town import SUPPORT, Town

PATIENCE = 40.0
LOOK = 0.02
SECRET = "a secret of the tests"
REPOSITORY = "acme/api"

SOURCES = """\
github:
  scheme: github
  secrets: [env:GITHUB_WEBHOOK_SECRET]
  own_actors: [doorbell-bot]
desk:
  scheme: {hmac: sha256, header: X-Signature}
  secrets: [env:GITHUB_WEBHOOK_SECRET]
  type: "{{ event.type }}"
  keys: ["issue:{{ event.issue }}"]
"""

HTTP = """\
lab:
  url: LAB
  headers: {x-count: COUNTED}
"""

STDIO = """\
lab:
  command: [python, COUNTING]
  env: {COUNT: COUNTED}
"""

RULE = """\
work:
  id: HOUSE
  on: [github/issues.*]
  run: work
  with: {number: "{{ event.issue.number }}"}
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  flow: {mode: MODE}
  stage: STAGE
"""

PLAYBOOK = """\
---
model: MODEL
max_tokens: 1000
inputs: {number: integer}
tools: {lab: [read_thing, slow_read, write_thing, slow_write]}
writes: {lab.write_thing: {max: 5}, lab.slow_write: {max: 5}}
budget: {usd: 5, tokens: 3000k, turns: 60, tool_calls: 90}
---
You look after issue {{ with.number }}.
"""


@dataclass(frozen=True, kw_only=True)
class Files:
    """The configuration of a house, as the texts of its files."""

    sources: str = SOURCES
    servers: str = HTTP
    rule: str = RULE
    playbook: str = PLAYBOOK
    stage: str = "live"
    mode: str = "signal"
    model: str = "scripted-1"
    people: str = ""
    limits: str = ""

    def write(self, directory: Path, counted: Path, lab: str, house: str) -> None:
        """Write them; `lab` is the counting server's address, `house` keeps apart whose runs are whose."""
        counting = str(SUPPORT / "counting_server.py")
        servers = self.servers.replace("COUNTING", counting).replace("COUNTED", str(counted))
        servers = servers.replace("LAB", lab).replace("PYTHON", sys.executable)
        rule = self.rule.replace("MODE", self.mode).replace("STAGE", self.stage)
        rule = rule.replace("HOUSE", house)
        texts = {
            "sources.yaml": self.sources,
            "servers.yaml": servers,
            "rules/work.yaml": rule,
            "playbooks/work.md": self.playbook.replace("MODEL", self.model),
            "people.yaml": self.people,
        }
        if self.limits:
            texts["limits.yaml"] = self.limits
        for name, text in texts.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


@dataclass(kw_only=True)
class House:
    """The parts of the installation, and what a test does with them."""

    town: Town
    directory: Path
    stores: Stores
    client: Client
    queue: str
    read: Callable[[], Configuration]
    dispatcher: Dispatcher
    environment: Mapping[str, str]
    model_url: str
    pauses: Pauses
    database: str | None = None
    key: str | None = "scripted"
    counts: RunInstruments = field(default_factory=uncounted_runs)
    rung: int = 0

    @property
    def counted(self) -> Path:
        return self.directory / "counted"

    def executed(self, tool: str = "") -> list[str]:
        """What the lab really executed, in order."""
        lines = self.counted.read_text().splitlines() if self.counted.exists() else []
        return [line for line in lines if line.startswith(tool)]

    # Ringing -----------------------------------------------------------------------------------

    async def keep(self, *arrivals: Arrival) -> list[str]:
        """Put deliveries into the inbox in one batch; the ids of the events."""
        receipts = await self.stores.inbox.keep(arrivals)
        self.dispatcher.poke()
        assert all(isinstance(receipt, Kept) for receipt in receipts), receipts
        return [receipt.id for receipt in receipts if isinstance(receipt, Kept)]

    async def ring(self, payload: Mapping[str, Any], name: str = "issues") -> str:
        """GitHub rings."""
        return (await self.keep(self.arrival(payload, name)))[0]

    def arrival(
        self, payload: Mapping[str, Any], name: str = "issues", source: str = "github"
    ) -> Arrival:
        """A verified delivery, as the door would hand it to the inbox."""
        self.rung += 1
        identity = f"delivery-{self.rung}"
        headers = {"x-github-event": name, "x-github-delivery": identity, "webhook-id": identity}
        body = httpx2.Request("POST", "http://door", json=dict(payload)).content
        reading = self.dispatcher.sources()[source].dialect.read(headers, body)
        return Arrival(
            id=f"evt_{uuid.uuid4().hex[:16]}",
            source=source,
            delivery_id=reading.delivery_id,
            type=reading.type,
            subject=reading.subject,
            actor=reading.actor,
            keys=reading.keys,
            headers=headers,
            body=body,
            received_at=datetime.now(UTC),
            dedupe_body=False,
        )

    async def say(self, word: str, run_id: str) -> str:
        """A person's word: resume, apply or cancel."""
        payload = {"type": f"run.{word}", "run": run_id, "by": "a tester"}
        return (await self.keep(self.arrival(payload, source=OPERATOR)))[0]

    # Looking -----------------------------------------------------------------------------------

    async def runs(self) -> list[dict[str, Any]]:
        """Every run as `doorbell runs show` shows it, the oldest first."""
        found = await self.stores.ledger.read(conversations.newest, 100)
        return [await self.run(one.run_id) for one in reversed(found)]

    async def run(self, run_id: str) -> dict[str, Any]:
        return await self.stores.ledger.read(views.run, run_id, None, "default")

    async def taken(self, event_ids: list[str]) -> bool:
        """Whether runs have claimed a decision of each of these events."""
        found = await self.stores.inbox.decisions(event_ids)
        ids = [decision.id for listed in found.values() for decision in listed]
        claimed = await self.stores.ledger.read(claims.claimed, ids)
        return len(claimed) >= len(event_ids)

    async def settled(self, state: str, count: int = 1) -> list[dict[str, Any]]:
        """The runs, once there are so many and all are in that state."""

        async def all_there() -> list[dict[str, Any]] | None:
            found = await self.runs()
            there = len(found) >= count and all(run["state"] == state for run in found)
            return found if there else None

        return await self.until(all_there, f"{count} runs {state}")

    async def one(self, state: str) -> dict[str, Any]:
        """The only run, once it is in that state."""
        (run,) = await self.settled(state)
        return run

    async def ended(self) -> dict[str, Any]:
        return await self.one("ended")

    async def until(self, look: Callable[[], Any], what: str = "it") -> Any:
        """What `look` (awaitable or not) sees, as soon as that is true."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    seen = look()
                    seen = await seen if asyncio.iscoroutine(seen) else seen
                    if seen:
                        return seen
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            raise AssertionError(f"never seen: {what}; runs: {await self.runs()}") from None

    # Working -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker inside this test."""
        hands = Hands(self.read().servers, environment=self.environment)
        means = Means(
            inbox=self.stores.inbox,
            ledger=self.stores.ledger,
            model=Claude(self.key, self.model_url),
            hands=hands,
            tasks=hands,
            configuration=self.read,
            now=time.time,
            scripted=True,
            pauses=self.stores.inbox.pauses,
            counts=self.counts,
        )
        try:
            async with worker.worker_of(self.client, self.queue, means):
                yield
        finally:
            await means.hands.close()
            await means.model.close()

    def worker(self, **told: str) -> AbstractAsyncContextManager[int]:
        """A worker process, by its id; kill it with `kill`."""
        settings = {
            "DOORBELL_CONFIG": str(self.directory / "doorbell.d"),
            "DOORBELL_STATE": str(self.directory / "state"),
            "DOORBELL_TEMPORAL": self.town.temporal.address,
            "DOORBELL_TASK_QUEUE": self.queue,
            "ANTHROPIC_API_KEY": "scripted",
            "ANTHROPIC_BASE_URL": self.model_url,
        }
        if self.database is not None:
            settings["DOORBELL_DATABASE"] = self.database
        return self.town.nursery.worker({**self.environment, **settings, **told})

    def dispatching(self) -> AbstractAsyncContextManager[int]:
        """A dispatcher process, by its id; for a house without one of its own."""
        return self.worker(PART="dispatch")


@asynccontextmanager
async def house(
    directory: Path,
    town: Town,
    script: Script,
    files: Files | None = None,
    *,
    working: bool = True,
    dispatching: bool = True,
    database: str | None = None,
    window: int = WINDOW,
) -> AsyncIterator[House]:
    """Bring one up; `working` says whether a worker runs inside the test, `database` names a Postgres.

    `window` is in tokens, the model's.
    """
    environment = {
        "PATH": os.defpath,
        "HOME": str(directory),
        "GITHUB_WEBHOOK_SECRET": SECRET,
    }
    config, pauses = directory / "doorbell.d", Pauses()
    queue = f"house-{uuid.uuid4().hex[:12]}"
    (files or Files()).write(config, directory / "counted", town.lab, queue)
    read = configuration_reader(config, environment)
    assert not read().mistakes, read().mistakes
    async with AsyncExitStack() as stack:
        state = StateDirectory(directory / "state")
        stores = Stores.open(state if database else furnished(state), database)
        stack.callback(stores.close)
        app = messages_app(script, now=lambda: datetime.now(UTC), sleep=pauses.sleep, window=window)
        model_url = await stack.enter_async_context(serving(app))
        stack.callback(pauses.over.set)
        client = await temporal.connect(town.temporal.address, "default")
        operator = operator_source(Secret("file:operator.secret", state.operator_secret()))
        ticking = schedule_source(Secret("file:operator.secret", state.operator_secret()))
        dispatcher = Dispatcher(
            inbox=stores.inbox,
            ledger=stores.ledger,
            runs=TemporalRuns(client, queue),
            configuration=read,
            sources=lambda: {
                **read().sources,
                OPERATOR: operator,
                SCHEDULE: ticking,
                DOORBELL: notices_source(),
            },
            now=lambda: datetime.now(UTC),
            log=structlog.get_logger("house"),
        )
        home = House(
            town=town,
            directory=directory,
            stores=stores,
            client=client,
            queue=queue,
            read=read,
            dispatcher=dispatcher,
            environment=environment,
            model_url=model_url,
            pauses=pauses,
            database=database,
        )
        if dispatching:
            task = asyncio.create_task(home.dispatcher.work())
            stack.push_async_callback(_cancelled, task)
        if working:
            await stack.enter_async_context(home.working())
        yield home


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task], timeout=5)


# What GitHub says ------------------------------------------------------------------------------


def opened(number: int = 7, action: str = "opened", **more: Any) -> dict[str, Any]:
    """`issues.ACTION` of one issue."""
    return {
        "action": action,
        "issue": {"number": number, "title": f"Issue {number}", "state": "open", "body": "Help."},
        "repository": {"full_name": REPOSITORY, "name": "api", "owner": {"login": "acme"}},
        "sender": {"login": "ada", "id": 1, "type": "User"},
        **more,
    }


def commented(text: str, number: int = 7) -> dict[str, Any]:
    """`issue_comment.created` on one issue; ring it with the name `issue_comment`."""
    return opened(number, "created", comment={"id": 1, "body": text})
