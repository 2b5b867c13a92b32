"""What passes between the door and a sender besides events: greetings and replies; values and one protocol, pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

JSON: Final = "application/json"
PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of its own; a body of None is the receipt.

    `fetch`: the door calls this address first, and defers if it can't.
    """

    status: int = HTTPStatus.OK
    body: bytes | None = b""
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    fetch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A proved POST. `secret` is the one that proved it, empty where the scheme has none."""

    headers: Mapping[str, str]
    body: bytes
    secret: bytes


class Handshake(Protocol):
    """How one kind of sender introduces itself."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods besides POST that it uses."""

    def greet(self, greeting: Greeting) -> Reply | None:
        """The answer to a proved POST that is no event; None where it is one. Raises `Malformed`."""

    def hello(self, query: str, headers: Mapping[str, str]) -> Reply | None:
        """The answer to one of the other methods; None where nothing here allows one."""
