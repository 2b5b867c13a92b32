"""A request's headers and body off the wire, inside limits; it knows ASGI messages, and nobody's meaning of them.

No server behind us has a deadline for bodies, and a source's limit is not the server's, so both are held here.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from litestar.types import Receive

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

MAX_HELD: Final = 256 * 1024 * 1024
"""Bytes of unproved bodies in memory at once, of all requests together."""


class Gone(Exception):
    """The sender went away in the middle of its body; there is nobody to answer."""


class Room:
    """How much memory the bodies on their way may hold together."""

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Raise `Overloaded` where there is no room for so many bytes."""
        if size > self._left:
            raise Overloaded
        self._left -= size

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
        if name in found and name not in REPEATABLE:
            raise Refused(Reason.AMBIGUOUS_HEADER, f"the header {name[:64]!r} came more than once")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return {name: value for name, value in found.items() if name not in CONFIDENTIAL}


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


async def read_body(receive: Receive, max_body: int, deadline: float, room: Room) -> bytes:
    """The whole body, within `deadline` seconds. Raises `SenderError`, or `Gone`."""
    chunks = bytearray()
    start = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(due(0, deadline)) as timer:
            async for size in _collect(receive, chunks, max_body, room):
                timer.reschedule(start + due(size, deadline))
    except TimeoutError:
        raise SenderError(
            Reason.TOO_SLOW, f"expected the whole body in {deadline} seconds"
        ) from None
    finally:
        room.give(len(chunks))
    return bytes(chunks)


async def _collect(
    receive: Receive, chunks: bytearray, max_body: int, room: Room
) -> AsyncIterator[int]:
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        chunk = message.get("body", b"")
        if len(chunks) + len(chunk) > max_body:
            raise Refused(Reason.TOO_LARGE, f"expected at most {max_body} bytes, more came")
        room.take(len(chunk))
        chunks += chunk
        more = message.get("more_body", False)
        yield len(chunks)
