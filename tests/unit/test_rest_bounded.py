"""Requests to the API inside limits: slow and broken bodies end, and only so many are under way at once."""

import asyncio
import json

from orchestrator.console.rest.bounded import bounded


class Request:
    """One request, driven by hand."""

    def __init__(self, *messages, headers=()):
        self.messages, self.sent, self.headers = list(messages), [], list(headers)
        self.more = asyncio.Event()

    async def receive(self):
        if self.messages:
            return self.messages.pop(0)
        await self.more.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    async def to(self, app):
        await app({"type": "http", "headers": self.headers}, self.receive, self.send)
        return self.sent[0]["status"], self.sent[1]["body"]


def chunk(body=b"", *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def telling(app, **limits):
    told = []
    return bounded(app, lambda _scope, status, _seconds: told.append(status), **limits), told


async def echo(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


async def test_a_body_in_pieces_arrives_whole():
    app, told = telling(echo)

    assert await Request(chunk(b"a", more=True), chunk(b"b")).to(app) == (200, b"ab")
    assert told == [200]


async def test_d7_a_body_that_never_ends_is_refused_in_time():
    app, told = telling(echo, deadline=0.01)
    status, body = await Request(chunk(b"a", more=True)).to(app)

    assert (status, told) == (408, [408])
    assert json.loads(body)["status"] == 408


async def test_d7_a_body_that_breaks_off_is_answered():
    app, told = telling(echo)
    broken = Request(chunk(b"a", more=True), {"type": "http.disconnect"})

    assert (await broken.to(app))[0] == 400
    assert told == [400]


async def test_d7_only_so_many_are_under_way_and_the_next_is_told_to_come_again():
    held = asyncio.Event()

    async def slow(scope, receive, send):
        await held.wait()
        await echo(scope, receive, send)

    app, _ = telling(slow, under_way=2)
    first = [asyncio.create_task(Request(chunk(b"x")).to(app)) for _ in range(2)]
    await asyncio.sleep(0)
    late = Request(chunk())
    status, _ = await late.to(app)
    held.set()

    assert (status, dict(late.sent[0]["headers"])[b"retry-after"]) == (503, b"1")
    assert [status for status, _ in await asyncio.gather(*first)] == [200, 200]
    assert (await Request(chunk(b"y")).to(app))[0] == 200
