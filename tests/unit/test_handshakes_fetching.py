"""The door's one way out: exactly the address it was given, small, soon, and few at once."""

import asyncio

import pytest

from orchestrator.doorbell import fetching
from orchestrator.doorbell.fetching import LIMIT
from tests.support.asgi import serving


def answering(status, body, headers=()):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            await send({"type": "http.response.body", "body": body})

    return app


async def test_a_small_200_is_fetched():
    async with serving(answering(200, b"pem")) as url:
        assert await fetching.fetching()(url) == b"pem"


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"x" * (LIMIT + 1), ()),
        (301, b"", ((b"location", b"http://169.254.169.254/"),)),
        (404, b"", ()),
        (500, b"", ()),
    ],
    ids=["too large", "moved", "missing", "broken"],
)
async def test_d7_anything_else_is_not(status, body, headers):
    async with serving(answering(status, body, headers)) as url:
        with pytest.raises(OSError, match="expected"):
            await fetching.fetching()(url)


async def test_d7_where_nobody_listens_it_fails_and_says_so():
    async with serving(answering(200, b"")) as url:
        pass
    with pytest.raises(OSError, match="Connect"):
        await fetching.fetching()(url)


async def test_d7_few_are_fetched_at_once():
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send):
        if scope["type"] == "http":
            reached.set()
            await go.wait()
            await answering(200, b"pem")(scope, receive, send)

    async with serving(slow) as url:
        fetch = fetching.fetching()
        waiting = [asyncio.create_task(fetch(url)) for _ in range(fetching.AT_ONCE)]
        await reached.wait()
        with pytest.raises(OSError, match="already"):
            await fetch(url)
        go.set()
        assert await asyncio.gather(*waiting) == [b"pem"] * fetching.AT_ONCE
