"""What the hands cost: a pooled call against the protocol's own client, and fifty calls at once to one stdio server.

`python -m tests.bench.hands`; it fails where a pooled call costs 5 ms more than a bare one, or where fifty at once take
half as long again as one of them takes at its server, and as the bare client needs on this machine.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from orchestrator.agent.hands.definitions import Answered
from orchestrator.agent.hands.pool import Hands
from orchestrator.servers import HttpServer, Server, StdioServer
from tests.support.lab import OURS, SUPPORT, serving_at

ROUNDS = 200
AT_ONCE = 50
SECONDS = 2.0
"""How long each of the calls at once takes at its server."""

MOST_OVER = 0.005
MOST_TIMES = 1.5
SCRIPT = str(SUPPORT / "lab_server.py")


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def compared(hands: Hands, client: Client) -> tuple[float, float]:
    """The medians of a pooled call and of a bare one, made in turns, so that both see the same machine."""

    async def pooled() -> None:
        said = await hands.call("lab", "echo", {"text": "x"}, deadline=20, key="k")
        assert isinstance(said, Answered), said

    async def bare() -> None:
        await client.call_tool("echo", {"text": "x"})

    for call in (pooled, bare):
        await call()
    times = [(await timed(pooled), await timed(bare)) for _ in range(ROUNDS)]
    return statistics.median(one for one, _ in times), statistics.median(one for _, one in times)


async def over_stdio(log: str) -> tuple[float, float]:
    """Both against a child of their own."""
    parameters = StdioServerParameters(command=sys.executable, args=[SCRIPT, log])
    server = StdioServer(name="lab", command=(sys.executable, SCRIPT, log))
    async with Client(stdio_client(parameters)) as client:
        return await pooled_beside(server, client)


async def over_http(log: str) -> tuple[float, float]:
    """Both against one server."""
    async with serving_at(SCRIPT, log) as url, Client(streamable_http_client(url)) as client:
        return await pooled_beside(HttpServer(name="lab", url=url), client)


async def pooled_beside(server: Server, client: Client) -> tuple[float, float]:
    """Hands on this server, beside the client."""
    hands = Hands({"lab": server}, environment=OURS)
    try:
        return await compared(hands, client)
    finally:
        await hands.close()


async def at_once(log: str) -> tuple[float, float]:
    """Seconds that fifty calls at once take, pooled and bare, each of them so long at its server."""
    server = StdioServer(name="lab", command=(sys.executable, SCRIPT, log))
    parameters = StdioServerParameters(command=sys.executable, args=[SCRIPT, log])
    hands = Hands({"lab": server}, environment=OURS)

    async def pooled() -> None:
        given = {"seconds": SECONDS}
        said = await hands.call("lab", "pause", given, deadline=60, key="k")
        assert isinstance(said, Answered), said

    async with Client(stdio_client(parameters)) as client:
        try:
            await hands.discover("lab")
            await client.list_tools()
            took = await timed(lambda: _all(pooled))
            return took, await timed(
                lambda: _all(lambda: client.call_tool("pause", {"seconds": SECONDS}))
            )
        finally:
            await hands.close()


async def _all(call: Callable[[], Awaitable[object]]) -> None:
    await asyncio.gather(*(call() for _ in range(AT_ONCE)))


def told(what: str, found: str, *, sound: bool) -> bool:
    """Print it; whether it is as promised."""
    sys.stdout.write(f"{what:<44} {found}{'' if sound else '   MISSED'}\n")
    return sound


async def main() -> bool:
    """Whether all is as promised."""
    sound = True
    with TemporaryDirectory() as directory:
        log = str(Path(directory) / "lab.log")
        for name, measured in (("stdio", over_stdio), ("http", over_http)):
            pooled, bare = await measured(log)
            words = f"{pooled * 1000:6.2f} ms, bare {bare * 1000:6.2f} ms, over it {(pooled - bare) * 1000:+.2f} ms"
            sound &= told(
                f"a pooled call over {name}, median of {ROUNDS}",
                words,
                sound=pooled - bare < MOST_OVER,
            )
        took, bare = await at_once(log)
    words = f"{took:6.2f} s, bare {bare:6.2f} s, each {SECONDS:g} s"
    most = max(SECONDS, bare) * MOST_TIMES
    return sound & told(f"{AT_ONCE} calls at once to one stdio server", words, sound=took < most)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)
