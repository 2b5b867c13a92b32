"""The REST API beside an installation, without Temporal: door, dispatcher and API at work in a thread, over real HTTP.

with answering(there, rule()) as api:
    api.get("/events")
    api.post("/runs/X/cancel", token=OPERATES)
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2

from orchestrator.api import api_over, ringing_with
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.people import Person
from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.acting import Acting, Namespace
from orchestrator.console.proving import digest_of
from orchestrator.console.reading import Reading
from orchestrator.console.rest.app import PLACE, beside
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.recovery.indoors import indoors
from orchestrator.rules.rule import Rule
from orchestrator.secrets import Secret
from orchestrator.sources.operator import operator_source
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from orchestrator.telemetry.instruments import ApiInstruments, uncounted_api
from tests.support.asgi import serving
from tests.support.blanks import furnished
from tests.support.builders import Log, configuration, source
from tests.support.installed import UI, Installed, _new_id
from tests.support.roads import RecordingRuns
from tests.support.told import told
from workflows.playbook import Playbook

READS, OPERATES, APPROVES, ALICE, EXPIRED, FENCED = (
    f"dbt_{name}" for name in ("reads", "operates", "approves", "alice", "expired", "fenced")
)
MAINTAINER = Person(name="alice", accounts={"github": "1"}, roles=frozenset({"maintainer"}))
TOKENS = {
    "reader": Token(name="reader", digest=digest_of(READS), scopes=frozenset({Scope.READ})),
    "worker": Token(name="worker", digest=digest_of(OPERATES), scopes=frozenset({Scope.OPERATE})),
    "boss": Token(
        name="boss", digest=digest_of(APPROVES), scopes=frozenset({Scope.OPERATE, Scope.APPROVE})
    ),
    "phone": Token(
        name="phone", digest=digest_of(ALICE), scopes=frozenset({Scope.APPROVE}), person="alice"
    ),
    "guest": Token(
        name="guest",
        digest=digest_of(FENCED),
        scopes=frozenset({Scope.OPERATE, Scope.APPROVE}),
        rules=("guest-*",),
    ),
    "old": Token(
        name="old",
        digest=digest_of(EXPIRED),
        scopes=frozenset({Scope.READ}),
        expires=datetime(2020, 1, 1, tzinfo=UTC).date(),
    ),
}
PATIENCE = 30.0
NAMESPACE = "ns-1"
"""The identity of the Temporal namespace that the service looks at."""


@dataclass(frozen=True)
class Api:
    """What a program sees of it."""

    url: str
    runs: RecordingRuns
    log: Log
    files: dict[str, Configuration] = field(default_factory=dict)

    def get(self, path: str, *, token: str | None = READS, **asked: Any) -> httpx2.Response:
        """Ask."""
        headers = {**_shown(token), **asked.pop("headers", {})}
        return httpx2.get(f"{self.url}{PLACE}{path}", headers=headers, timeout=PATIENCE, **asked)

    def post(
        self, path: str, said: Any = None, *, token: str | None = OPERATES, **more: Any
    ) -> httpx2.Response:
        """Say."""
        headers = {**_shown(token), **more.pop("headers", {})}
        body = {} if said is None else {"json": said}
        url = f"{self.url}{PLACE}{path}"
        return httpx2.post(url, headers=headers, timeout=PATIENCE, **body, **more)


@contextmanager
def answering(
    there: Installed,
    *rules: Rule,
    playbooks: Mapping[str, Playbook] | None = None,
    deciding: bool = True,
    counts: ApiInstruments | None = None,
) -> Iterator[Api]:
    """It works until the block ends; without `deciding` nothing is decided about what is kept."""
    files = replace(
        configuration(*rules),
        playbooks=dict(playbooks or {}),
        tokens=TOKENS,
        people={"alice": MAINTAINER},
    )
    serve = _Serving(
        there=there, files={"now": files}, deciding=deciding, counts=counts or uncounted_api()
    )
    thread = threading.Thread(target=lambda: asyncio.run(serve.until_stopped()))
    thread.start()
    try:
        assert serve.ready.wait(PATIENCE)
        assert serve.api is not None
        yield serve.api
    finally:
        serve.stop.set()
        thread.join()


@dataclass
class _Serving:
    there: Installed
    files: dict[str, Configuration]
    deciding: bool
    counts: ApiInstruments
    ready: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    api: Api | None = None

    async def until_stopped(self) -> None:
        stores = Stores.open(furnished(StateDirectory(self.there.path)), None)
        try:
            async with self._open(stores) as api:
                self.api = api
                self.there.announced(api.url)
                self.ready.set()
                await asyncio.to_thread(self.stop.wait)
        finally:
            stores.close()

    @asynccontextmanager
    async def _open(self, stores: Stores) -> AsyncIterator[Api]:
        secret, log, runs = (
            StateDirectory(self.there.path).operator_secret(),
            Log(),
            RecordingRuns(),
        )
        sources = {"github": source(), OPERATOR: operator_source(Secret("file:s", secret))}
        async with GroupCommit(stores.inbox) as commit, RefusalLog(stores.inbox) as refusals:
            refuse = refusals.refuse
            through = partial(_through, lambda: sources, refuse, log)
            mounted = _mounted(through(commit))
            ring = ringing_with(secret, indoors(through, commit), _now)
            api = api_over(self._reading(stores), self._acting(stores), ring, log, "0", self.counts)
            app = beside(mounted, api)
            async with serving(app) as url, self._dispatching(stores, sources, runs, log):
                yield Api(url=url, runs=runs, log=log, files=self.files)

    def _reading(self, stores: Stores) -> Reading:
        async def status() -> Mapping[str, Any]:
            return {"inbox": {"events": await stores.inbox.head()}}

        return Reading(
            stores=stores,
            configuration=lambda: self.files["now"],
            status=status,
            now=_now,
            ui=lambda: UI,
            namespace="default",
            progress=_no_progress,
        )

    def _acting(self, stores: Stores) -> Acting:
        return Acting(
            stores=stores,
            configuration=lambda: self.files["now"],
            namespace=Namespace(name="default", identity=_identity),
            now=_now,
        )

    @asynccontextmanager
    async def _dispatching(
        self, stores: Stores, sources: Mapping[str, Any], runs: RecordingRuns, log: Log
    ) -> AsyncIterator[None]:
        dispatcher = Dispatcher(
            inbox=stores.inbox,
            ledger=stores.ledger,
            runs=runs,
            configuration=lambda: self.files["now"],
            sources=lambda: sources,
            now=_now,
            log=log,
        )
        working = asyncio.create_task(dispatcher.work()) if self.deciding else None
        try:
            yield
        finally:
            if working is not None:
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working


def _through(sources: Any, refuse: Any, log: Any, keeps: Any) -> Any:
    return door(sources, keeps, refuse, _now, _new_id, told(log))


def _mounted(knock: Any) -> Any:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await knock({**scope, "path": scope["path"].removeprefix("/hooks")}, receive, send)

    return mounted


def _shown(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


async def _no_progress(_workflow_id: str) -> Mapping[str, str]:
    return {}


async def _identity() -> str:
    return NAMESPACE


def _now() -> datetime:
    return datetime.now(UTC)
