"""H3: any MCP server works; connections are pooled; cancel reaches the server; a dead or mute one is a result."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.definitions import Answered, HandsUnreachable, Lost, NotSent
from orchestrator.agent.hands import Hands
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, Server, StdioServer
from tests.support.asgi import serving

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
OURS = {"PATH": os.defpath, "HOME": "/nowhere", "AWS_SECRET_ACCESS_KEY": "must-not-leak"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "lab.log"


@pytest.fixture
def lab(log: Path) -> StdioServer:
    return StdioServer(
        name="lab", command=(sys.executable, str(SUPPORT / "lab_server.py"), str(log))
    )


@pytest.fixture
def old(log: Path) -> StdioServer:
    script = str(SUPPORT / "old_lab_server.py")
    return StdioServer(name="old", command=(sys.executable, script, str(log)))


@pytest.fixture
def mute(tmp_path: Path) -> StdioServer:
    script = f"import os,time; open({str(tmp_path / 'mute')!r},'w').write(str(os.getpid())); time.sleep(600)"
    return StdioServer(name="mute", command=(sys.executable, "-c", script))


@asynccontextmanager
async def reaching(*servers: Server, **options: Any) -> AsyncIterator[Hands]:
    hands = Hands({server.name: server for server in servers}, environment=OURS, **options)
    try:
        yield hands
    finally:
        await hands.close()


@asynccontextmanager
async def over_http(log: Path) -> AsyncIterator[tuple[HttpServer, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(SUPPORT / "lab_server.py"), str(log), str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await until(lambda: _listening(port))
        yield HttpServer(name="lab", url=f"http://127.0.0.1:{port}/mcp"), process
    finally:
        process.kill()
        process.wait()


def _listening(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    return False


async def until(seen: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not seen():  # noqa: ASYNC110 - another process can't set an Event
            await asyncio.sleep(0.01)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def pids(log: Path) -> list[int]:
    return [int(line.split()[1]) for line in lines(log) if line.startswith("pid ")]


def dead(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


async def ask(hands: Hands, server: str, tool: str, deadline: float = 20, **arguments: Any) -> Any:
    return await hands.call(server, tool, arguments, deadline=deadline, key="run-1/call-1")


def text(outcome: Any) -> str:
    assert isinstance(outcome, Answered), outcome
    return "\n".join(block.get("text", f"[{block['type']}]") for block in outcome.content)


# Eras and transports ---------------------------------------------------------------------------


async def test_h3_a_modern_server_over_stdio_is_discovered(lab):
    async with reaching(lab) as hands:
        found = await hands.discover("lab")
    assert (found.protocol, found.identity) == ("2026-07-28", "lab 1.2.3")
    hints = {tool.name: (tool.read_only, tool.idempotent) for tool in found.tools}
    assert hints["echo"] == (True, None)
    assert hints["slow"] == (False, True)


async def test_h3_a_modern_server_over_http_is_discovered_and_called(log):
    async with over_http(log) as (server, _), reaching(server) as hands:
        found = await hands.discover("lab")
        assert (found.protocol, found.identity) == ("2026-07-28", "lab 1.2.3")
        assert text(await ask(hands, "lab", "echo", text="hi")) == "hi"


async def test_h3_a_server_of_2024_that_answers_one_at_a_time_works(old):
    async with reaching(old) as hands:
        found = await hands.discover("old")
        assert (found.protocol, found.identity) == ("2024-11-05", "old 0.1")
        assert "hello" in {tool.name for tool in found.tools}
        assert text(await ask(hands, "old", "hello")) == "good day"


async def test_h3_a_server_not_written_here_works():
    server = StdioServer(name="time", command=(sys.executable, "-m", "mcp_server_time"))
    async with reaching(server) as hands:
        found = await hands.discover("time")
        assert {tool.name for tool in found.tools} == {"get_current_time", "convert_time"}
        answer = text(await ask(hands, "time", "get_current_time", timezone="Europe/Berlin"))
    assert json.loads(answer)["timezone"] == "Europe/Berlin"


# Answers ---------------------------------------------------------------------------------------


async def test_h3_every_kind_of_answer_is_a_result(lab):
    async with reaching(lab) as hands:
        assert "upstream said 503" in text(await ask(hands, "lab", "boom"))
        assert text(await ask(hands, "lab", "image")) == "[image]"
        assert json.loads(text(await ask(hands, "lab", "structured_only")))["city"] == "Bonn"
        assert (await ask(hands, "lab", "nobody")).is_error
        assert text(await ask(hands, "lab", "wants_meta")) == "run-1/call-1"


async def test_h3_a_result_of_3_mb_is_capped_and_kept_whole(log, lab):
    async with over_http(log) as (server, _):
        for reachable in (lab, server):
            async with reaching(reachable) as hands:
                outcome = await ask(hands, "lab", "big", megabytes=3)
                assert outcome.truncated
                assert len(outcome.full) == 3_000_008
                assert len(text(outcome)) < 81_000


async def test_h3_an_answer_that_breaks_its_own_schema_is_still_the_answer(old):
    async with reaching(old) as hands:
        assert text(await ask(hands, "old", "breaks_schema")) == "it acted"


async def test_h3_an_answer_nobody_can_read_warns_that_the_tool_may_have_acted(old):
    async with reaching(old) as hands:
        outcome = await ask(hands, "old", "unreadable")
        assert outcome.is_error
        assert "may have acted" in text(outcome)


async def test_h3_a_protocol_error_is_words_for_the_model(old):
    async with reaching(old) as hands:
        outcome = await ask(hands, "old", "refuses")
        assert outcome.is_error
        assert text(outcome) == "old refused the call: no such issue (MCP error -32000)"


async def test_h3_fifty_calls_at_once_share_one_process(log, lab):
    async with reaching(lab) as hands:
        outcomes = await asyncio.gather(
            *(ask(hands, "lab", "echo", text=str(n)) for n in range(50))
        )
    assert [text(outcome) for outcome in outcomes] == [str(n) for n in range(50)]
    assert len(pids(log)) == 1


async def test_h3_progress_is_heard(log, lab):
    heard: list[str] = []
    async with reaching(lab) as hands:
        await hands.call("lab", "slow", {}, deadline=0.5, key="k", progress=heard.append)
    assert heard[0] == "working (0/600)"


# Secrets and environment -----------------------------------------------------------------------


async def test_h3_a_child_gets_path_home_and_what_was_declared_and_its_secrets_do_not_come_back(
    old,
):
    env = {"TOKEN": Secret("env:MY_TOKEN", "sesame-sesame"), "MODE": "test"}
    server = StdioServer(name="old", command=old.command, env=env)
    async with reaching(server) as hands:
        given = dict(
            line.split("=", 1) for line in text(await ask(hands, "old", "environment")).splitlines()
        )
    assert given == {
        "PATH": OURS["PATH"],
        "HOME": OURS["HOME"],
        "TOKEN": "[secret env:MY_TOKEN]",
        "MODE": "test",
    }


async def test_h3_what_a_child_says_on_stderr_goes_to_its_file(tmp_path):
    script = "import sys; print('no token', file=sys.stderr); sys.exit(4)"
    server = StdioServer(name="broken", command=(sys.executable, "-c", script))
    async with reaching(server, stderr=tmp_path) as hands:
        outcome = await ask(hands, "broken", "x")
    assert isinstance(outcome, NotSent)
    assert str(tmp_path / "broken.log") in outcome.reason
    assert (tmp_path / "broken.log").read_text() == "no token\n"


# Cancelling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_h3_cancelling_the_caller_reaches_the_server(log, lab, transport):
    async with (
        over_http(log) as (server, _),
        reaching(lab if transport == "stdio" else server) as hands,
    ):
        call = asyncio.create_task(ask(hands, "lab", "slow"))
        await until(lambda: "slow began" in lines(log))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: "slow cancelled" in lines(log))
        assert text(await ask(hands, "lab", "echo", text="still here")) == "still here"


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_h3_a_deadline_tells_the_server_to_stop_and_the_outcome_is_lost(log, lab, transport):
    async with (
        over_http(log) as (server, _),
        reaching(lab if transport == "stdio" else server) as hands,
    ):
        outcome = await ask(hands, "lab", "slow", deadline=0.3)
        assert isinstance(outcome, Lost)
        await until(lambda: "slow cancelled" in lines(log))
        assert text(await ask(hands, "lab", "echo", text="still here")) == "still here"


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
    monkeypatch.setattr("orchestrator.agent.connection.PROBE", 0.2)
    async with reaching(lab) as hands:
        await hands.discover("lab")
        assert isinstance(await ask(hands, "lab", "hangs", deadline=0.3), Lost)
        assert text(await ask(hands, "lab", "echo", text="new")) == "new"
    assert len(pids(log)) == 2


async def test_h3_an_http_server_killed_during_a_call_is_lost_and_then_not_sent(log):
    async with over_http(log) as (server, process), reaching(server) as hands:
        call = asyncio.create_task(ask(hands, "lab", "slow"))
        await until(lambda: "slow began" in lines(log))
        process.kill()
        assert isinstance(await call, Lost)
        outcome = await ask(hands, "lab", "echo", text="x")
        assert isinstance(outcome, NotSent)
        assert "could not connect" in outcome.reason


# Mute, absent, unknown -------------------------------------------------------------------------


async def test_h3_a_mute_server_is_a_result_within_the_time_to_connect(mute):
    async with reaching(mute, connect_timeout=0.5) as hands:
        async with asyncio.timeout(3):
            outcome = await ask(hands, "mute", "x")
        assert isinstance(outcome, NotSent)
        assert "no answer within 0.5 s" in outcome.reason
        with pytest.raises(HandsUnreachable, match=r"'mute'.*no answer within 0.5 s"):
            await hands.discover("mute")


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
        (HttpServer(name="x", url="http://u:p@127.0.0.1:9/mcp?token=t"), "http://127.0.0.1:9/mcp: could not"),
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
        "from orchestrator.agent.hands import Hands\n"
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

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.authorization = dict(scope["headers"]).get(b"authorization", b"").decode()
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        request = json.loads(body)
        if request["method"] == "server/discover":
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
