"""A request's headers and body off the wire, inside limits; it knows ASGI messages, and nobody's meaning of them.

No server behind us has a deadline for bodies, and a source's limit is not the server's, so both are held here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from litestar.types import Receive

from orchestrator.doorbell.deadlines import Deadlines
from orchestrator.doorbell.pace import due
from orchestrator.errors import Malformed, Reason, Refused, SenderError
from orchestrator.inbox.batches import Overloaded

REPEATABLE: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "cookie",
        "forwarded",
        "pragma",
        "te",
        "trailer",
        "via",
        "warning",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
    }
)
"""What proxies and clients may honestly send twice; anything else twice could be read in two ways."""

CONFIDENTIAL: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Never kept: they prove something to somebody, and rules have no use for them."""

OURS: Final = "doorbell-"
"""What we write beside a delivery ourselves begins so; from outside it means nothing and is dropped."""

MAX_HELD: Final = 256 * 1024 * 1024
"""Bytes of unproved bodies in memory at once, of all requests together."""


class Gone(Exception):
    """The sender went away in the middle of its body; there is nobody to answer."""


class Room:
    """How much memory the bodies on their way may hold together."""

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._left = limit

    def take(self, size: int) -> int:
        """The same number, held from now on. Raises `Overloaded` where there is no room for so many bytes."""
        if size > self._left:
            raise Overloaded
        self._left -= size
        return size

    def give(self, size: int) -> None:
        """Hand them back."""
        self._left += size


def single_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by lower-case name, without the confidential ones.

    Raises `Refused` where one that carries meaning came twice.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        if name in found:
            if name not in REPEATABLE:
                shown = repr(name[:64])
                raise Refused(Reason.AMBIGUOUS_HEADER, f"the header {shown} came more than once")
            value = f"{found[name]}, {value}"
        if not name.startswith(OURS):
            found[name] = value
    for name in CONFIDENTIAL & found.keys():
        del found[name]
    return found


def header_names(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """The names that came, for the refusal log: bounded, and never a value."""
    names = Counter(name.decode("latin-1").lower()[:64] for name, _ in pairs)
    return tuple(list(names)[:64])


def check_announced(headers: Mapping[str, str], max_body: int) -> None:
    """Refuse by the headers alone what need not be read. Raises `Refused` or `Malformed`."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(Reason.UNSUPPORTED_ENCODING, "expected a body without a Content-Encoding")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Malformed(Reason.MALFORMED, "expected digits in Content-Length")
    # Compared as text first: the longest number a sender may write costs nothing.
    if len(length.lstrip("0")) > len(str(max_body)) or int(length.lstrip("0") or "0") > max_body:
        raise Refused(Reason.TOO_LARGE, f"expected at most {max_body} bytes, more were announced")


async def read_body(
    receive: Receive, max_body: int, deadline: float, room: Room, deadlines: Deadlines
) -> bytes:
    """The whole body, within `deadline` seconds. Raises `SenderError`, or `Gone`."""
    held = 0
    try:
        with deadlines.within(due(0, deadline)) as timer:
            start = timer.at - due(0, deadline)
            body, more = await _chunk(receive)
            held += room.take(_fitting(body, held, max_body))
            if not more:
                return body
            chunks = bytearray(body)
            while more:
                chunk, more = await _chunk(receive)
                held += room.take(_fitting(chunk, held, max_body))
                chunks += chunk
                timer.at = start + due(held, deadline)
            return bytes(chunks)
    except TimeoutError:
        raise SenderError(
            Reason.TOO_SLOW, f"expected the whole body in {deadline} seconds"
        ) from None
    finally:
        room.give(held)


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


def _fitting(chunk: bytes, held: int, max_body: int) -> int:
    if held + len(chunk) > max_body:
        raise Refused(Reason.TOO_LARGE, f"expected at most {max_body} bytes, more came")
    return len(chunk)
