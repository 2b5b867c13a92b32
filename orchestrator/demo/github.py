"""A stand-in for GitHub's REST API: HTTP over a `GitHubState`, ringing for every write; it keeps no state itself.

    app = stand_in(GitHubState.from_delivery(payload), ring, token)

Its requests and answers are held against GitHub's published OpenAPI description by a test.
"""

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog

from orchestrator.demo import github_deployments, github_search
from orchestrator.demo.github_objects import Object, account
from orchestrator.demo.github_state import GitHubState, Ring

DOCUMENTATION: Final = "https://docs.github.com/rest"
LARGEST_BODY: Final = 1 << 20
"""Bytes of a request body that are read."""

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
Ringer = Callable[[str, Object], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request: its path, what the path names, its query and its JSON body."""

    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Any

    @property
    def number(self) -> int:
        return int(self.names["number"])

    def page(self, found: list[Any]) -> list[Any]:
        size, page = self._count("per_page", 30), self._count("page", 1)
        return found[(page - 1) * size : page * size]

    def _count(self, name: str, default: int) -> int:
        given = self.query.get(name, "")
        return min(int(given), 100) if re.fullmatch(r"[1-9]\d{0,6}", given) else default


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What is sent back, and the webhooks that are rung once it has been."""

    status: int = 200
    body: Any
    rings: tuple[Ring, ...] = ()


class _Refused(Exception):
    """GitHub's refusal: a status and a message, with the faults it names."""

    def __init__(self, status: int, message: str, *faults: Mapping[str, str]) -> None:
        super().__init__(message)
        body: Object = {"message": message, "documentation_url": DOCUMENTATION}
        body |= {"errors": list(faults)} if faults else {}
        self.answer = _Answer(status=status, body=body | {"status": str(status)})


def stand_in(state: GitHubState, ring: Ringer, token: str) -> Asgi:
    """The API as an ASGI app; `ring` is awaited for each webhook, apart from the request and after its answer."""
    bells: set[asyncio.Task[None]] = set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, bells)
            return
        try:
            _authenticate(scope, token)
            answer = _route(state, scope, await _body(receive))
        except _Refused as refused:
            answer = refused.answer
        await _send(send, answer)
        if answer.rings:
            # Within the request, a bell that fails would break the client's connection.
            bell = asyncio.create_task(_sound(ring, answer.rings))
            bells.add(bell)
            bell.add_done_callback(bells.discard)
            bell.add_done_callback(_note_failure)

    return app


async def _sound(ring: Ringer, rings: tuple[Ring, ...]) -> None:
    for event, payload in rings:
        await ring(event, payload)


def _note_failure(bell: asyncio.Task[None]) -> None:
    if not bell.cancelled() and (error := bell.exception()):
        # GitHub doesn't ring twice either.
        structlog.get_logger().warning("stand_in_bell_failed", error=repr(error))


async def _lifespan(receive: Any, send: Any, bells: set[asyncio.Task[None]]) -> None:
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await asyncio.gather(*bells, return_exceptions=True)
    await send({"type": "lifespan.shutdown.complete"})


def _authenticate(scope: Any, token: str) -> None:
    given = dict(scope["headers"]).get(b"authorization")
    if given is None:
        raise _Refused(401, "Requires authentication")
    kind, _, credential = given.partition(b" ")
    known = kind.lower() in {b"bearer", b"token"}
    if not (known and hmac.compare_digest(credential, token.encode())):
        raise _Refused(401, "Bad credentials")


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise _Refused(413, "Payload too large")
    return body


