"""GitHub's REST API as far as webhooks go: its hooks, what they delivered, and once more, please; it decides nothing.

Nothing of an answer is trusted but its shape: sizes are bounded, redirects aren't followed (a token goes to nobody
else), and of a link only its cursor is taken. https://docs.github.com/rest/repos/webhooks
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec

from orchestrator.errors import DoorbellError, OperatorError
from orchestrator.recovery.gaps import Attempt
from orchestrator.recovery.limits import Pause, pause_of
from orchestrator.secrets import Secret

PAGE: Final = 100
MAX_PAGE: Final = 8 * 1024 * 1024
MAX_DELIVERY: Final = 64 * 1024 * 1024
"""Bytes of an answer; GitHub's largest payload has 25 MB, and JSON may write a character in six bytes."""

PATIENCE: Final = httpx2.Timeout(10.0, read=30.0)
VERSION: Final = "2022-11-28"

_LACKS: Final = (
    "the token in {} may not see its webhooks (it needs `Webhooks: read and write`; "
    "a classic one admin:repo_hook or admin:org_hook)"
)
_PAGE: Final = {"per_page": str(PAGE)}
_Id = Annotated[int, msgspec.Meta(ge=1)]
_Guid = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
_At = Annotated[datetime, msgspec.Meta(tz=True)]
_Word = Annotated[str, msgspec.Meta(max_length=200)]

T = TypeVar("T")


class Denied(OperatorError):
    """GitHub won't: the token, the repository or the hook must be mended."""


class Unknown(Denied):
    """GitHub doesn't know what was asked for, or not any longer."""


class NotNow(DoorbellError):
    """GitHub can't now: ask again after the `pause`, or when you see fit."""

    def __init__(self, said: str, pause: Pause | None = None) -> None:
        super().__init__(said)
        self.pause = pause


class Unreadable(NotNow):
    """What came is no answer of GitHub's, or far too much of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One webhook; `url` is where GitHub sends."""

    id: int
    url: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Attempts, newest first; `strange` counts those that couldn't be read. `cursor` leads to the next page."""

    attempts: tuple[Attempt, ...]
    strange: int
    cursor: str | None
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What GitHub sent: header names in lower case, the payload as the API's own JSON; None where it shows none."""

    headers: Mapping[str, str]
    payload: bytes | None


class _Config(msgspec.Struct):
    url: str = ""


class _Hook(msgspec.Struct):
    id: _Id
    active: bool = True
    config: _Config = msgspec.field(default_factory=_Config)


class _Item(msgspec.Struct):
    id: _Id
    guid: _Guid
    delivered_at: _At
    event: _Word
    status_code: int
    redelivery: bool = False


class _Request(msgspec.Struct):
    headers: dict[str, Any] | None = None
    payload: msgspec.Raw = msgspec.Raw()


class _Delivery(msgspec.Struct):
    request: _Request


