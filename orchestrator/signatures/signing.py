"""The other side: what a sender of a scheme would send along, for `doorbell send` and for tests; pure."""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime

from orchestrator.signatures import declared, github, standard_webhooks, twilio
from orchestrator.signatures.declared import DeclaredHmac
from orchestrator.signatures.either import EitherScheme
from orchestrator.signatures.github import GithubScheme
from orchestrator.signatures.keys import shared_key
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.signatures.subscribed import SubscribedScheme
from orchestrator.signatures.table import Stamp, TableScheme
from orchestrator.signatures.token import Bearer, TokenScheme
from orchestrator.signatures.twilio import TwilioScheme
from orchestrator.signatures.unsigned import UnsignedScheme


def prove(
    scheme: Scheme, secret: bytes, body: bytes, now: datetime, headers: Mapping[str, str]
) -> dict[str, str]:
    """The headers that prove this body; `headers` are the ones that come with it, such as its id.

    Raises `ValueError` where only the sender itself can sign, or the secret is none.
    """
    match scheme:
        case EitherScheme():
            return prove(scheme.judge(headers), secret, body, now, headers)
        case StandardWebhooksScheme():
            return _standard(scheme, secret, body, now, headers)
        case SubscribedScheme():
            return _standard(StandardWebhooksScheme(), secret, body, now, headers)
        case TableScheme():
            return _table(scheme, secret, body, now, headers)
        case DeclaredHmac():
            id_ = headers.get(scheme.id_header or "")
            return declared.sign(scheme, secret, body, now, id_)
        case _:
            return _simple(scheme, secret, body)


def _simple(scheme: Scheme, secret: bytes, body: bytes) -> dict[str, str]:
    match scheme:
        case GithubScheme():
            return github.sign(secret, body)
        case TokenScheme():
            return _token(scheme.places[0], secret)
        case TwilioScheme():
            signature = twilio.sign(scheme.url or "", secret, body, scheme.hash)
            return {twilio.HEADER: signature, "content-type": twilio.FORM}
        case UnsignedScheme():
            return {}
        case _:
            raise ValueError(f"only the sender itself can sign as {scheme.name!r}")


def _standard(
    scheme: StandardWebhooksScheme,
    secret: bytes,
    body: bytes,
    now: datetime,
    headers: Mapping[str, str],
) -> dict[str, str]:
    id_ = headers.get(scheme.names[0], "msg_1")
    key = shared_key("whsec-or-utf8" if scheme.raw else "whsec", secret)
    signed = standard_webhooks.sign(base64.b64encode(key), id_, body, now)
    return dict(zip(scheme.names, signed.values(), strict=True))


def _table(
    scheme: TableScheme, secret: bytes, body: bytes, now: datetime, headers: Mapping[str, str]
) -> dict[str, str]:
    if not scheme.algorithm.startswith("hmac-"):
        raise ValueError(f"only the sender itself holds the private key of {scheme.name!r}")
    given = {**headers, **_stamped(scheme.stamp, now)}
    key = shared_key(scheme.key, secret)
    digest = hmac.digest(key, scheme.content(given, body), scheme.algorithm.removeprefix("hmac-"))
    place = scheme.place
    text = digest.hex() if place.encoding == "hex" else base64.b64encode(digest).decode()
    stamped = _stamped(scheme.stamp, now)
    before = stamped.pop(place.headers[0], "")
    joined = f"{before}{place.separators[:1]}" if before else ""
    return {**stamped, place.headers[0]: f"{joined}{place.prefix}{text}"}


def _stamped(stamp: Stamp | None, now: datetime) -> dict[str, str]:
    if stamp is None or stamp.header is None:
        return {}
    seconds = int(now.timestamp())
    return {stamp.header: f"{stamp.prefix}{seconds if stamp.unit == 's' else seconds * 1000}"}


def _token(place: Bearer, secret: bytes) -> dict[str, str]:
    if place.header is None:
        raise ValueError("the token belongs into the query: add it to the URL")
    text = base64.b64encode(secret) if place.encoding == "base64" else secret
    return {place.header: place.prefix + text.decode()}
