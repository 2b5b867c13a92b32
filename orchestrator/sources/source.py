"""Who may ring: a source is a name, a scheme with its secrets, and the dialect its deliveries speak.

It knows nothing of rules: trust lives here, intent lives there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from orchestrator.events import Actor
from orchestrator.secrets import Secret
from orchestrator.signatures.scheme import Scheme
from orchestrator.sources.greeting import Handshake, Reply

OPERATOR = "operator"
"""The built-in source of everything a person does through the CLI; its secret lives in the state directory."""

SCHEDULE = "schedule"
"""The built-in source of what the clock rings for rules with a `schedule:`."""

DOORBELL = "doorbell"
"""The built-in source of what our own runs have to tell people, for rules that name it."""

BUILT_IN = frozenset({OPERATOR, SCHEDULE, DOORBELL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a verified delivery says. `delivery_id` None means the sender has none.

    `lasting` is what stays the same when the sender sends it again, where that isn't the whole body: two deliveries
    are compared by it.
    """

    delivery_id: str | None
    type: str
    subject: str | None
    actor: Actor | None
    keys: tuple[str, ...]
    data: Any
    lasting: bytes | None = None


class Dialect(Protocol):
    """How one kind of sender speaks: where its id, type, subject, actor and correlation keys are."""

    @property
    def publishes(self) -> tuple[str, ...]:
        """The kinds of correlation keys it can give (`issue`, `deployment`); `check` compares rules with them."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Header names are lower case. Raises `Malformed`."""


class Splits(Protocol):
    """How one delivery of a sender is several events."""

    def split(self, body: bytes) -> list[bytes]:
        """The bytes of each. Raises `Malformed`."""


Thanks = Callable[[Reading], Reply]
"""What a sender is told about a kept delivery, where it expects something else than a receipt with 202."""


KEEP = timedelta(days=30)
"""How long deliveries are kept where nobody says."""

CATCH_UP = timedelta(hours=24)
"""How late a missed delivery may come for rules to act on it, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """How missed deliveries are found at the sender: `place` is `/repos/OWNER/NAME` or `/orgs/NAME` of its API.

    Without `hook` it is the one whose URL ends in `/hooks/SOURCE`.
    """

    api: str
    place: str
    token: Secret
    every: timedelta
    hook: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One event of an MCP server that we want to hear of; `arguments` are its filter, as canonical JSON.

    `mark` names the subscription for good: it is made of everything that makes it another one. `secrets` are what its
    deliveries are signed with, the newest first.
    """

    event: str
    arguments: str
    mark: str
    secrets: tuple[Secret, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Where events are subscribed to: the server's name, and the URL at which it reaches this source.

    `roots` are what the secrets are derived from: nobody is told them.
    """

    server: str
    url: str
    ttl: timedelta
    events: tuple[Wanted, ...]
    roots: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One sender we know. `own_actors` are ids or logins by which it names ourselves (promise R4).

    `batch` is there where one delivery may be several events, each then kept on its own. Over `backlog` waiting
    deliveries the door defers; `keep` is for how long settled ones are kept, None for ever. Of a source that is
    expected to ring once in each `expect`, silence is told.
    What `recover` brings in later than `catch_up` starts nothing.
    `subscribe` is there where an MCP server rings because we asked it to.
    """

    name: str
    scheme: Scheme
    secrets: tuple[Secret, ...]
    dialect: Dialect
    max_body: int
    dedupe_body: bool
    own_actors: frozenset[str] = frozenset()
    handshake: Handshake | None = None
    thanks: Thanks | None = None
    batch: Splits | None = None
    backlog: int | None = None
    keep: timedelta | None = KEEP
    expect: timedelta | None = None
    recover: Recover | None = None
    catch_up: timedelta = CATCH_UP
    subscribe: Subscribe | None = None
