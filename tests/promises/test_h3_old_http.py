"""H3: a Streamable HTTP server of the handshake era, with sessions and streams, works like any other."""

import asyncio

import pytest

from orchestrator.agent.hands.definitions import Lost
from orchestrator.servers import HttpServer
from tests.support.asgi import serving
from tests.support.lab import ask, reaching, text, until
from tests.support.old_http import OldHttp


@pytest.fixture(params=["2025-03-26", "2025-06-18", "2025-11-25"])
async def old(request):
    app = OldHttp(request.param)
    async with serving(app) as url:
        yield HttpServer(name="old", url=f"{url}/mcp"), app


async def test_h3_it_is_discovered_and_called_in_one_session(old):
    server, app = old
    heard = []
    async with reaching(server) as hands:
        found = await hands.discover("old")
        said = await hands.call("old", "look", {}, deadline=20, key="k", progress=heard.append)
        assert text(said) == "seen"

    assert (found.protocol, found.identity) == (app.version, "old http 1")
    assert [tool.name for tool in found.tools] == ["look", "slow"]
    assert heard == ["looking (1)"]
    assert app.begun == 1


async def test_h3_a_session_that_was_forgotten_is_begun_anew_and_the_call_made_once(old):
    server, app = old
    async with reaching(server) as hands:
        await hands.discover("old")
        app.sessions.clear()
        assert text(await ask(hands, "old", "look")) == "seen"
        assert hands.standing("old").failures == 0

    assert (app.begun, app.calls) == (2, ["look"])


async def test_h3_a_deadline_reaches_it_and_the_outcome_is_lost(old):
    server, app = old
    async with reaching(server) as hands:
        await hands.discover("old")
        assert isinstance(await ask(hands, "old", "slow", deadline=0.3), Lost)
        await until(lambda: app.cancelled)


async def test_h3_what_it_says_unasked_is_heard(old):
    server, app = old
    changed = asyncio.Event()
    async with reaching(server, changed=lambda _: changed.set()) as hands:
        await hands.discover("old")
        await until(lambda: app.streams)
        changed.clear()
        app.say("notifications/tools/list_changed")
        async with asyncio.timeout(10):
            await changed.wait()
