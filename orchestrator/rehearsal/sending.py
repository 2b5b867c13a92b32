"""A payload as its sender would send it: the headers that name it, and the proof; pure, and it rings nobody."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from orchestrator.errors import OperatorError, Refused
from orchestrator.rehearsal.requests import HOOKS, Request
from orchestrator.rehearsal.setting import Steps, put
from orchestrator.signatures.declared import DeclaredHmac
from orchestrator.signatures.either import EitherScheme
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.signing import prove
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.signatures.table import TableScheme
from orchestrator.signatures.token import TokenScheme
from orchestrator.sources.cloudevents import CloudEventsDialect
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.github import DELIVERY, EVENT, GithubDialect
from orchestrator.sources.paths import Header, Pick
from orchestrator.sources.payload import is_form
from orchestrator.sources.source import Source
from orchestrator.sources.tabled import TableDialect

NAMED_HEADER: Final = re.compile(r"""headers\[['"]([a-z0-9-]+)['"]\]""")
"""How a source's template names a header: `headers['x-delivery']`."""

JSON: Final = "application/json"
CLOUDEVENT: Final = "application/cloudevents+json"
OF_THE_CONNECTION: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"}
)
MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What is to be sent: the exact bytes, and the headers that came with them, if any."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": JSON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person who sends it says: the delivery's id and, where a header tells it, the event's name."""

    identity: str
    event: str | None
    now: datetime


def changed(payload: Payload, changes: Sequence[tuple[Steps, Any]]) -> Payload:
    """The payload with these values at these places. Raises `OperatorError`."""
    if not changes:
        return payload
    if is_form(payload.headers):
        return replace(payload, body=_form(payload.body, changes))
    try:
        value: Any = json.loads(payload.body)
    except ValueError as error:
        raise OperatorError(f"--set changes JSON, and this is none: {error}") from None
    for steps, new in changes:
        value = put(value, steps, new)
    # Lines stay lines: what is sent may become a fixture that people read.
    indent = 2 if b"\n" in payload.body else None
    return replace(payload, body=json.dumps(value, ensure_ascii=False, indent=indent).encode())


def unsigned(source: Source, payload: Payload, wish: Wish) -> Request:
    """The request without its proof."""
    payload = _stamped(source.scheme, payload, wish.now)
    given = {n: v for n, v in payload.headers.items() if n not in OF_THE_CONNECTION}
    headers = {"content-type": JSON, **given, **_named(source, payload, wish, given)}
    return Request(path=f"{HOOKS}{source.name}", headers=headers, body=payload.body)


def request_of(source: Source, payload: Payload, wish: Wish) -> Request:
    """The signed request. Raises `OperatorError` where only the sender itself can sign."""
    request = unsigned(source, payload, wish)
    secret = source.secrets[0].reveal().encode() if source.secrets else b""
    query = _query(source.scheme, secret)
    if query:
        return replace(request, query=query)
    try:
        proved = prove(source.scheme, secret, request.body, wish.now, request.headers)
    except (ValueError, Refused) as error:
        raise OperatorError(str(error)) from error
    return replace(request, headers={**request.headers, **proved})


def shown(request: Request, scheme: Scheme) -> tuple[Request, list[str]]:
    """The request without the secret that travels in it, and the names of what was left out."""
    left_out = sorted(scheme.private & request.headers.keys())
    headers = {name: text for name, text in request.headers.items() if name not in left_out}
    hidden = ["the query"] if request.query else []
    return replace(request, headers=headers, query=""), [*left_out, *hidden]


def _named(
    source: Source, payload: Payload, wish: Wish, given: Mapping[str, str]
) -> dict[str, str]:
    """The headers that say which delivery and which event it is; one that was given keeps its event."""
    ids = dict.fromkeys(_id_headers(source, given), wish.identity)
    event = wish.event
    types = {} if event is None else {n: _event(source, event) for n in _type_headers(source)}
    kind = {"content-type": CLOUDEVENT} if _is_cloudevent(source, payload) else {}
    return {**ids, **types, **kind}


def _id_headers(source: Source, given: Mapping[str, str]) -> Iterator[str]:
    scheme = (
        source.scheme.judge(given) if isinstance(source.scheme, EitherScheme) else source.scheme
    )
    match source.dialect:
        case GithubDialect():
            yield DELIVERY
        case TableDialect(id=pick):
            yield from _first_header(pick, given)
        case DeclaredDialect(id=template):
            yield from NAMED_HEADER.findall(str(getattr(template, "text", "")))
        case _:
            pass
    match scheme:
        case StandardWebhooksScheme():
            yield scheme.names[0]
        case DeclaredHmac(id_header=str(name)):
            yield name.lower()
        case TableScheme():
            yield from (piece.text for piece in scheme.signed if piece.kind == "header")
        case _:
            pass


def _type_headers(source: Source) -> Iterator[str]:
    match source.dialect:
        case GithubDialect():
            yield EVENT
        case TableDialect(type=pick):
            yield from _first_header(pick, {})
        case DeclaredDialect(type=template):
            yield from NAMED_HEADER.findall(str(getattr(template, "text", "")))
        case _:
            pass


def _first_header(pick: Pick, given: Mapping[str, str]) -> Iterator[str]:
    """The header that the pick reads: the one that was given, or else its first."""
    names = [part.name for text in pick.texts for part in text.parts if isinstance(part, Header)]
    if names:
        yield next((name for name in names if name in given), names[0])


def _event(source: Source, event: str) -> str:
    # GitHub's header names the event without its action, which stands in the body.
    return event.partition(".")[0] if isinstance(source.dialect, GithubDialect) else event


def _is_cloudevent(source: Source, payload: Payload) -> bool:
    plain = payload.headers.get("content-type", JSON) == JSON
    binary = any(name.startswith("ce-") for name in payload.headers)
    return isinstance(source.dialect, CloudEventsDialect) and plain and not binary


def _stamped(scheme: Scheme, payload: Payload, now: datetime) -> Payload:
    """Where the clock stands in the signed body itself, it is set: the old one would be refused."""
    if not isinstance(scheme, TableScheme) or scheme.stamp is None or scheme.stamp.member is None:
        return payload
    unit = MILLISECONDS if scheme.stamp.unit == "ms" else 1
    return changed(payload, [((scheme.stamp.member,), int(now.timestamp()) * unit)])


def _query(scheme: Scheme, secret: bytes) -> str:
    if not isinstance(scheme, TokenScheme) or scheme.places[0].header is not None:
        return ""
    return urlencode({scheme.places[0].parameter or "": secret.decode()})


def _form(body: bytes, changes: Sequence[tuple[Steps, Any]]) -> bytes:
    fields = dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))
    for steps, value in changes:
        if len(steps) != 1:
            raise OperatorError(f"a form has fields and no places within them, got {steps!r}")
        fields[str(steps[0])] = value if isinstance(value, str) else json.dumps(value)
    return urlencode(fields).encode()
