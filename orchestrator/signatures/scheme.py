"""What a signature scheme promises; it knows bytes, secrets and a clock value, and no HTTP server.

A scheme says yes by returning and no by raising `Refused` with a named reason. An unknown scheme never gets
this far: the configuration refuses it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol


class Scheme(Protocol):
    """How one kind of sender proves itself."""

    @property
    def name(self) -> str:
        """The word used for it in `sources.yaml`."""

    @property
    def signs_id(self) -> bool:
        """Whether the delivery id is covered by the signature; if not, the body's hash is the second dedupe key."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if one of the secrets signed these bytes.

        Header names are lower case. Raises `Refused`.
        """
