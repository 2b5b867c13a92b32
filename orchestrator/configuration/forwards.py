"""`forward:` of a rule as a destination; it knows which addresses are nobody's, and resolves or sends nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from orchestrator.configuration.document import Place
from orchestrator.configuration.shapes import ForwardShape
from orchestrator.errors import Flaw
from orchestrator.rules.addresses import refused
from orchestrator.rules.rule import Destination
from orchestrator.secrets import REFERENCE, ReadFile, Secret, missing, resolve
from orchestrator.signatures import standard_webhooks

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(seconds=20)
"""A sending must end before its lease does."""

MAX_URL: Final = 2_000
MAX_HEADERS: Final = 20
HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]{0,3998}[\x21-\x7e])?")
HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "x-doorbell-hops",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)
"""Headers that we or the connection set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Where secrets come from."""

    environment: Mapping[str, str]
    read_file: ReadFile

    def secret(self, reference: str) -> Secret | None:
        """The secret behind a reference, None where it is unset."""
        return resolve(reference, self.environment, self.read_file)

    def missing(self, reference: str) -> str:
        """Why there is none."""
        return missing(reference, self.read_file)


def destination_of(shape: ForwardShape, secrets: Secrets) -> Destination:
    """The destination that a sound `forward:` means; an unset reference is remembered, not an error."""
    signing = [secrets.secret(reference) for reference in shape.secret]
    texts = {name: _text(text, secrets) for name, text in shape.headers.items()}
    unset = [text for name, text in shape.headers.items() if texts[name] is None]
    # A second secret is one to rotate to or from: it may be unset.
    return Destination(
        url=shape.url,
        label=label_of(urlsplit(shape.url)),
        secrets=tuple(secret for secret in signing if secret is not None),
        timeout=shape.timeout,
        private=shape.private,
        headers={name: text for name, text in texts.items() if text is not None},
        unset=tuple(unset if signing[0] is not None else [shape.secret[0], *unset]),
    )


def misfits(shape: ForwardShape, secrets: Secrets, at: Place) -> Iterator[Flaw]:
    """Everything wrong with it that the shape doesn't say."""
    yield from _url_flaws(shape, (*at, "url"))
    if not SHORTEST <= shape.timeout <= LONGEST:
        said = f"expected 1s to {LONGEST.seconds}s, got {shape.timeout.total_seconds():.0f}s"
        yield Flaw((*at, "timeout"), said)
    for reference in shape.secret:
        yield from _secret_flaws(secrets.secret(reference), (*at, "secret"))
    if len(shape.headers) > MAX_HEADERS:
        yield Flaw((*at, "headers"), f"expected at most {MAX_HEADERS} headers")
    for name, text in shape.headers.items():
        yield from _header_flaws(name, _text(text, secrets), (*at, "headers", name))


def unset_warnings(shape: ForwardShape, secrets: Secrets, at: Place) -> Iterator[Flaw]:
    """What is unset, and what that means."""
    for index, reference in enumerate(shape.secret):
        if secrets.secret(reference) is None:
            means = (
                "events wait until it is set" if index == 0 else "it signs nothing until it is set"
            )
            yield Flaw((*at, "secret"), f"secret not set: {secrets.missing(reference)}; {means}")
    for name, text in shape.headers.items():
        if _text(text, secrets) is None:
            said = f"header not set: {secrets.missing(text)}; events wait until it is set"
            yield Flaw((*at, "headers", name), said)


def label_of(parts: SplitResult) -> str:
    """Scheme, host and port: what may be shown of an address whose path may be a secret."""
    host = parts.hostname or ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _text(text: str, secrets: Secrets) -> str | Secret | None:
    return secrets.secret(text) if REFERENCE.fullmatch(text) else text


def _url_flaws(shape: ForwardShape, at: Place) -> Iterator[Flaw]:
    parts = _split(shape.url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Flaw(at, "expected the address events go to, https://HOST/..., written out")
        return
    if "@" in parts.netloc:
        yield Flaw(
            at,
            "expected no user or password in the address: write `headers: {Authorization: env:NAME}`",
        )
    if parts.fragment:
        yield Flaw(at, "expected an address without `#`: a server never sees what comes after it")
    if parts.scheme == "http" and not shape.private:
        yield Flaw(
            at, "expected https: on http anybody on the way can read it; `private: true` allows it"
        )
    yield from _host_flaws(parts.hostname, shape, at)


def _split(url: str) -> SplitResult | None:
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= MAX_URL
    if not plain or "{{" in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts


def _host_flaws(host: str, shape: ForwardShape, at: Place) -> Iterator[Flaw]:
    try:
        address = str(ip_address(host))
    except ValueError:
        if HOST.fullmatch(host) is None:
            yield Flaw(at, f"expected a host's name (punycode where it isn't ASCII), got {host!r}")
            return
        named = host.rstrip(".")
        address = "127.0.0.1" if named == "localhost" or named.endswith(".localhost") else ""
    because = refused(address, private=shape.private) if address else None
    if because is not None:
        yield Flaw(at, f"expected a public address: {because}{_way_out(address)}")


def _way_out(address: str) -> str:
    own = refused(address, private=True) is None
    return "; `private: true` allows your own network" if own else ""


def _secret_flaws(secret: Secret | None, at: Place) -> Iterator[Flaw]:
    if secret is None:
        return
    try:
        standard_webhooks.key(secret.reveal())
    except ValueError as error:
        yield Flaw(at, f"{secret.reference}: {error}")


def _header_flaws(name: str, text: str | Secret | None, at: Place) -> Iterator[Flaw]:
    if HEADER.fullmatch(name) is None:
        yield Flaw(at, f"expected a header's name, got {name!r}", key=True)
    elif name.lower() in OURS:
        yield Flaw(at, f"{name!r} is set by us or by the connection: remove it", key=True)
    value = text.reveal() if isinstance(text, Secret) else text
    if value is not None and VALUE.fullmatch(value) is None:
        # It may be the secret itself.
        yield Flaw(at, "expected a header's value: one line of visible ASCII characters")
