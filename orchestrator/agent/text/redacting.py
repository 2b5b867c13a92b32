"""Known secrets taken out of whatever is shown, kept or sent, in every form they commonly travel in; pure.

`Redaction.of({"hunter22": "env:TOKEN"}).text("Basic aHVudGVyMjI=")` gives `Basic [secret env:TOKEN]I=`.
"""

import base64
import dataclasses
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, quote_plus

from orchestrator.secrets import Secret

SHORTEST: Final = 6
"""Characters: a shorter one would be found in ordinary words."""

SHORTEST_ENCODED: Final = 8
SHORTEST_LINE: Final = 16
"""Characters of a line of a secret of many lines, such as a private key, that is a secret by itself."""

_PLAIN: Final = re.compile(
    r"https?://[^\s@?#]*|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|[.~]?/[\w./ -]*|\d{1,9}|[a-z]+|[A-Z]+"
)
_NAMED_SECRET: Final = re.compile(r"TOKEN|KEY|SECRET|PASS|AUTH|CRED|PWD|SIGN", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(r"(bearer|basic|token)\s+(\S.*)", re.IGNORECASE)
_PLACE: Final = re.compile(r"\[secret (?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^\]\n]+|[A-Z_]+)\]")


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is looked for, the longest first, each with the reference that is shown instead."""

    forms: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, secrets: Mapping[str, str]) -> "Redaction":
        """Of secrets, value to reference."""
        found: dict[str, str] = {}
        for value, reference in secrets.items():
            for form in _forms(value):
                found.setdefault(form, reference)
        return cls(tuple(sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0]))))

    def text(self, text: str) -> str:
        """The text with each secret replaced by its reference."""
        for form, reference in self.forms:
            if form in text:
                text = text.replace(form, f"[secret {reference}]")
        return text

    def tree(self, value: Any) -> Any:
        """The same JSON value with every text and every name in it redacted."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.tree(name): self.tree(one) for name, one in value.items()}
            case list() | tuple():
                return [self.tree(one) for one in value]
            case _:
                return value

    def reply(self, content: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A model's content blocks redacted, but for its thinking, which is signed: changed, it would be refused."""
        return [
            dict(block) if str(block.get("type")).endswith("thinking") else self.tree(block)
            for block in content
        ]

    def found_in(self, text: str) -> str | None:
        """The reference of a secret that the text carries, or whose place it shows; None when there is none."""
        for form, reference in self.forms:
            if form in text:
                return reference
        place = _PLACE.search(text)
        return None if place is None else place.group()[len("[secret ") : -1]


NOTHING: Final = Redaction()

Redact = Callable[[], Redaction]
"""What to look for now: secrets are replaced while a process runs."""


def nothing() -> Redaction:
    """No secret is known."""
    return NOTHING


def secrets_in(*values: Any) -> dict[str, str]:
    """Every secret that stands anywhere in these dataclasses, value to reference; what is plainly none is left out."""
    return {
        secret.reveal(): secret.reference
        for secret in _found(values)
        if not _plain(secret.reference, secret.reveal())
    }


def _found(value: Any) -> Iterator[Secret]:
    match value:
        case Secret():
            yield value
        case Mapping():
            for one in value.values():
                yield from _found(one)
        case list() | tuple() | set() | frozenset():
            for one in value:
                yield from _found(one)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            for field in dataclasses.fields(value):
                yield from _found(getattr(value, field.name))
        case _:
            return


def _plain(reference: str, value: str) -> bool:
    # A host or a path may come from the environment as a token does; redacted, it would spoil every address.
    if len(value) < SHORTEST:
        return True
    named = reference.startswith("file:") or _NAMED_SECRET.search(reference) is not None
    return not named and _PLAIN.fullmatch(value) is not None


def _forms(value: str) -> Iterator[str]:
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        for line in lines:
            if len(line) >= SHORTEST_LINE and not line.startswith("-----"):
                yield from _forms(line)
    if len(value) < SHORTEST:
        return
    yield value
    for credential in _credentials(value):
        yield from _forms(credential)
    yield from _escaped(value)
    encoded = _encoded(value.encode("utf-8", "replace"))
    yield from (form for form in encoded if len(form) >= SHORTEST_ENCODED)


def _credentials(value: str) -> Iterator[str]:
    """What is secret by itself in the value of an `Authorization` header: servers repeat it without its scheme."""
    found = _AUTHORIZATION.fullmatch(value)
    if found is not None:
        scheme, credential = found.groups()
        yield credential
        if scheme.lower() == "basic":
            yield _password(credential)


def _password(credential: str) -> str:
    try:
        user, _, password = base64.b64decode(credential).decode("utf-8", "replace").partition(":")
    except ValueError:
        return ""
    # Some give their key for a name, and no password.
    return password or user


def _escaped(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (once, once.replace("/", "\\/"), json.dumps(once)[1:-1])
    for percent in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield percent
        yield re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), percent)
    yield html.escape(value)


def _encoded(raw: bytes) -> Iterator[str]:
    yield raw.hex()
    yield raw.hex().upper()
    # Behind other bytes it stands at one of three places in a group of four signs.
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
