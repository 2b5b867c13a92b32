"""Who may ring: a source is a name, a scheme with its secrets, and the dialect its deliveries speak.

It knows nothing of rules: trust lives here, intent lives there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.events import Actor
from orchestrator.secrets import Secret
from orchestrator.signatures.scheme import Scheme

OPERATOR = "operator"
"""The built-in source of everything a person does through the CLI; its secret lives in the state directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a verified delivery says. `delivery_id` None means the sender has none."""

    delivery_id: str | None
    type: str
    subject: str | None
    actor: Actor | None
    keys: tuple[str, ...]
    data: Any


class Dialect(Protocol):
    """How one kind of sender speaks: where its id, type, subject, actor and correlation keys are."""

    @property
    def publishes(self) -> tuple[str, ...]:
        """The kinds of correlation keys it can give (`issue`, `deployment`); `check` compares rules with them."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Header names are lower case. Raises `Malformed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One sender we know. `own_actors` are ids or logins by which it names ourselves (promise R4)."""

    name: str
    scheme: Scheme
    secrets: tuple[Secret, ...]
    dialect: Dialect
    max_body: int
    dedupe_body: bool
    own_actors: frozenset[str] = frozenset()
