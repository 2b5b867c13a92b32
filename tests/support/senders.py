"""Every sender of the table as its vendor's text says it signs, written without a line of ours.

It knows the vendors' recipes, one key for each kind of them, and a fixed moment; it imports no signing of ours, so
that an error there can't vouch for itself.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
SECRET = "a secret made for tests"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://bell.example.com/hooks/{}"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-{}.pem".format(
    "0" * 32
)
FORM = "application/x-www-form-urlencoded"

_ED25519 = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
_P256 = derive_private_key(0x2A2A2A2A2A, SECP256R1())
_RSA = generate_private_key(public_exponent=65537, key_size=2048)


def certificate() -> bytes:
    """What stands at SNS's address here: a certificate of this process's own key, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.example.com")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_RSA.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    return builder.sign(_RSA, SHA256()).public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class Signed:
    """What travels: headers, a query, and the body (SNS's signature stands inside it)."""

    headers: Mapping[str, str]
    body: bytes
    query: str = ""

    def target(self, name: str) -> str:
        return f"/hooks/{name}{self.query}"

    def but(self, **changes: str | None) -> "Signed":
        """The same with other headers; None takes one away."""
        changed = {name.replace("_", "-"): value for name, value in changes.items()}
        kept = {**self.headers, **changed}
        return Signed({n: v for n, v in kept.items() if v is not None}, self.body, self.query)

    def saying(self, body: bytes) -> "Signed":
        """The same headers over other bytes."""
        return Signed(self.headers, body, self.query)


@dataclass(frozen=True)
class Sender:
    """One sender: the secret the operator writes down, the recipe, and the headers that every delivery has."""

    name: str
    secret: str
    recipe: Callable[["Sender", bytes, int], Signed]
    says: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return URL.format(self.name)

    def sign(self, body: bytes, at: int = AT, **says: str) -> Signed:
        """A delivery of these bytes, signed at this Unix time."""
        signed = self.recipe(self, body, at)
        said = {name.replace("_", "-"): value for name, value in says.items()}
        return Signed({**self.says, **said, **signed.headers}, signed.body, signed.query)


def _mac(key: str | bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key.encode() if isinstance(key, str) else key, content, algorithm).digest()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _over_body(
    header: str, *, before: str = "", algorithm: str = "sha256", text: bool = False
) -> Any:
    """`header: <before><hex or base64 of the HMAC of the body>`."""

    def recipe(sender: Sender, body: bytes, _at: int) -> Signed:
        digest = _mac(sender.secret, body, algorithm)
        return Signed({header: before + (_base64(digest) if text else digest.hex())}, body)

    return recipe


def _standard(family: str) -> Any:
    def recipe(sender: Sender, body: bytes, at: int) -> Signed:
        id_ = f"msg_{hashlib.md5(body).hexdigest()}"
        key = base64.b64decode(sender.secret.removeprefix("whsec_"))
        signature = _mac(key, f"{id_}.{at}.".encode() + body)
        return Signed(
            {
                f"{family}-id": id_,
                f"{family}-timestamp": str(at),
                f"{family}-signature": f"v1,{_base64(signature)}",
            },
            body,
        )

    return recipe


def _stripe(sender: Sender, body: bytes, at: int) -> Signed:
    digest = _mac(sender.secret, f"{at}.".encode() + body).hex()
    return Signed({"stripe-signature": f"t={at},v1={digest}"}, body)


def _versioned(signature: str, stamp: str) -> Any:
    """Slack's and Zoom's: `v0=` and the HMAC of `v0:time:body`."""

    def recipe(sender: Sender, body: bytes, at: int) -> Signed:
        digest = _mac(sender.secret, f"v0:{at}:".encode() + body).hex()
        return Signed({signature: f"v0={digest}", stamp: str(at)}, body)

    return recipe


def _twilio(algorithm: str) -> Any:
    def recipe(sender: Sender, body: bytes, _at: int) -> Signed:
        if body[:1] in (b"{", b"["):
            query = f"?bodySHA256={hashlib.sha256(body).hexdigest()}"
            signature = _base64(_mac(sender.secret, f"{sender.url}{query}".encode(), algorithm))
            headers = {"x-twilio-signature": signature, "content-type": "application/json"}
            return Signed(headers, body, query)
        try:
            pairs = sorted(set(parse_qsl(body.decode("ascii"), keep_blank_values=True)))
        except ValueError:
            pairs = []
        content = sender.url + "".join(name + value for name, value in pairs)
        signature = _base64(_mac(sender.secret, content.encode(), algorithm))
        return Signed({"x-twilio-signature": signature, "content-type": FORM}, body)

    return recipe


def _sendgrid(_sender: Sender, body: bytes, at: int) -> Signed:
    signature = _P256.sign(str(at).encode() + body, ECDSA(SHA256()))
    name = "x-twilio-email-event-webhook-"
    return Signed({f"{name}signature": _base64(signature), f"{name}timestamp": str(at)}, body)


def _discord(_sender: Sender, body: bytes, at: int) -> Signed:
    signature = _ED25519.sign(str(at).encode() + body).hex()
    return Signed({"x-signature-ed25519": signature, "x-signature-timestamp": str(at)}, body)


def _square(sender: Sender, body: bytes, _at: int) -> Signed:
    digest = _mac(sender.secret, sender.url.encode() + body)
    return Signed({"x-square-hmacsha256-signature": _base64(digest)}, body)


