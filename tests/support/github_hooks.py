"""A stand-in for GitHub's webhooks: it delivers once, remembers every try, and answers its REST API over real HTTP.

    async with github_hooks() as peer:
        hook = peer.hook("http://127.0.0.1:8787/hooks/github")
        await peer.happen("issues", payload)

What it was asked is counted, and whatever goes wrong at GitHub is set as an attribute. Its answers are held against
GitHub's published description by a test.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote_plus
from uuid import UUID

import httpx2

from orchestrator.signatures import github as signature
from tests.support.asgi import serving
from tests.support.github_openapi import Recorded

SECRET = "It's a Secret to Everybody"
TOKEN = "ghp_MayReadWebhooks"
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOOKS = re.compile(
    r"(/repos/[^/]+/[^/]+|/orgs/[^/]+)/hooks(?:/(\d+))?(/deliveries(?:/(\d+)(/attempts)?)?)?"
)
MASK = "********"

Answer = tuple[int, Any, dict[str, str]]


def compact(payload: Any) -> bytes:
    """How GitHub writes a payload, as far as one knows."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(kw_only=True)
class Hook:
    """One webhook."""

    id: int
    place: str
    url: str
    secret: str = SECRET
    events: list[str] = field(default_factory=lambda: ["*"])
    content_type: str = "json"
    active: bool = True
    tries: list[dict[str, Any]] = field(default_factory=list)


