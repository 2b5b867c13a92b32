"""A fast, bounded sender of signed GitHub deliveries over kept-alive connections, for bursts and benches."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.signatures import github


@dataclass
class Tally:
    """What was acknowledged, and how long each took in seconds; `cut` counts connections that broke."""

    acknowledged: list[str] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    cut: int = 0


def request(body: bytes, secret: bytes, delivery: str, event: str = "issues") -> bytes:
    """One request as bytes."""
    signature = github.sign(secret, body)["x-hub-signature-256"]
    head = (
        "POST /hooks/github HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"x-github-event: {event}\r\nx-github-delivery: {delivery}\r\n"
        f"x-hub-signature-256: {signature}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def reachable(port: int, patience: float = 60.0) -> None:
    """Wait until somebody listens there."""
    async with asyncio.timeout(patience):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.005)
            else:
                writer.close()
                return


async def knock(
    port: int,
    ids: list[str],
    make: Callable[[str], bytes],
    connections: int,
    seen: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    """Send each id once over so many connections; `seen` is called after each answer."""
    tally, left = Tally(), iter(ids)

    async def one() -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for delivery in left:
                start = time.perf_counter()
                writer.write(make(delivery))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                tally.took.append(time.perf_counter() - start)
                if head.split(b" ")[1] == b"202":
                    tally.acknowledged.append(delivery)
                else:
                    tally.refused.append(head)
                seen(tally)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            tally.cut += 1

    await asyncio.gather(*[one() for _ in range(connections)])
    return tally
