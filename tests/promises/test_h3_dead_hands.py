"""H3: a dead, mute, absent or refusing server is a result, never a hang, and nothing is sent twice."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

from orchestrator.agent.hands.definitions import Answered, HandsUnreachable, Lost, NotSent
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, StdioServer
from tests.support.asgi import serving
from tests.support.lab import (
    ROOT,
    ask,
    dead,
    lab,
    lines,
    log,
    mute,
    old,
    over_http,
    pids,
    reaching,
    text,
    until,
)

__all__ = ["lab", "log", "mute", "old"]  # fixtures, by being here


# Dying -----------------------------------------------------------------------------------------


async def test_h3_a_child_killed_between_calls_is_started_again(log, lab):
    async with reaching(lab) as hands:
        await ask(hands, "lab", "echo", text="one")
        os.kill(pids(log)[0], signal.SIGKILL)
        await until(lambda: dead(pids(log)[0]))
        assert text(await ask(hands, "lab", "echo", text="two")) == "two"
    assert len(pids(log)) == 2


async def test_h3_a_child_killed_after_permission_and_before_the_bytes_is_started_again(log, old):
    async def kill() -> bool:
        os.kill(pids(log)[0], signal.SIGKILL)
        await until(lambda: dead(pids(log)[0]))
        return True

    async with reaching(old) as hands:
        outcome = await hands.call("old", "hello", {}, deadline=20, key="k", before_send=kill)
        assert text(outcome) == "good day"


async def test_h3_a_death_during_a_call_is_lost_and_never_sent_again(log, lab):
    async with reaching(lab) as hands:
        outcome = await ask(hands, "lab", "dies")
        assert isinstance(outcome, Lost)
        assert text(await ask(hands, "lab", "echo", text="again")) == "again"
    assert lines(log).count("dies began") == 1


async def test_h3_a_server_that_hangs_after_a_lost_call_is_replaced(log, lab, monkeypatch):
    monkeypatch.setattr("orchestrator.agent.hands.connection.PROBE", 0.2)
    async with reaching(lab) as hands:
        await hands.discover("lab")
        assert isinstance(await ask(hands, "lab", "hangs", deadline=2), Lost)
        assert text(await ask(hands, "lab", "echo", text="new")) == "new"
    assert len(pids(log)) == 2


async def test_h3_an_http_server_killed_during_a_call_is_lost_and_then_not_sent(log):
    async with over_http(log) as (server, process), reaching(server) as hands:
        call = asyncio.create_task(ask(hands, "lab", "slow"))
        await until(lambda: "slow began" in lines(log))
        process.kill()
        process.wait()  # a dying listener still accepts
        assert isinstance(await call, Lost)
        outcome = await ask(hands, "lab", "echo", text="x")
        assert isinstance(outcome, NotSent)
        assert "no connection" in outcome.reason


# Mute, absent, unknown -------------------------------------------------------------------------


async def test_h3_a_mute_server_is_a_result_within_the_time_to_connect(mute):
    async with reaching(mute, connect_timeout=0.5) as hands:
        async with asyncio.timeout(20):
            outcome = await ask(hands, "mute", "x")
        assert isinstance(outcome, NotSent)
        assert "no answer within 0.5 s" in outcome.reason
        with pytest.raises(HandsUnreachable, match=r"'mute'.*no answer within 0.5 s"):
            await hands.discover("mute")


async def test_h3_a_mute_http_server_is_a_result_too():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = HttpServer(name="mute", url=f"http://127.0.0.1:{silent.getsockname()[1]}/mcp")
        async with reaching(server, connect_timeout=0.5) as hands:
            outcome = await ask(hands, "mute", "x")
    assert isinstance(outcome, NotSent)
    assert "no answer within 0.5 s" in outcome.reason


async def test_h3_closing_ends_even_a_mute_child(mute, tmp_path):
    async with reaching(mute) as hands:
        waiting = asyncio.create_task(ask(hands, "mute", "x"))
        await until(lambda: (tmp_path / "mute").exists() and (tmp_path / "mute").read_text())
        pid = int((tmp_path / "mute").read_text())
        async with asyncio.timeout(25):
            await hands.close()
        assert dead(pid)
        assert isinstance(await waiting, NotSent)
        with pytest.raises(HandsUnreachable, match="stopping"):
            await hands.discover("mute")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (StdioServer(name="x", command=("no-such-program",)), "expected a program named 'no-such-program'"),
        (StdioServer(name="x", command=("./nothing", "here")), "expected a program named './nothing'"),
        (StdioServer(name="x", command=(sys.executable, "-c", "")), "Connection closed"),
        (HttpServer(name="x", url="http://u:p@127.0.0.1:9/mcp?token=t"), "http://127.0.0.1:9/mcp: no connection"),
    ],
)  # fmt: skip
async def test_h3_an_absent_server_is_named_with_what_was_tried(server, words):
    async with reaching(server) as hands:
        with pytest.raises(HandsUnreachable) as unreachable:
            await hands.discover("x")
        assert words in str(unreachable.value)


async def test_h3_a_server_nobody_configured_is_named_with_its_nearest(old):
    async with reaching(old) as hands:
        with pytest.raises(HandsUnreachable, match="did you mean 'old'"):
            await hands.discover("odl")


async def test_h3_nothing_is_sent_without_permission(log, old):
    async def withheld() -> bool:
        return False

    async with reaching(old) as hands:
        outcome = await hands.call("old", "hello", {}, deadline=5, key="k", before_send=withheld)
        assert isinstance(outcome, NotSent)
    assert "tools/call" not in lines(log)


async def test_h3_permission_is_asked_for_only_when_the_server_is_there(tmp_path):
    asked: list[str] = []

    async def permit() -> bool:
        asked.append("asked")
        return True

    server = StdioServer(name="x", command=("no-such-program",))
    async with reaching(server) as hands:
        await hands.call("x", "hello", {}, deadline=5, key="k", before_send=permit)
    assert asked == []


async def test_h3_an_idle_connection_is_closed_and_opened_again_when_needed(log, old):
    async with reaching(old, idle_timeout=0.05) as hands:
        await ask(hands, "old", "hello")
        await until(lambda: dead(pids(log)[0]))
        assert text(await ask(hands, "old", "hello")) == "good day"
    assert len(pids(log)) == 2


async def test_h3_a_caller_that_gives_up_while_connecting_harms_nobody(lab):
    async with reaching(lab) as hands:
        first = asyncio.create_task(ask(hands, "lab", "echo", text="one"))
        second = asyncio.create_task(ask(hands, "lab", "echo", text="two"))
        await asyncio.sleep(0)
        first.cancel()
        assert text(await second) == "two"


async def test_h3_children_die_with_us_even_when_we_are_killed(tmp_path, mute):
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys\n"
        "from orchestrator.agent.hands.pool import Hands\n"
        "from orchestrator.servers import StdioServer\n"
        "async def main():\n"
        f"    hands = Hands({{'mute': StdioServer(name='mute', command={mute.command!r})}}, environment={{}})\n"
        "    await hands.discover('mute')\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], env={"PYTHONPATH": str(ROOT)})  # noqa: ASYNC220
    try:
        await until(lambda: (tmp_path / "mute").exists() and (tmp_path / "mute").read_text())
    finally:
        parent.kill()
        parent.wait()
    await until(lambda: dead(int((tmp_path / "mute").read_text())))


# What HTTP says --------------------------------------------------------------------------------


class Gateway:
    """An MCP server behind a gateway that answers tool calls with whatever it's told."""

    def __init__(self, status: int, body: str, media_type: str = "text/html") -> None:
        self.status, self.body, self.media_type = status, body, media_type
        self.authorization: str | None = None
        self.open = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.authorization = dict(scope["headers"]).get(b"authorization", b"").decode()
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        request = json.loads(body)
        if self.open and request["method"] == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            fresh = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": result | fresh}
            await self._answer(send, 200, "application/json", json.dumps(answer))
        else:
            await self._answer(send, self.status, self.media_type, self.body)

    async def _answer(self, send: Any, status: int, media_type: str, body: str) -> None:
        headers = [(b"content-type", media_type.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})


