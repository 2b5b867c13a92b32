"""The proxies of deploy/, run as they stand: what reaches the door through them, and what must not."""

import asyncio
import hashlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doorbell.clients import client_of, trusted_of
from orchestrator.doorbell.listener import bound, port_of
from orchestrator.doorbell.listening import serving
from tests.support.ports import free_port
from tests.support.proxies import NAME, Place, caddy, nginx, proxied

SENDER = "127.0.0.2"
"""Loopback is a network, so a sender can have another address than the proxy."""
PROXY = trusted_of("127.0.0.1")


@dataclass
class Upstream:
    """Stands for the door: says what it got, and remembers the requests."""

    seen: list[Any] = field(default_factory=list)
    breaks: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append(scope)
        if self.breaks:
            raise RuntimeError("the door broke after it took the delivery")
        told = {
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "sha256": hashlib.sha256(body).hexdigest(),
            "from": client_of(scope["client"][0], scope["headers"], PROXY),
            "headers": [[n.decode(), v.decode("latin-1")] for n, v in scope["headers"]],
        }
        answer = json.dumps(told).encode()
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 202, "headers": [length]})
        await send({"type": "http.response.body", "body": answer, "more_body": False})


@dataclass
class Road:
    """From the sender through the proxy to the door."""

    listener: Any
    port: int
    trust: ssl.SSLContext
    door: Upstream = field(default_factory=Upstream)

    async def ring(self, path: str, body: bytes = b"{}", *headers: str) -> tuple[int, Any]:
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {NAME}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *headers,
        ]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.trust, server_hostname=NAME, local_addr=(SENDER, 0)
        )
        writer.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
        top, _, answer = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        status = int(top.split(b" ")[1])
        return status, json.loads(answer) if status == 202 else answer


@pytest.fixture(params=[caddy, nginx], ids=["caddy", "nginx"])
async def road(request: Any, tmp_path: Path) -> AsyncIterator[Road]:
    with bound("127.0.0.1", 0) as listener:
        place = Place(here=tmp_path, port=free_port(), door=port_of(listener))
        line_of: Callable[[Place], list[str]] = request.param
        async with proxied(line_of, place) as trust:
            yield Road(listener, place.port, trust)


async def test_a_delivery_reaches_the_door_byte_for_byte_with_its_path_and_headers(
    road: Road,
) -> None:
    body = os.urandom(200_000)
    async with serving(road.door, road.listener.dup()):
        status, told = await road.ring(
            "/hooks/a%20b?x=%2F", body, "X-Hub-Signature-256: sha256=00", "X-Twice: 1", "X-Twice: 2"
        )
    assert status == 202
    assert (told["path"], told["query"]) == ("/hooks/a b", "x=%2F")
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    assert ["x-hub-signature-256", "sha256=00"] in told["headers"]
    assert [value for name, value in told["headers"] if name == "x-twice"] == ["1", "2"]
    assert ["host", NAME] in told["headers"]


async def test_the_largest_delivery_of_any_sender_passes_and_a_larger_one_does_not(
    road: Road,
) -> None:
    largest = bytes(25 * 2**20)
    async with serving(road.door, road.listener.dup()):
        status, told = await road.ring("/hooks/github", largest)
        assert (status, told["sha256"]) == (202, hashlib.sha256(largest).hexdigest())
        # The proxy may end the connection while we still write.
        refused = 413
        with suppress(OSError, IndexError):
            refused, _ = await road.ring("/hooks/github", bytes(27 * 2**20))
    assert (refused, len(road.door.seen)) == (413, 1)


@pytest.mark.parametrize(
    "path",
    ["/", "/status", "/metrics", "/ready", "/hooksx", "/hooks/../status", "/hooks/%2e%2e/status"],
)
async def test_nothing_but_the_hooks_is_let_through(road: Road, path: str) -> None:
    async with serving(road.door, road.listener.dup()):
        status, _ = await road.ring(path)
    assert (status, road.door.seen) == (404, [])


async def test_the_sender_is_who_connected_to_the_proxy_whatever_it_writes(road: Road) -> None:
    async with serving(road.door, road.listener.dup()):
        for lie in (
            [],
            ["X-Forwarded-For: 203.0.113.1"],
            ["Forwarded: for=203.0.113.1"],
            [
                "X-Forwarded-For: 203.0.113.1",
                "Forwarded: for=203.0.113.1",
                "X-Real-IP: 203.0.113.1",
            ],
        ):
            _, told = await road.ring("/hooks/github", b"{}", *lie)
            assert told["from"] == SENDER


async def test_s2_a_delivery_that_comes_while_the_door_restarts_is_answered_by_the_next_one(
    road: Road,
) -> None:
    async with serving(road.door, road.listener.dup()):
        await road.ring("/hooks/github")
    ringing = asyncio.create_task(road.ring("/hooks/github"))
    done, _ = await asyncio.wait([ringing], timeout=0.2)
    assert not done
    async with serving(road.door, road.listener.dup()):
        assert (await ringing)[0] == 202
    assert len(road.door.seen) == 2


async def test_a_delivery_whose_answer_did_not_come_is_not_sent_again_by_the_proxy(
    road: Road,
) -> None:
    road.door.breaks = True
    async with serving(road.door, road.listener.dup()):
        status, _ = await road.ring("/hooks/github")
    assert status >= 500
    assert len(road.door.seen) == 1
