"""Amazon SNS: an RSA signature over fields of the body, by a certificate from a pinned host; pure, it fetches nothing.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
Anybody with an AWS account can have SNS sign a message, so the topics that may ring are part of the proof.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from orchestrator.errors import DoorbellError, Reason, Refused
from orchestrator.signatures.bytes import fresh
from orchestrator.signatures.scheme import Proves

CERTIFICATE: Final = re.compile(
    r"https://sns\.([a-z0-9-]{3,20})\.amazonaws\.com(\.cn)?/SimpleNotificationService-[0-9a-f]{8,64}\.pem"
)
CONFIRM: Final = re.compile(
    r"https://sns\.([a-z0-9-]{3,20})\.amazonaws\.com(\.cn)?/\?Action=ConfirmSubscription&[!-~]{1,2000}"
)
TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]{3,20}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
TOLERANCE: Final = timedelta(hours=1)
MAX_CERTIFICATES: Final = 16
NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
SUBSCRIPTION: Final = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip
TYPES: Final = {
    "Notification": NOTIFICATION,
    "SubscriptionConfirmation": SUBSCRIPTION,
    "UnsubscribeConfirmation": SUBSCRIPTION,
}


class CertificateWanted(DoorbellError):
    """A message of a known topic names a certificate that nobody has fetched yet."""

    def __init__(self, url: str) -> None:
        super().__init__(f"expected a known certificate, {url} is new")
        self.url = url


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsScheme:
    """The `sns` scheme. `certificates` is what it has learned so far, by URL."""

    name: str = "sns"
    topics: frozenset[str] = frozenset()
    certificates: dict[str, RSAPublicKey] = field(default_factory=dict)
    signs_id: bool = True
    private: frozenset[str] = frozenset()
    proves: Proves = Proves(id=True, clock=True)  # noqa: RUF009 - frozen

    def trusting(self, topics: frozenset[str]) -> Self:
        """The same, for these topics' ARNs."""
        return replace(self, topics=topics, certificates={})

    def learn(self, url: str, pem: bytes) -> None:
        """Remember the certificate that stands at a URL. Raises `Refused` for anything else."""
        try:
            found = load_pem_x509_certificate(pem).public_key()
        except ValueError:
            found = None
        if not isinstance(found, RSAPublicKey):
            raise Refused(Reason.BAD_SIGNATURE, "expected an RSA certificate at the pinned address")
        while len(self.certificates) >= MAX_CERTIFICATES:
            self.certificates.pop(next(iter(self.certificates)))
        self.certificates[url] = found

    def verify(
        self,
        headers: Mapping[str, str],  # noqa: ARG002 - everything stands in the body
        body: bytes,
        secrets: Sequence[bytes],  # noqa: ARG002 - there is no secret
        now: datetime,
    ) -> None:
        """Return if SNS signed these fields for one of the topics.

        Raises `Refused`, or `CertificateWanted` where the certificate must be fetched first.
        """
        message = _message(body)
        if message["TopicArn"] not in self.topics:
            raise Refused(
                Reason.BAD_SIGNATURE,
                "expected a topic of this source's `topics`, another one's came",
            )
        url = _pinned(message)
        key = self.certificates.get(url)
        if key is None:
            raise CertificateWanted(url)
        _check(key, message)
        fresh(_moment(message["Timestamp"]), now, TOLERANCE)


def content_of(message: Mapping[str, str]) -> bytes:
    """What SNS signs: name and value, a line each, of the fields that a message of this type has."""
    names = [name for name in TYPES[message["Type"]] if name in message]
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()


def confirmation(message: Mapping[str, Any]) -> str | None:
    """The address that confirms a subscription, if it is SNS's own in the topic's own region."""
    url, topic = str(message.get("SubscribeURL")), TOPIC.fullmatch(str(message.get("TopicArn")))
    found = CONFIRM.fullmatch(url)
    return url if found and topic and found[1] == topic[1] else None


def _message(body: bytes) -> dict[str, str]:
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        value = None
    found = value if isinstance(value, dict) else {}
    # An absent subject is sometimes written as null.
    texts = {name: text for name, text in found.items() if isinstance(text, str)}
    needed = {
        "Signature",
        "SignatureVersion",
        "SigningCertURL",
        "MessageId",
        "TopicArn",
        "Timestamp",
    }
    if texts.get("Type") not in TYPES or not needed <= texts.keys():
        raise Refused(Reason.NO_SIGNATURE, "expected a signed SNS message, other bytes came")
    return texts


def _pinned(message: Mapping[str, str]) -> str:
    url = CERTIFICATE.fullmatch(message["SigningCertURL"])
    topic = TOPIC.fullmatch(message["TopicArn"])
    if url is None or topic is None or url[1] != topic[1]:
        raise Refused(
            Reason.BAD_SIGNATURE, "expected a certificate from SNS's own host in the topic's region"
        )
    return url[0]


def _check(key: RSAPublicKey, message: Mapping[str, str]) -> None:
    version = message["SignatureVersion"]
    try:
        signature = base64.b64decode(message["Signature"], validate=True)
        match version:
            case "1":
                key.verify(signature, content_of(message), PKCS1v15(), SHA1())  # noqa: S303 - SNS's version 1
            case "2":
                key.verify(signature, content_of(message), PKCS1v15(), SHA256())
            case _:
                raise Refused(Reason.BAD_SIGNATURE, "expected signature version 1 or 2")
    except (InvalidSignature, binascii.Error, ValueError):
        raise Refused(Reason.BAD_SIGNATURE, "expected SNS's signature: it doesn't fit") from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(Reason.BAD_SIGNATURE, "expected an ISO time in 'Timestamp'") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
