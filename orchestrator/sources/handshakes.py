"""What a sender asks before or beside its events, and the answer it must get; pure, it sends and fetches nothing.

A greeting that is a POST is answered only when it is proved like any delivery. What can't be proved by its nature
(a GET challenge, an OPTIONS question) gives nothing away but what the operator wrote into the configuration.
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from orchestrator.errors import Malformed, Reason
from orchestrator.signatures.bytes import equal
from orchestrator.signatures.sns import confirmation
from orchestrator.sources.greeting import PLAIN, Greeting, Reply
from orchestrator.sources.payload import is_form

MAX_CHALLENGE: Final = 500
_CHALLENGE: Final = re.compile(r"[!-~]{1,500}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_ORIGIN: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Greets:
    """A handshake that is only ever a POST."""

    answer: Callable[[Greeting], Reply | None]
    methods: tuple[str, ...] = ()

    def greet(self, greeting: Greeting) -> Reply | None:
        """What the answer says."""
        return self.answer(greeting)

    def hello(self, query: str, headers: Mapping[str, str]) -> Reply | None:  # noqa: ARG002
        """There is no other method."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaHandshake:
    """`GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` is answered with the challenge as plain text.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """

    verify_token: bytes | None
    methods: tuple[str, ...] = ("GET",)

    def greet(self, greeting: Greeting) -> Reply | None:  # noqa: ARG002
        """Its POSTs are events."""
        return None

    def hello(self, query: str, headers: Mapping[str, str]) -> Reply | None:  # noqa: ARG002
        """The challenge, if the token is ours."""
        if self.verify_token is None:
            return None
        asked = parse_qs(query)
        token = asked.get("hub.verify_token", [])
        challenge = asked.get("hub.challenge", [])
        known = len(token) == 1 and equal(token[0].encode(), self.verify_token)
        sound = len(challenge) == 1 and _CHALLENGE.fullmatch(challenge[0])
        if not (known and sound and asked.get("hub.mode") == ["subscribe"]):
            return Reply(status=HTTPStatus.FORBIDDEN, body=b"forbidden", content_type=PLAIN)
        safe = ((b"x-content-type-options", b"nosniff"),)
        return Reply(body=challenge[0].encode(), content_type=PLAIN, headers=safe)


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginHandshake:
    """`OPTIONS` with `WebHook-Request-Origin` is answered for the origins the operator lists.

    https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection
    """

    origins: frozenset[str]
    answer: Callable[[Greeting], Reply | None] | None = None
    methods: tuple[str, ...] = ("OPTIONS",)

    def greet(self, greeting: Greeting) -> Reply | None:
        """Event Grid's own schema has a greeting of its own."""
        return None if self.answer is None else self.answer(greeting)

    def hello(self, query: str, headers: Mapping[str, str]) -> Reply | None:  # noqa: ARG002
        """The permission, if the origin is listed."""
        origin = headers.get("webhook-request-origin", "")
        if not _ORIGIN.fullmatch(origin) or not {origin.lower(), "*"} & self.origins:
            return None
        allowed = [(b"allow", b"POST"), (b"webhook-allowed-origin", origin.encode())]
        if "webhook-request-rate" in headers:
            allowed.append((b"webhook-allowed-rate", b"*"))
        return Reply(headers=tuple(allowed))


def slack(greeting: Greeting) -> Reply | None:
    """`url_verification` is answered with its challenge.

    https://docs.slack.dev/reference/events/url_verification
    """
    said = _said(greeting)
    if said.get("type") != "url_verification":
        return None
    return _json({"challenge": _word(said.get("challenge"), _CHALLENGE)})


def zoom(greeting: Greeting) -> Reply | None:
    """`endpoint.url_validation` is answered with the token and its HMAC.

    https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint
    """
    said = _said(greeting)
    if said.get("event") != "endpoint.url_validation":
        return None
    payload = said.get("payload")
    # Only a plain word is ever signed: a text such as `v0:…` would be the signature of a delivery.
    plain = _word(payload.get("plainToken") if isinstance(payload, dict) else None, _TOKEN)
    digest = hmac_hex(greeting.secret, plain)
    return _json({"plainToken": plain, "encryptedToken": digest})


def discord(greeting: Greeting) -> Reply | None:
    """A PING is answered with a PONG.

    https://docs.discord.com/developers/interactions/overview#acknowledging-ping-requests
    """
    said = _said(greeting)
    match said.get("type"), "event" in said:
        case 1, False:
            return _json({"type": 1})
        case 0, False:
            return Reply(status=HTTPStatus.NO_CONTENT)
        case _:
            return None


def event_grid(greeting: Greeting) -> Reply | None:
    """`SubscriptionValidationEvent` is answered with its code.

    https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
    """
    events = _json_or_none(greeting.body)
    first = events[0] if isinstance(events, list) and events else None
    if not isinstance(first, dict):
        return None
    if first.get("eventType") != "Microsoft.EventGrid.SubscriptionValidationEvent":
        return None
    data = first.get("data")
    code = _word(data.get("validationCode") if isinstance(data, dict) else None, _CHALLENGE)
    return _json({"validationResponse": code})


def mcp_events(greeting: Greeting) -> Reply | None:
    """A `verification` is answered with its challenge; its signature has been checked like any other's.

    https://modelcontextprotocol.io/seps/3415-events-extension
    """
    said = _said(greeting)
    if said.get("type") != "verification":
        return None
    return _json({"challenge": _word(said.get("challenge"), _CHALLENGE)})


def sns(greeting: Greeting) -> Reply | None:
    """A subscription to a topic is confirmed at SNS's own address; the scheme has checked topic and signature."""
    said = _said(greeting)
    match said.get("Type"):
        case "SubscriptionConfirmation":
            address = confirmation(said)
            if address is None:
                raise Malformed(Reason.MALFORMED, "expected a SubscribeURL at SNS's own host")
            return Reply(fetch=address)
        case "UnsubscribeConfirmation":
            # Calling its address would subscribe again; that somebody left is for the operator to see in the log.
            return Reply()
        case _:
            return None


def hmac_hex(secret: bytes, text: str) -> str:
    """The hex HMAC-SHA256 of a word."""
    return hmac.digest(secret, text.encode(), "sha256").hex()


def _said(greeting: Greeting) -> dict[str, Any]:
    """The body if it is a JSON object, else an empty one."""
    if is_form(greeting.headers):
        return {}
    value = _json_or_none(greeting.body)
    return value if isinstance(value, dict) else {}


def _json_or_none(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None


def _word(value: Any, allowed: re.Pattern[str]) -> str:
    if not (isinstance(value, str) and allowed.fullmatch(value)):
        raise Malformed(
            Reason.MALFORMED, f"expected a challenge of at most {MAX_CHALLENGE} characters"
        )
    return value


def _json(value: Mapping[str, Any]) -> Reply:
    return Reply(body=json.dumps(value).encode())