@pytest.mark.parametrize(
    ("gateway", "kind", "words"),
    [
        (Gateway(401, "who are you, hunter22?"), Answered, "HTTP 401 Unauthorized: who are you, [secret env:T]?"),
        (Gateway(429, ""), Answered, "HTTP 429 Too Many Requests"),
        (Gateway(502, "<h1>Bad</h1>"), Lost, "HTTP 502 Bad Gateway: <h1>Bad</h1>"),
        (Gateway(200, "not json", "application/json"), Answered, "Failed to parse JSON response"),
        (Gateway(500, '{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"db down"}}', "application/json"),
         Answered, "db down"),
    ],
)  # fmt: skip
async def test_h3_what_http_says_is_told_as_it_is(gateway, kind, words):
    async with serving(gateway) as url:
        server = HttpServer(name="api", url=f"{url}/mcp", bearer=Secret("env:T", "hunter22"))
        async with reaching(server) as hands:
            outcome = await ask(hands, "api", "x")
    assert isinstance(outcome, kind)
    assert words in (text(outcome) if isinstance(outcome, Answered) else outcome.reason)
    assert gateway.authorization == "Bearer hunter22"


async def test_h3_a_refused_token_is_named_when_connecting():
    gateway = Gateway(401, "bad token")
    gateway.open = False
    async with serving(gateway) as url, reaching(HttpServer(name="api", url=url)) as hands:
        with pytest.raises(HandsUnreachable, match="HTTP 401 Unauthorized: bad token"):
            await hands.discover("api")
