"""Everything about a known sender but its name and its secrets, and how it becomes a source's own; pure."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestrator.secrets import Secret
from orchestrator.signatures.either import EitherScheme, Spelling
from orchestrator.signatures.jira_connect import JiraConnectScheme
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.sns import SnsScheme
from orchestrator.signatures.table import TableScheme
from orchestrator.signatures.twilio import TwilioScheme
from orchestrator.sources import handshakes
from orchestrator.sources.greeting import Handshake
from orchestrator.sources.handshakes import Greets, MetaHandshake, OriginHandshake
from orchestrator.sources.source import Dialect, Thanks
from orchestrator.sources.tabled import Batch

Proven = Literal["vendor SDK", "documented vectors", "unproven"]
Option = Literal["public_url", "verify_token", "origins", "topics"]

_OPTIONAL: Final[dict[str, tuple[Option, ...]]] = {
    "meta": ("verify_token",),
    "cloudevents": ("origins",),
    "event-grid": ("origins",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a source's entry adds to its preset."""

    public_url: str | None = None
    verify_token: Secret | None = None
    origins: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row. `max_body` is in bytes; `secret` says what stands under `secrets`, None: nothing does.

    A `generic` one proves who rings but not how they speak: its source says where id and type stand.
    """

    scheme: Scheme
    dialect: Dialect | None
    max_body: int
    dedupe_body: bool
    title: str = ""
    docs: str = ""
    proven: Proven = "unproven"
    by: str = ""
    secret: str | None = "shared"  # noqa: S105 - says what it is
    handshake: str | None = None
    thanks: Thanks | None = None
    batch: Batch | None = None
    generic: bool = False

    @property
    def needs(self) -> tuple[Option, ...]:
        """What a source of this sender must say."""
        needed: list[Option] = ["public_url"] if self.scheme.proves.url else []
        return (*needed, "topics") if isinstance(self.scheme, SnsScheme) else tuple(needed)

    @property
    def allows(self) -> tuple[Option, ...]:
        """What a source of this sender may say."""
        return (*self.needs, *_OPTIONAL.get(self.handshake or "", ()))


def bound(scheme: Scheme, options: Options) -> Scheme:
    """The scheme with the configured URL or topics."""
    match scheme:
        case EitherScheme():
            each = tuple(
                Spelling(scheme=bound(one.scheme, options), headers=one.headers)
                for one in scheme.spellings
            )
            return replace(scheme, spellings=each)
        case TableScheme():
            return replace(scheme, url=options.public_url)
        case TwilioScheme() | JiraConnectScheme() if options.public_url is not None:
            return scheme.at(options.public_url)
        case SnsScheme():
            return scheme.trusting(options.topics)
        case _:
            return scheme


def handshake_of(name: str | None, options: Options) -> Handshake | None:
    """The handshake of a row, with the configured word or origins."""
    match name:
        case "meta":
            token = options.verify_token
            return MetaHandshake(verify_token=None if token is None else token.reveal().encode())
        case "cloudevents":
            return OriginHandshake(origins=options.origins)
        case "event-grid":
            return OriginHandshake(origins=options.origins, answer=handshakes.event_grid)
        case None:
            return None
        case _:
            return Greets(_GREETS[name])


_GREETS: Final = {
    "slack": handshakes.slack,
    "zoom": handshakes.zoom,
    "discord": handshakes.discord,
    "sns": handshakes.sns,
    "mcp-events": handshakes.mcp_events,
}