class GithubHooks:
    """The webhooks of one repository or organization; `path` is `/repos/OWNER/NAME` or `/orgs/NAME`."""

    def __init__(self, http: httpx2.AsyncClient, path: str, reference: str) -> None:
        self._http = http
        self._hooks = f"{path}/hooks"
        self._reference = reference
        self._where = path.split("/", 2)[2]

    async def hooks(self) -> list[Hook]:
        """All of them. Raises `Denied` or `NotNow`."""
        found: list[Hook] = []
        for number in range(1, 11):
            query = {**_PAGE, "page": str(number)}
            answer = await self._asked("GET", self._hooks, MAX_PAGE, query=query)
            page = _decoded(answer.body, list[_Hook])
            found += [Hook(id=one.id, url=one.config.url, active=one.active) for one in page]
            if len(page) < PAGE:
                break
        return found

    async def create(self, url: str, secret: str, events: list[str]) -> int:
        """A new hook that sends JSON there; its id. Raises `Denied` or `NotNow`."""
        config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        wanted = {"name": "web", "active": True, "events": events, "config": config}
        answer = await self._asked("POST", self._hooks, MAX_PAGE, body=wanted)
        return _decoded(answer.body, _Hook).id

    async def remove(self, hook: int) -> None:
        """Remove it; one that is gone already is well gone. Raises `Denied` or `NotNow`."""
        gone = frozenset({HTTPStatus.NOT_FOUND})
        await self._asked("DELETE", f"{self._hooks}/{hook}", MAX_PAGE, fine=gone)

    async def page(
        self, hook: int, cursor: str | None = None, etag: str | None = None
    ) -> Page | None:
        """One page of what a hook delivered; None where nothing changed since `etag`. Raises `Denied` or `NotNow`."""
        query = dict(_PAGE) if cursor is None else {**_PAGE, "cursor": cursor}
        answer = await self._asked(
            "GET",
            f"{self._hooks}/{hook}/deliveries",
            MAX_PAGE,
            query=query,
            headers={} if etag is None else {"if-none-match": etag},
            fine=frozenset({HTTPStatus.NOT_MODIFIED}),
        )
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return None
        items = [_item(raw) for raw in _decoded(answer.body, list[msgspec.Raw])]
        attempts = tuple(item for item in items if item is not None)
        return Page(
            attempts=attempts,
            strange=len(items) - len(attempts),
            cursor=answer.cursor,
            etag=answer.etag,
        )

    async def recorded(self, hook: int, attempt: int) -> Recorded:
        """What was sent in this attempt. Raises `Denied` or `NotNow`."""
        path = f"{self._hooks}/{hook}/deliveries/{attempt}"
        answer = await self._asked("GET", path, MAX_DELIVERY)
        request = _decoded(answer.body, _Delivery).request
        payload = bytes(request.payload)
        return Recorded(
            headers={name.lower(): str(value) for name, value in (request.headers or {}).items()},
            payload=payload if payload.startswith(b"{") else None,
        )

    async def again(self, hook: int, attempt: int) -> None:
        """Ask GitHub to make this delivery once more. Raises `Denied` or `NotNow`."""
        path = f"{self._hooks}/{hook}/deliveries/{attempt}/attempts"
        await self._asked("POST", path, MAX_PAGE)

    async def _asked(
        self,
        method: str,
        path: str,
        limit: int,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        fine: frozenset[HTTPStatus] = frozenset(),
    ) -> "_Answer":
        request = self._http.build_request(method, path, params=query, json=body, headers=headers)
        try:
            answer = await self._sent(request, limit)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise NotNow(f"{request.url.host} can't be reached: {said}") from None
        if answer.status not in fine:
            self._judge(answer)
        return answer

    async def _sent(self, request: httpx2.Request, limit: int) -> "_Answer":
        response = await self._http.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > limit:
                    raise Unreadable(f"expected at most {limit} bytes from GitHub's API, more came")
        finally:
            await response.aclose()
        return _Answer(
            status=response.status_code,
            body=bytes(body),
            cursor=_cursor(response),
            etag=response.headers.get("etag"),
            pause=pause_of(response.status_code, response.headers, bytes(body)),
        )

    def _judge(self, answer: "_Answer") -> None:
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        if answer.pause is not None:
            said = f"GitHub limits how often it may be asked ({answer.status})"
            raise NotNow(said, answer.pause)
        said = _message(answer.body)
        why = f"GitHub answered {answer.status}{said} for the webhooks of {self._where!r}"
        match answer.status:
            case HTTPStatus.UNAUTHORIZED:
                raise Denied(f"{why}: the token in {self._reference} is wrong or has expired")
            case HTTPStatus.FORBIDDEN:
                raise Denied(f"{why}: {_LACKS.format(self._reference)}")
            case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
                missing = "there is no such place or webhook"
                raise Unknown(f"{why}: {missing}, or {_LACKS.format(self._reference)}")
            case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
                raise Unknown(f"{why}: it can't do what was asked")
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise NotNow(why)
            case _:
                raise Denied(f"{why}: expected 2xx; was it renamed, or is this no API of GitHub's?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came back, read to its end; `pause` where we ask too often."""

    status: int
    body: bytes
    cursor: str | None
    etag: str | None
    pause: Pause | None


@asynccontextmanager
async def connected(api: str, path: str, token: Secret) -> AsyncIterator[GithubHooks]:
    """The API behind this address, with this token, until the block ends."""
    headers = {
        "authorization": f"Bearer {token.reveal()}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": VERSION,
        "user-agent": "doorbell",
    }
    async with httpx2.AsyncClient(
        base_url=api, headers=headers, timeout=PATIENCE, follow_redirects=False
    ) as http:
        yield GithubHooks(http, path, token.reference)


def _item(raw: msgspec.Raw) -> Attempt | None:
    try:
        item = msgspec.json.decode(raw, type=_Item)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Attempt(
        id=item.id,
        guid=item.guid,
        event=item.event,
        at=item.delivered_at,
        acknowledged=HTTPStatus.OK <= item.status_code < HTTPStatus.MULTIPLE_CHOICES,
        redelivery=item.redelivery,
    )


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"GitHub's answer can't be read: {error}") from None


def _cursor(response: httpx2.Response) -> str | None:
    try:
        url = response.links.get("next", {}).get("url", "")
        return parse_qs(urlsplit(url).query).get("cursor", [None])[0]
    except ValueError:
        return None


def _message(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body, type=dict[str, Any]).get("message", "")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    shown = "".join(char for char in str(said) if char.isprintable())[:200]
    return f" ({shown})" if shown else ""
