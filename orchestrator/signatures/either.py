"""Several spellings of one sender's proof, of which exactly one judges; pure.

A sender that renamed its headers sends one set or the other. The first spelling of which any header came is the
judge, so nobody can mix the signature of one with the id of another, and a bad one is never rescued by a good one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.signatures.scheme import Proves, Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """A scheme, and the headers of which any one means that it is meant."""

    scheme: Scheme
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EitherScheme:
    """The spellings in order; where none is meant, the last one says what is missing."""

    name: str
    spellings: tuple[Spelling, ...]

    @property
    def signs_id(self) -> bool:
        """Whether the delivery id is covered, however it is spelled."""
        return all(spelling.scheme.signs_id for spelling in self.spellings)

    @property
    def private(self) -> frozenset[str]:
        """Everything that is private in any of them."""
        return frozenset().union(*(spelling.scheme.private for spelling in self.spellings))

    @property
    def proves(self) -> Proves:
        """What a yes covers at least."""
        each = [spelling.scheme.proves for spelling in self.spellings]
        return Proves(
            body=all(proves.body for proves in each),
            id=all(proves.id for proves in each),
            url=all(proves.url for proves in each),
            clock=all(proves.clock for proves in each),
        )

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if the spelling that is meant says yes. Raises `Refused`."""
        self.judge(headers).verify(headers, body, secrets, now)

    def judge(self, headers: Mapping[str, str]) -> Scheme:
        """The scheme that is meant."""
        for spelling in self.spellings:
            if any(name in headers for name in spelling.headers):
                return spelling.scheme
        return self.spellings[-1].scheme