async def _send(send: Any, answer: _Answer) -> None:
    content = json.dumps(answer.body, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _route(state: GitHubState, scope: Any, body: bytes) -> _Answer:
    method, path = scope["method"], scope["path"]
    for verb, pattern, answer in _ROUTES:
        match = pattern.fullmatch(path)
        if verb == method and match:
            names = match.groupdict()
            _check_names(state, names)
            query = dict(parse_qsl(scope["query_string"].decode()))
            call = _Call(
                method=method, path=path, names=names, query=query, body=_json(method, body)
            )
            return answer(state, call)
    raise _Refused(404, "Not Found")


def _check_names(state: GitHubState, names: Mapping[str, str]) -> None:
    owned = f"{names['owner']}/{names['repo']}" if "repo" in names else None
    if owned is not None and owned.lower() != state.repository["full_name"].lower():
        raise _Refused(404, "Not Found")
    if "number" in names and int(names["number"]) not in state.issues:
        raise _Refused(404, "Not Found")


def _json(method: str, body: bytes) -> Any:
    if method == "GET":
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(400, "Problems parsing JSON") from None


def _me(state: GitHubState, _: _Call) -> _Answer:
    return _Answer(body=account(state.bot, state.repository["created_at"]))


def _issue(state: GitHubState, call: _Call) -> _Answer:
    return _Answer(body=state.issues[call.number])


def _comments(state: GitHubState, call: _Call) -> _Answer:
    return _Answer(body=call.page(state.comments.get(call.number, [])))


def _labels(state: GitHubState, call: _Call) -> _Answer:
    return _Answer(body=call.page(sorted(state.labels.values(), key=lambda label: label["name"])))


def _search(state: GitHubState, call: _Call) -> _Answer:
    query = call.query.get("q", "")
    if not query.strip():
        raise _invalid("Search", "q", "missing")
    own = state.repository["full_name"].lower()
    if any(name != own for name in github_search.repositories(query)):
        raise _invalid("Search", "q", "invalid")
    found = github_search.search(state.issues.values(), query)
    found = _sorted(found, call.query.get("sort"), call.query.get("order", "desc"))
    items = [{**issue, "score": score} for score, issue in call.page(found)]
    return _Answer(
        body={
            "total_count": len(found),
            "incomplete_results": False,
            "items": items,
            "search_type": "lexical",
        }
    )


_SORTS: Final = {"comments": "comments", "created": "created_at", "updated": "updated_at"}


def _sorted(
    found: list[tuple[float, Mapping[str, Any]]], sort: str | None, order: str
) -> list[tuple[float, Mapping[str, Any]]]:
    if sort not in _SORTS:
        return found
    return sorted(found, key=lambda one: one[1][_SORTS[sort]], reverse=order != "asc")


def _post_issue(state: GitHubState, call: _Call) -> _Answer:
    fields = _fields(call.body, "Issue")
    if not fields.get("title"):
        raise _invalid("Issue", "title", "missing_field")
    state.record(call.method, call.path, fields)
    issue, rings = state.open_issue(fields)
    return _Answer(status=201, body=issue, rings=tuple(rings))


def _patch_issue(state: GitHubState, call: _Call) -> _Answer:
    fields = _fields(call.body, "Issue")
    if fields.get("title") == "":
        raise _invalid("Issue", "title", "missing_field")
    state.record(call.method, call.path, fields)
    rings = state.change_issue(call.number, fields)
    return _Answer(body=state.issues[call.number], rings=tuple(rings))


def _post_comment(state: GitHubState, call: _Call) -> _Answer:
    fields = _fields(call.body, "IssueComment")
    if not (fields.get("body") or "").strip():
        raise _invalid("IssueComment", "body", "missing_field")
    state.record(call.method, call.path, fields)
    comment, ring = state.comment(call.number, state.bot, fields["body"])
    return _Answer(status=201, body=comment, rings=(ring,))


def _post_labels(state: GitHubState, call: _Call) -> _Answer:
    # GitHub takes the bare list as well as the object around it.
    given = {"labels": call.body} if isinstance(call.body, list) else call.body
    fields = _fields(given, "Label")
    state.record(call.method, call.path, fields)
    rings = state.add_labels(call.number, fields.get("labels") or [])
    return _Answer(body=state.issues[call.number]["labels"], rings=tuple(rings))


def _post_deployment(state: GitHubState, call: _Call) -> _Answer:
    fields = _fields(call.body, "Deployment")
    if not isinstance(fields.get("ref"), str) or not fields["ref"]:
        raise _invalid("Deployment", "ref", "missing_field")
    state.record(call.method, call.path, fields)
    deployment, ring = github_deployments.ask(state, fields)
    return _Answer(status=201, body=deployment, rings=(ring,))


def _fields(body: Any, resource: str) -> Object:
    """The fields of a write, with label and assignee objects as their names. Raises _Refused."""
    if not isinstance(body, dict):
        raise _Refused(422, "Invalid request.\n\nFor 'links/0/schema', it is not an object.")
    fields = {name: value for name, value in body.items() if (name, value) != ("title", None)}
    for name, key in (("labels", "name"), ("assignees", "login")):
        if fields.get(name) is not None:
            fields[name] = _names(fields[name], key, resource)
    for name, sound in _SOUND.items():
        if name in fields and not sound(fields[name]):
            raise _invalid(resource, name, "invalid")
    return fields


def _names(given: Any, key: str, resource: str) -> list[str]:
    told = given if isinstance(given, list) else [None]
    found = [one.get(key) if isinstance(one, dict) else one for one in told]
    names = [name for name in found if isinstance(name, str) and name]
    if len(names) < len(found):
        raise _invalid(resource, key, "invalid")
    return names


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


_SOUND: Final[Mapping[str, Callable[[Any], bool]]] = {
    "title": _text,
    "body": _text,
    "state": ("open", "closed").__contains__,
    "state_reason": ("completed", "not_planned", "duplicate", "reopened", None).__contains__,
}


def _invalid(resource: str, field: str, code: str) -> _Refused:
    return _Refused(422, "Validation Failed", {"resource": resource, "field": field, "code": code})


_REPO: Final = r"/repos/(?P<owner>[^/]+)/(?P<repo>[^/]+)"
_NUMBER: Final = rf"{_REPO}/issues/(?P<number>[1-9][0-9]{{0,17}})"
_ROUTES: Final = tuple(
    (verb, re.compile(pattern), answer)
    for verb, pattern, answer in (
        ("GET", r"/user", _me),
        ("GET", r"/search/issues", _search),
        ("GET", rf"{_REPO}/labels", _labels),
        ("POST", rf"{_REPO}/issues", _post_issue),
        ("POST", rf"{_REPO}/deployments", _post_deployment),
        ("GET", _NUMBER, _issue),
        ("PATCH", _NUMBER, _patch_issue),
        ("GET", rf"{_NUMBER}/comments", _comments),
        ("POST", rf"{_NUMBER}/comments", _post_comment),
        ("POST", rf"{_NUMBER}/labels", _post_labels),
    )
)
