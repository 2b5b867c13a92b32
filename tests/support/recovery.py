"""A door that was down, GitHub that kept trying, and the recovery between them; clocks are moved by hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestrator.database import Database
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.recovery.indoors import Ring, indoors
from orchestrator.recovery.recovering import Recovering, recovering
from orchestrator.secrets import Secret
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Recover, Source
from tests.support.asgi import serving
from tests.support.blanks import inbox_file
from tests.support.github_hooks import SECRET, TOKEN, Hook, Hooks, github_hooks
from tests.support.told import told

PLACE = "/repos/acme/api"
DOWN = "http://127.0.0.1:9/hooks/github"
HOUR = timedelta(hours=1)


@dataclass
class Lines:
    """The log: each line as its event's name and its fields."""

    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def _say(self, event: str, **fields: Any) -> None:
        self.said.append((event, fields))

    info = warning = error = exception = debug = _say

    def of(self, event: str) -> list[dict[str, Any]]:
        """The fields of all lines of this name."""
        return [fields for name, fields in self.said if name == event]


def issue(number: int, **more: Any) -> dict[str, Any]:
    """What GitHub says when an issue is opened."""
    return {
        "action": "opened",
        "issue": {"number": number, "title": f"Ünïcode & <b>№ {number}</b> 🙂", "body": None},
        "repository": {"id": 456, "full_name": "acme/api"},
        "sender": {"id": 1, "login": "ann", "type": "User"},
        **more,
    }


def source(peer: Hooks, *, token: str = TOKEN, hook: int | None = None, **more: Any) -> Source:
    """The source, with its recovery."""
    preset = PRESETS["github"]
    recover = Recover(
        api=peer.url,
        place=PLACE,
        token=Secret("env:GITHUB_TOKEN", token),
        every=timedelta(minutes=10),
        hook=hook,
    )
    values = {
        "name": "github",
        "scheme": preset.scheme,
        "secrets": (Secret("env:NEW", "the new one"), Secret("env:OLD", SECRET)),
        "dialect": preset.dialect,
        "max_body": preset.max_body,
        "dedupe_body": preset.dedupe_body,
        "recover": recover,
    }
    return Source(**values | more)


@dataclass(kw_only=True)
class Road:
    """GitHub, a hook that leads to our door, the inbox behind it, and one recovery."""

    peer: Hooks
    hook: Hook
    inbox: SqlInbox
    lines: Lines
    ring: Ring
    recovering: Recovering
    limit: list[int | None]

    async def miss(self, *numbers: int) -> list[str]:
        """Issues that are opened while our door is down; the guids of their deliveries."""
        self.hook.url, before = DOWN, self.hook.url
        guids = [await self.peer.happen("issues", issue(number)) for number in numbers]
        self.hook.url = before
        return guids

    async def miss_again(self, guid: str, number: int) -> None:
        """Somebody at GitHub asks for one again, and our door is still down."""
        self.hook.url, before = DOWN, self.hook.url
        await self.peer.try_(self.hook, guid, "issues", issue(number), again=True)
        self.hook.url = before

    def later(self, length: timedelta) -> None:
        """Time goes by, at GitHub and here."""
        self.peer.clock += length

    def shown(self, number: int) -> tuple[int, Any, dict[str, str]]:
        """GitHub's honest answer about one attempt, counted from 1."""
        return 200, self.hook.tries[number - 1], {}

    async def kept(self) -> list[str]:
        """The guids in the inbox, in the order in which they were kept."""
        return [entry.delivery_id for entry in reversed(await self.inbox.entries(1000))]

    def again(self) -> Recovering:
        """The recovery of a service that was started anew."""
        old = self.recovering
        return replace_recovering(old, old.source)


def replace_recovering(old: Recovering, changed: Source) -> Recovering:
    """One that remembers nothing, for this source."""
    (made,) = recovering({"github": changed}, old.ring, old.inbox, old.now, old.log, tell=old.tell)
    return made


@asynccontextmanager
async def road(directory: Any, **changes: Any) -> AsyncIterator[Road]:
    """All of it, on SQLite and real sockets; `changes` are the source's."""
    database = Database.open(inbox_file(directory / "inbox.db"), MIGRATIONS)
    inbox, lines, limit = SqlInbox(database), Lines(), [None]
    try:
        async with github_hooks() as peer, _standing(inbox, peer, lines, changes, limit) as made:
            yield made
    finally:
        database.close()


@asynccontextmanager
async def _standing(
    inbox: SqlInbox, peer: Hooks, lines: Lines, changes: dict[str, Any], limit: list[int | None]
) -> AsyncIterator[Road]:
    numbers = iter(range(1, 100_000))
    sources = {"github": source(peer, **changes)}
    async with (
        GroupCommit(inbox, lambda _source: limit[0]) as commit,
        RefusalLog(inbox) as refused,
    ):

        def at_the_door(keeps: Any) -> Any:
            return door(
                lambda: sources,
                keeps,
                refused.refuse,
                lambda: peer.clock,
                lambda: f"evt_{next(numbers)}",
                told(lines),
            )

        async def status() -> dict[str, Any]:
            return {}

        app = build(at_the_door(commit), Readiness(inbox.pulse, lambda: peer.clock), status, lines)
        ring = indoors(at_the_door, commit)
        (made,) = recovering(sources, ring, inbox, lambda: peer.clock, lines)
        async with serving(app) as url:
            hook = peer.hook(f"{url}/hooks/github")
            yield Road(
                peer=peer,
                hook=hook,
                inbox=inbox,
                lines=lines,
                ring=ring,
                recovering=made,
                limit=limit,
            )


def without_bytes(payload: Any) -> bytes:
    """A way to write a payload that nobody would think of."""
    return json.dumps(payload, indent=3).encode()