@dataclass(kw_only=True)
class Hooks:
    """GitHub, as far as webhooks go. `write` writes payloads, `extra` goes along, `clock` is moved by hand."""

    clock: datetime = AT
    write: Callable[[Any], bytes] = compact
    page: int = 100
    hooks: list[Hook] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[Answer | bytes]] = field(default_factory=dict)
    url: str = ""
    recorded: Recorded | None = None
    tags: bool = True
    extra: dict[str, str] = field(default_factory=dict)
    numbers: int = 0
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, kind: str, count: int) -> None:
        """Wait until it was asked so often for this."""
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: self.asked[kind] >= count)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def hook(self, url: str, place: str = "/repos/acme/api", **more: Any) -> Hook:
        """One that somebody made by hand."""
        hook = Hook(id=1000 + self.number(), place=place, url=url, **more)
        self.hooks.append(hook)
        return hook

    async def happen(self, event: str, payload: Any, place: str = "/repos/acme/api") -> str:
        """Something happened there: every hook is tried once. Returns the guid that they share."""
        guid = str(UUID(int=self.number() << 64 | 1))
        for hook in self.hooks:
            if hook.active and hook.place == place and {event, "*"} & set(hook.events):
                await self.try_(hook, guid, event, payload)
        return guid

    async def try_(
        self, hook: Hook, guid: str, event: str, payload: Any, *, again: bool = False
    ) -> None:
        body = self.write(payload)
        form = hook.content_type == "form"
        body = b"payload=" + quote_plus(body).encode() if form else body
        headers = {
            "Accept": "*/*",
            "User-Agent": "GitHub-Hookshot/b8c71d8",
            "X-GitHub-Delivery": guid,
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-GitHub-Hook-Installation-Target-ID": "123",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "content-type": f"application/{'x-www-form-urlencoded' if form else 'json'}",
            "X-Hub-Signature-256": signature.sign(hook.secret.encode(), body)[signature.HEADER],
            **self.extra,
        }
        status, said, told = await self.sent(hook, headers, body)
        hook.tries.append(
            {
                "id": self.number(),
                "guid": guid,
                "delivered_at": self.clock.isoformat().replace("+00:00", "Z"),
                "redelivery": again,
                "duration": 0.27,
                "status": said,
                "status_code": status,
                "event": event,
                "action": payload.get("action"),
                "installation_id": None,
                "repository_id": 456,
                "throttled_at": None,
                "url": hook.url,
                "request": {"headers": headers, "payload": payload},
                "response": {"headers": {}, "payload": told},
            }
        )

    async def sent(self, hook: Hook, headers: dict[str, str], body: bytes) -> tuple[int, str, str]:
        if ".invalid" in hook.url:
            return 502, "failed to connect to host", ""
        try:
            async with httpx2.AsyncClient(timeout=5) as http:
                answer = await http.post(hook.url, content=body, headers=headers)
        except httpx2.HTTPError:
            return 502, "failed to connect", ""
        return (
            answer.status_code,
            "OK" if answer.is_success else "Invalid HTTP Response",
            answer.text,
        )

    async def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes, headers: Any
    ) -> Answer:
        found = HOOKS.fullmatch(path)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials", "documentation_url": "", "status": "401"}, {}
        if found is None:
            return _not_found()
        place, hook_id, deliveries, attempt, again = found.groups()
        if hook_id is None:
            return self.collection(method, place, query, body)
        hook = next(
            (hook for hook in self.hooks if str(hook.id) == hook_id and hook.place == place), None
        )
        if hook is None:
            return _not_found()
        if attempt is not None:
            return await self.one(hook, attempt, again)
        return self.removed(hook) if deliveries is None else self.listed(hook, query, headers)

    def collection(
        self, method: str, place: str, query: dict[str, list[str]], body: bytes
    ) -> Answer:
        if method == "POST":
            wanted = json.loads(body)
            config = wanted["config"]
            hook = self.hook(config["url"], place, secret=config["secret"], events=wanted["events"])
            return 201, self.shown(hook), {"location": f"{self.url}{place}/hooks/{hook.id}"}
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        mine = [self.shown(hook) for hook in self.hooks if hook.place == place]
        return 200, mine[(page - 1) * size : page * size], {}

    def removed(self, hook: Hook) -> Answer:
        self.hooks.remove(hook)
        return 204, None, {}

    def listed(self, hook: Hook, query: dict[str, list[str]], headers: Any) -> Answer:
        newest = hook.tries[::-1]
        size = min(int(query["per_page"][0]), self.page)
        cursor = query.get("cursor", ["v1_0"])[0]
        before = int(cursor.removeprefix("v1_"))
        left = [one for one in newest if before in (0, one["id"]) or one["id"] < before]
        tag = f'W/"{hook.id}-{len(newest)}-{cursor}"'
        if self.tags and headers.get("if-none-match") == tag:
            return 304, None, {"etag": tag}
        more = {"etag": tag} if self.tags else {}
        if len(left) > size:
            url = f"{self.url}{hook.place}/hooks/{hook.id}/deliveries?per_page={size}"
            more["link"] = f'<{url}&cursor=v1_{left[size]["id"]}>; rel="next"'
        outer = {"url", "request", "response"}
        shown = [{name: one[name] for name in one if name not in outer} for one in left[:size]]
        return 200, shown, more

    async def one(self, hook: Hook, attempt: str, again: str | None) -> Answer:
        one = next((one for one in hook.tries if str(one["id"]) == attempt), None)
        if one is None:
            return _not_found()
        if again is None:
            return 200, one, {}
        if self.clock - datetime.fromisoformat(one["delivered_at"]) > timedelta(days=3):
            said = {"message": "Validation Failed", "documentation_url": ""}
            return 422, said | {"errors": [{"resource": "Hook", "field": "id", "code": "old"}]}, {}
        await self.try_(hook, one["guid"], one["event"], one["request"]["payload"], again=True)
        return 202, {}, {}

    def shown(self, hook: Hook) -> dict[str, Any]:
        url = f"https://api.github.com{hook.place}/hooks/{hook.id}"
        return {
            "type": "Repository" if hook.place.startswith("/repos") else "Organization",
            "id": hook.id,
            "name": "web",
            "active": hook.active,
            "events": hook.events,
            "config": {
                "url": hook.url,
                "content_type": hook.content_type,
                "insecure_ssl": "0",
                "secret": MASK,
            },
            "updated_at": "2026-11-01T00:00:00Z",
            "created_at": "2026-11-01T00:00:00Z",
            "url": url,
            "test_url": f"{url}/test",
            "ping_url": f"{url}/pings",
            "deliveries_url": f"{url}/deliveries",
            "last_response": {"code": None, "status": "unused", "message": None},
        }

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The REST API."""
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        kind = _kind(scope["method"], scope["path"])
        async with self.came:
            self.asked[kind] += 1
            self.came.notify_all()
        faults = self.faults.get(kind, [])
        if faults:
            fault = faults.pop(0)
            answer = (200, fault, {}) if isinstance(fault, bytes) else fault
        else:
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            query = parse_qs(scope["query_string"].decode())
            answer = await self.answer(scope["method"], scope["path"], query, body, headers)
        await _send(send, *answer)


@asynccontextmanager
async def github_hooks(**given: Any) -> AsyncIterator[Hooks]:
    """The stand-in on a port of its own."""
    peer = Hooks(**given)
    peer.recorded = Recorded(peer.app)
    async with serving(peer.recorded) as url:
        peer.url = url
        yield peer


def _kind(method: str, path: str) -> str:
    """What is asked, in a word: `hooks`, `create`, `remove`, `list`, `show` or `again`."""
    found = HOOKS.fullmatch(path)
    if found is None:
        return "strange"
    _, hook, deliveries, attempt, again = found.groups()
    if deliveries:
        return "again" if again else "show" if attempt else "list"
    return "remove" if hook else "create" if method == "POST" else "hooks"


def _not_found() -> Answer:
    return 404, {"message": "Not Found", "documentation_url": "", "status": "404"}, {}


async def _send(send: Any, status: int, body: Any, headers: dict[str, str]) -> None:
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    named = {"content-type": "application/json; charset=utf-8", **headers}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
