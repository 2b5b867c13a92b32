"""Senders that ring on through restarts and send again what got no answer, as webhook senders do."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

AGAIN = 0.02
"""Seconds before a refused connection is tried again."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(kw_only=True)
class Heard:
    """What senders saw; `cut` counts requests whose answer never came, `closed` an ended idle connection."""

    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    cut: int = 0
    closed: int = 0
    longest: float = 0.0

    def __str__(self) -> str:
        return (
            f"{len(self.acknowledged)} acknowledged {dict(self.statuses)}, {self.refused} connections refused, "
            f"{self.cut} requests cut, {self.closed} idle ends, longest answer {self.longest:.2f} s"
        )


@dataclass(kw_only=True)
class Senders:
    """So many callers on one door; every other one keeps its connection, the others make one for each request."""

    port: int
    make: Callable[[str], bytes]
    pause: float = 0.005
    heard: Heard = field(default_factory=Heard)
    enough: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ring(self, callers: int) -> None:
        """Ring until `enough`."""
        await asyncio.gather(*[self._call(keep=bool(n % 2)) for n in range(callers)])

    async def more(self, count: int) -> None:
        """Return when so many more were acknowledged."""
        until = len(self.heard.acknowledged) + count
        while len(self.heard.acknowledged) < until:  # noqa: ASYNC110 - the callers have no event for us
            await asyncio.sleep(0.01)

    async def _call(self, *, keep: bool) -> None:
        connection: Connection | None = None
        while not self.enough:
            connection = await self._deliver(f"d{next(self._numbers)}", connection)
            if connection is not None and not keep:
                connection[1].close()
                connection = None
            await asyncio.sleep(self.pause)
        if connection is not None:
            connection[1].close()

    async def _deliver(self, delivery: str, connection: Connection | None) -> Connection | None:
        """Send one, again and again until it's acknowledged; the connection, if it still stands."""
        start = time.perf_counter()
        while True:
            connection = self._still(connection) or await self._connected()
            head = await _exchanged(connection, self.make(delivery))
            if head is None:
                self.heard.cut += 1
            elif head.split(b" ")[1] == b"202":
                self.heard.acknowledged.append(delivery)
                self.heard.longest = max(self.heard.longest, time.perf_counter() - start)
                return None if _ends(head, connection) else connection
            else:
                self.heard.statuses[head.split(b"\r\n")[0].decode()] += 1
            connection[1].close()
            connection = None

    def _still(self, connection: Connection | None) -> Connection | None:
        if connection is not None and connection[0].at_eof():
            self.heard.closed += 1
            connection[1].close()
            return None
        return connection

    async def _connected(self) -> Connection:
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                self.heard.refused += 1
                await asyncio.sleep(AGAIN)


async def _exchanged(connection: Connection, request: bytes) -> bytes | None:
    reader, writer = connection
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    except (OSError, asyncio.IncompleteReadError):
        return None
    return head


def _ends(head: bytes, connection: Connection) -> bool:
    if b"connection: close" in head.lower():
        connection[1].close()
        return True
    return False
