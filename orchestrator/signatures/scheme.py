"""What a signature scheme promises; it knows bytes, secrets and a clock value, and no HTTP server.

A scheme says yes by returning and no by raising `Refused` with a named reason. An unknown scheme never gets
this far: the configuration refuses it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

QUERY: Final = ":query"
"""The request's raw query string among the headers. No real header's name can begin with a colon."""

PEER: Final = ":peer"
"""The address of the other end of the connection, among the headers; empty where there is none."""

METHOD: Final = "POST"
"""What the door verifies is always a POST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proves:
    """What a yes of a scheme covers; `clock` means that an old delivery is refused for its age."""

    body: bool = True
    id: bool = False
    url: bool = False
    clock: bool = False


class Scheme(Protocol):
    """How one kind of sender proves itself."""

    @property
    def name(self) -> str:
        """The word used for it in `sources.yaml`."""

    @property
    def signs_id(self) -> bool:
        """Whether the delivery id is covered by the signature; if not, the body's hash is the second dedupe key."""

    @property
    def private(self) -> frozenset[str]:
        """The headers in which the proof itself travels (with `:query`, `:peer`).

        The door shows them to `verify` alone: they are neither kept nor shown to rules.
        """

    @property
    def proves(self) -> Proves:
        """What a yes covers."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if one of the secrets signed these bytes.

        Header names are lower case; those of `private` are among them. Raises `Refused`.
        """
