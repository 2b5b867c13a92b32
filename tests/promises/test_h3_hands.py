"""H3: any MCP server works; connections are pooled; every kind of answer is a result; cancel reaches the server."""

import asyncio
import json
import sys

import pytest

from orchestrator.agent.hands.definitions import Asks, Lost, NotSent, Responses
from orchestrator.secrets import Secret
from orchestrator.servers import StdioServer
from tests.support.lab import (
    OURS,
    ask,
    lab,
    lab_over,
    lines,
    log,
    old,
    over_http,
    pids,
    reaching,
    text,
    until,
)

__all__ = ["lab", "log", "old"]  # fixtures, by being here


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


async def test_h4_a_server_that_asks_first_is_answered_and_called_once_more(lab):
    async with reaching(lab) as hands:
        outcome = await ask(hands, "lab", "asks")
        assert isinstance(outcome, Asks)
        ((key, request),) = outcome.requests.items()
        assert request["params"]["message"] == "Sure?"
        given = {key: {"action": "accept", "content": {"ok": True}}}
        responses = Responses(given=given, state=outcome.state)
        answer = await hands.call(
            "lab", "asks", {}, deadline=20, key="run-1/call-1", responses=responses
        )
    assert "ok=True" in text(answer)


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
        call = hands.call("lab", "slow", {}, deadline=60, key="k", progress=heard.append)
        calling = asyncio.create_task(call)
        await until(lambda: heard)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
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
    async with lab_over(transport, lab, log) as server, reaching(server) as hands:
        call = asyncio.create_task(ask(hands, "lab", "slow"))
        await until(lambda: "slow began" in lines(log))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: "slow cancelled" in lines(log))
        assert text(await ask(hands, "lab", "echo", text="still here")) == "still here"


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_h3_a_deadline_tells_the_server_to_stop_and_the_outcome_is_lost(log, lab, transport):
    async with lab_over(transport, lab, log) as server, reaching(server) as hands:
        outcome = await ask(hands, "lab", "slow", deadline=2)
        assert isinstance(outcome, Lost)
        await until(lambda: "slow cancelled" in lines(log))
        assert text(await ask(hands, "lab", "echo", text="still here")) == "still here"