def _hubspot(sender: Sender, body: bytes, at: int) -> Signed:
    stamp = str(at * 1000)
    digest = _mac(sender.secret, f"POST{sender.url}".encode() + body + stamp.encode())
    headers = {"x-hubspot-signature-v3": _base64(digest), "x-hubspot-request-timestamp": stamp}
    return Signed(headers, body)


def _connect(sender: Sender, body: bytes, at: int) -> Signed:
    hashed = hashlib.sha256(f"POST&/hooks/{sender.name}&".encode()).hexdigest()
    claims = {"iss": "jira", "iat": at, "exp": at + 180, "qsh": hashed}
    head = _url64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    content = f"{head}.{_url64(json.dumps(claims).encode())}"
    token = f"{content}.{_url64(_mac(sender.secret, content.encode()))}"
    return Signed({"authorization": f"JWT {token}"}, body)


def _url64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _sns(_sender: Sender, body: bytes, at: int) -> Signed:
    """The body is the text of a notification, whose envelope is SNS's own."""
    envelope = {
        "Type": "Notification",
        "MessageId": hashlib.md5(body).hexdigest(),
        "TopicArn": TOPIC,
        "Message": body.decode("utf-8", "replace"),
        "Timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
    }
    names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    lines = "".join(f"{name}\n{envelope[name]}\n" for name in names)
    signature = _base64(_RSA.sign(lines.encode(), PKCS1v15(), SHA256()))
    said = json.dumps({**envelope, "Signature": signature}).encode()
    return Signed({"content-type": "text/plain"}, said)


def _header(name: str, before: str = "", *, encoded: bool = False) -> Any:
    def recipe(sender: Sender, body: bytes, _at: int) -> Signed:
        text = _base64(sender.secret.encode()) if encoded else sender.secret
        return Signed({name: before + text}, body)

    return recipe


def _nothing(_sender: Sender, body: bytes, _at: int) -> Signed:
    return Signed({}, body)


_PUBLIC_DISCORD = _ED25519.public_key().public_bytes_raw().hex()
_PUBLIC_SENDGRID = _base64(
    _P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
_BEARER = _header("authorization", "Bearer ")

SENDERS: dict[str, Sender] = {
    sender.name: sender
    for sender in (
        Sender(
            "github",
            SECRET,
            _over_body("x-hub-signature-256", before="sha256="),
            {"x-github-event": "issues", "x-github-delivery": "d1"},
        ),
        Sender("standard-webhooks", WHSEC, _standard("webhook")),
        Sender("mcp-events", WHSEC, _standard("webhook")),
        Sender("svix", WHSEC, _standard("svix")),
        Sender("gitlab", SECRET, _header("x-gitlab-token"), {"x-gitlab-event": "Issue Hook"}),
        Sender("gitlab-signed", WHSEC, _standard("webhook"), {"x-gitlab-event": "Issue Hook"}),
        Sender("gitea", SECRET, _over_body("x-gitea-signature"), {"x-gitea-event": "issues"}),
        Sender(
            "bitbucket",
            SECRET,
            _over_body("x-hub-signature", before="sha256="),
            {"x-event-key": "repo:push", "x-request-uuid": "r1"},
        ),
        Sender("stripe", SECRET, _stripe),
        Sender("slack", SECRET, _versioned("x-slack-signature", "x-slack-request-timestamp")),
        Sender(
            "shopify",
            SECRET,
            _over_body("x-shopify-hmac-sha256", text=True),
            {"x-shopify-topic": "orders/create", "x-shopify-webhook-id": "w1"},
        ),
        Sender("twilio", SECRET, _twilio("sha1")),
        Sender("twilio-sha256", SECRET, _twilio("sha256")),
        Sender("sendgrid", _PUBLIC_SENDGRID, _sendgrid),
        Sender("pagerduty", SECRET, _over_body("x-pagerduty-signature", before="v1=")),
        Sender("linear", SECRET, _over_body("linear-signature"), {"linear-delivery": "l1"}),
        Sender("jira", SECRET, _over_body("x-hub-signature", before="sha256=")),
        Sender("jira-connect", SECRET, _connect),
        Sender(
            "sentry",
            SECRET,
            _over_body("sentry-hook-signature"),
            {"sentry-hook-resource": "issue", "request-id": "r1"},
        ),
        Sender("discord", _PUBLIC_DISCORD, _discord),
        Sender("zoom", SECRET, _versioned("x-zm-signature", "x-zm-request-timestamp")),
        Sender("meta", SECRET, _over_body("x-hub-signature-256", before="sha256=")),
        Sender("square", SECRET, _square),
        Sender("hubspot", SECRET, _hubspot),
        Sender("intercom", SECRET, _over_body("x-hub-signature", before="sha1=", algorithm="sha1")),
        Sender("typeform", SECRET, _over_body("typeform-signature", before="sha256=", text=True)),
        Sender("anthropic", WHSEC, _standard("webhook")),
        Sender("openai", WHSEC, _standard("webhook")),
        Sender("hookdeck", SECRET, _over_body("x-hookdeck-signature", text=True)),
        Sender("sns", "", _sns),
        Sender("cloudevents", SECRET, _BEARER, {"content-type": "application/cloudevents+json"}),
        Sender("event-grid", SECRET, _BEARER),
        Sender("bearer", SECRET, _BEARER),
        Sender("basic", f"ann:{SECRET}", _header("authorization", "Basic ", encoded=True)),
        Sender("unsigned", "", _nothing),
    )
}
"""By the name of the preset; the source that listens for it has the same name."""
